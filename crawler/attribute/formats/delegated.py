"""The registries' delegation statistics, extended form: which registry gave which country what, and when.

    2|ripencc|20260617|5|19830705|20260616|+0200          version|registry|serial|records|start|end|offset
    ripencc|*|ipv4|*|2|summary
    ripencc|NL|ipv4|192.0.2.0|256|19940301|allocated|ID    IPv4: a count of addresses; IPv6: a prefix length
Source: https://ftp.ripe.net/pub/stats/ripencc/RIR-Statistics-Exchange-Format.txt
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from crawler.attribute.builder import TableBuilder
from crawler.attribute.formats.source import Source
from crawler.attribute.rows import Values

VERSION_LINE: Final = re.compile(rb"2(?:\.\d)?\|(ripencc|arin|apnic|lacnic|afrinic|nro)\|\d+\|(\d+)\|\d*\|(\d{8})\|")
_HELD: Final = ("allocated", "assigned")
_REGISTRIES: Final = frozenset(("ripencc", "arin", "apnic", "lacnic", "afrinic", "iana", "ietf"))


@dataclass(frozen=True, slots=True)
class Delegations:
    """registry: whose statistics they are.  day: ISO day of the data."""

    registry: str
    day: str


def read(source: Source, builder: TableBuilder) -> Delegations:
    """Add the delegated ranges. Raises AddressDataInvalid with the line and reason."""
    found = None
    expected: dict[str, int] = {}
    seen: Counter[str] = Counter()
    for raw in source.lines():
        if not raw or raw.startswith(b"#"):
            continue
        if found is None:
            found = VERSION_LINE.match(raw)
            if found is None:
                raise source.wrong("no version line of delegation statistics before the records")
            continue
        columns = _columns(source, raw)
        if columns[-1] == "summary" and len(columns) == 6:
            expected[columns[2]] = _number(source, columns[4])
            continue
        seen[columns[2]] += 1
        _record(source, columns, builder)
    if found is None:
        raise source.wrong("holds no record")
    records = {kind: count for kind, count in expected.items() if seen[kind] != count}
    if records or sum(seen.values()) != int(found[2]):
        kind, count = next(iter(records.items()), ("all", int(found[2])))
        have = seen[kind] if records else sum(seen.values())
        raise source.wrong(f"has {have} records ({kind}), its header says {count}; it is cut off, fetch it again")
    day = found[3].decode()
    return Delegations(found[1].decode(), f"{day[:4]}-{day[4:6]}-{day[6:]}")


def _columns(source: Source, raw: bytes) -> list[str]:
    try:
        columns = raw.decode("ascii").split("|")
    except UnicodeDecodeError as error:
        raise source.wrong("is not ASCII text; it is in another encoding or damaged") from error
    if len(columns) < 6 or columns[0] not in _REGISTRIES:
        raise source.wrong(f"{raw[:60].decode('ascii', 'replace')!r} is no record of delegation statistics")
    return columns


def _record(source: Source, columns: list[str], builder: TableBuilder) -> None:
    country, kind, start, value, *rest = columns[1:]
    if len(rest) < 2:
        raise source.wrong(f"has {len(columns)} columns, a record has 7 or more")
    if kind == "asn" or rest[1] not in _HELD:
        return
    if not re.fullmatch("[A-Z]{2}", country):
        raise source.wrong(f"{country[:20]!r} is not a country code")
    values = Values(country)
    try:
        if kind == "ipv4":
            first, last = int(IPv4Address(start)), int(IPv4Address(start)) + _number(source, value) - 1
            if not first <= last < 2**32:
                raise source.wrong(f"{value} addresses from {start} on: the range runs backwards or too far")
            builder.add(4, first, last, values)
        elif kind == "ipv6":
            first, length = int(IPv6Address(start)), _number(source, value)
            if length > 128 or first & (2 ** (128 - length) - 1):
                raise source.wrong(f"{start}/{value} is no prefix")
            builder.add(6, first, first + 2 ** (128 - length) - 1, values)
        else:
            raise source.wrong(f"{kind[:20]!r} is not asn, ipv4 or ipv6")
    except AddressValueError as error:
        raise source.wrong(f"{start[:60]!r} is not an {kind} address") from error


def _number(source: Source, text: str) -> int:
    if not re.fullmatch("[0-9]{1,10}", text):
        raise source.wrong(f"{text[:20]!r} is not a number")
    return int(text)
