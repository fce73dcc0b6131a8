"""Published lists of the front addresses of CDNs: Cloudflare (one prefix a line), Fastly, AWS and Google (JSON).

Sources: https://www.cloudflare.com/ips/, https://api.fastly.com/public-ip-list,
https://ip-ranges.amazonaws.com/ip-ranges.json, https://www.gstatic.com/ipranges/goog.json and …/cloud.json
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from crawler.attribute.builder import TableBuilder
from crawler.attribute.formats.source import Source
from crawler.attribute.rows import NO_CDN, Values
from crawler.ranges import Network, parse_prefix
from crawler.records import Rejected

MAX_LIST: Final = 67_108_864
CLOUDFLARE: Final = frozenset(("104.16.0.0/13", "173.245.48.0/20", "2400:cb00::/32", "2606:4700::/32"))
"""Prefixes by which a bare list is recognised as Cloudflare's."""

_WHOSE: Final = {
    "cdn-fastly": "Fastly",
    "cdn-aws": "Amazon Web Services",
    "cdn-google": "Google",
    "cdn-google-cloud": "Google Cloud",
}
_AWS: Final = {
    "CLOUDFRONT": Values(cdn="Amazon CloudFront"),
    "GLOBALACCELERATOR": Values(cdn="AWS Global Accelerator", anycast=True),
}


@dataclass(frozen=True, slots=True)
class CdnList:
    """name: of the table.  whose: the company.  day: ISO day that the list states, None for one that states none."""

    name: str
    whose: str
    day: str | None


def bare_prefixes(head: bytes) -> list[str] | None:
    """The lines of a list that has nothing but prefixes; None when this is none. The last line may be cut."""
    lines = [line.strip() for line in head.decode("ascii", "replace").splitlines()]
    wanted = [line for line in lines[: 1000 if len(head) < 60_000 else len(lines) - 1] if line and line[0] != "#"]
    plain = wanted and all(re.fullmatch("[0-9a-fA-F:.]+/[0-9]{1,3}", line) for line in wanted)
    return wanted if plain else None


def read_bare(source: Source, builder: TableBuilder, values: Values) -> frozenset[int]:
    """Add a list of one prefix a line. Returns the IP versions in it."""
    versions: set[int] = set()
    for raw in source.lines():
        line = raw.decode("ascii", "replace").strip()
        if line and not line.startswith("#"):
            versions.add(_add(source, builder, line, values))
    if not versions:
        raise source.wrong("holds no prefix")
    return frozenset(versions)


def read_json(source: Source, builder: TableBuilder) -> CdnList:
    """Add a list in the form of Fastly, AWS or Google. Raises AddressDataInvalid with the reason."""
    try:
        found = json.loads(source.content(MAX_LIST))
    except (ValueError, RecursionError) as error:
        place = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise source.wrong(f"is no whole JSON document{place}; it is cut off or damaged, fetch it again") from error
    if not isinstance(found, dict):
        raise source.wrong("is JSON, but no list of addresses")
    rows, name, day = _rows(source, found)
    count = 0
    for text, values in rows:
        _add(source, builder, text, values)
        count += 1
    if not count:
        raise source.wrong("holds no prefix of a CDN")
    return CdnList(name, _WHOSE[name], day)


def _rows(source: Source, found: dict[str, Any]) -> tuple[Iterator[tuple[object, Values]], str, str | None]:
    if "addresses" in found and "ipv6_addresses" in found:
        texts = [*_array(source, found, "addresses"), *_array(source, found, "ipv6_addresses")]
        return ((text, Values(cdn="Fastly")) for text in texts), "cdn-fastly", None
    if "prefixes" in found and "ipv6_prefixes" in found:
        return _aws(source, found), "cdn-aws", _day(found.get("createDate"))
    if "prefixes" in found and "creationTime" in found:
        cloud = any("service" in row for row in _objects(source, found, "prefixes"))
        name = "cdn-google-cloud" if cloud else "cdn-google"
        return _google(source, found), name, _day(found.get("creationTime"))
    raise source.wrong("is JSON, but not of Fastly, AWS or Google")


def _aws(source: Source, found: dict[str, Any]) -> Iterator[tuple[object, Values]]:
    for key, name in (("prefixes", "ip_prefix"), ("ipv6_prefixes", "ipv6_prefix")):
        for row in _objects(source, found, key):
            values = _AWS.get(str(row.get("service")))
            if values is not None:
                yield row.get(name), values


def _google(source: Source, found: dict[str, Any]) -> Iterator[tuple[object, Values]]:
    for row in _objects(source, found, "prefixes"):
        text = row.get("ipv4Prefix") or row.get("ipv6Prefix")
        if "service" not in row:
            yield text, Values(cdn="Google")
        elif row.get("scope") == "global":
            yield text, Values(cdn="Google Cloud", anycast=True)
        else:
            yield text, Values(cdn=NO_CDN)


def _objects(source: Source, found: dict[str, Any], key: str) -> list[dict[str, Any]]:
    rows = _array(source, found, key)
    if not all(isinstance(row, dict) for row in rows):
        raise source.wrong(f"{key!r} holds something that is no object")
    return rows


def _array(source: Source, found: dict[str, Any], key: str) -> list[Any]:
    rows = found[key]
    if not isinstance(rows, list):
        raise source.wrong(f"{key!r} is no array")
    return rows


def _add(source: Source, builder: TableBuilder, text: object, values: Values) -> int:
    network: Network | Rejected = parse_prefix(text) if isinstance(text, str) else Rejected("", "is not text")
    if isinstance(network, Rejected):
        raise source.wrong(f"{str(text)[:60]!r} {network.detail or 'is no prefix'}")
    if not network.prefixlen:
        raise source.wrong(f"{text} is the whole internet; no CDN has that")
    builder.add(network.version, int(network.network_address), int(network.broadcast_address), values)
    return network.version


def _day(value: object) -> str | None:
    """The day in "2026-06-17-21-03-12" or "2026-06-17T21:03:12.123"."""
    found = re.match(r"\d{4}-\d{2}-\d{2}(?=[-T])", str(value))
    return found[0] if found else None
