"""MaxMind DB files: country and AS number of MaxMind (GeoLite2, GeoIP2), IPinfo and others of the same fields.

Format: https://maxmind.github.io/MaxMind-DB/. Read by `maxminddb`, which checks structure; types are checked here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import maxminddb

from crawler.attribute.builder import TableBuilder
from crawler.attribute.formats.mmdb_tree import is_tree
from crawler.attribute.formats.source import Source, clean, iso_day
from crawler.attribute.rows import TableInfo, Values
from crawler.errors import AddressDataInvalid

MARKER: Final = b"\xab\xcd\xefMaxMind.com"
MAX_TAIL: Final = 131_072
"""The metadata stand in the last 128 KiB."""

_KNOWN: Final = ("country", "city", "asn", "ipinfo", "isp", "enterprise", "dbip")


def is_mmdb(source: Source) -> bool:
    """Whether the end of the file has the marker of the format."""
    try:
        with source.path.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - MAX_TAIL))
            return MARKER in stream.read(MAX_TAIL)
    except OSError as error:
        raise AddressDataInvalid(f"{source.name}: cannot be read: {error.strerror}") from error


def read(source: Source, builder: TableBuilder) -> tuple[str, TableInfo]:
    """Add its networks. Returns the name of the table and where it comes from.

    Raises AddressDataInvalid for a damaged file, for one of another type (neither countries nor AS numbers), and for
    one whose records do not have the fields that its type promises.
    """
    try:
        with maxminddb.open_database(source.path) as reader:
            about = reader.metadata()
            kind = clean(about.database_type, 60)
            if not any(word in kind.lower() for word in _KNOWN):
                raise source.wrong(f"is a MaxMind database of type {kind!r}; one of countries or AS numbers is wanted")
            size, version = about.record_size, about.ip_version
            if not is_tree(source.path, nodes=about.node_count, record_size=size, ip_version=version):
                raise ValueError("its search tree leads in circles, or to one node by several ways")
            said = 0
            for network, record in reader:
                values = _values(record)
                if values is None:
                    continue
                said += 1
                builder.add(network.version, int(network.network_address), int(network.broadcast_address), values)
    except (maxminddb.InvalidDatabaseError, ValueError, OverflowError, UnicodeError, RecursionError) as error:
        raise source.wrong(f"is a damaged MaxMind database ({clean(str(error), 120)}); fetch it again") from error
    if not said:
        raise source.wrong(f"is a MaxMind database of type {kind!r} without countries or AS numbers")
    name = "asn" if "asn" in kind.lower() and "country" not in kind.lower() else "geo"
    maker = "ipinfo" if "ipinfo" in kind.lower() else "dbip" if "dbip" in kind.lower() else "maxmind"
    licence = {"ipinfo": "IPinfo's terms", "dbip": "DB-IP's terms"}.get(maker, "MaxMind's end user licence")
    return f"{name}-{maker}", TableInfo(f"MMDB {kind}", iso_day(about.build_epoch), licence)


def _values(record: Any) -> Values | None:
    """Country, AS number and name, anycast, of the fields that the makers use; None when it has none of them."""
    if not isinstance(record, Mapping):
        return None
    country = _code(record.get("country")) or _code(record.get("registered_country")) or _code(record)
    number = record.get("autonomous_system_number") or record.get("asn")
    name = record.get("autonomous_system_organization") or record.get("as_name") or record.get("name")
    traits = record.get("traits")
    anycast = any(
        str(place.get(key)).lower() == "true"
        for place in (record, traits)
        if isinstance(place, Mapping)
        for key in ("is_anycast", "anycast")
    )
    asn = _as_number(number)
    as_name = clean(name, 120) if asn and isinstance(name, str) else None
    return Values(country, asn, as_name or None, anycast=anycast) if country or asn or anycast else None


def _code(value: Any) -> str | None:
    if isinstance(value, Mapping):
        value = value.get("iso_code") or value.get("country_code")
    return value if isinstance(value, str) and len(value) == 2 and value.isascii() and value.isupper() else None


def _as_number(value: Any) -> int | None:
    text = str(value).removeprefix("AS")
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= 10 else 0
    return number if 0 < number < 2**32 else None
