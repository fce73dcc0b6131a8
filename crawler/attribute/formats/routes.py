"""Who announces what: the route collectors' `riswhoisdump`, and names of AS numbers.

riswhoisdump: "origin<TAB>prefix<TAB>peers", comments begin with "%"; an origin may be a set, "{64496,64497}".
Source: https://www.ris.ripe.net/dumps/
AS names: "64496 POLDER-AS Polder Hosting B.V., NL" a line. Source: https://ftp.ripe.net/ripe/asnames/
"""

from __future__ import annotations

import re
from typing import Final

from crawler.attribute.builder import TableBuilder
from crawler.attribute.formats.source import Source, clean
from crawler.attribute.rows import Values
from crawler.ranges import parse_prefix
from crawler.records import Rejected

ROUTE: Final = re.compile(rb"(\d{1,10}|\{[\d,]+\})\t([0-9a-fA-F:./]+)\t(\d+)")
AS_NAME: Final = re.compile(r"(\d{1,10})\s+(\S.*?),?\s*([A-Z]{2})?")
AS_NAME_LINE: Final = re.compile(rb"\d{1,10} [^\t]*\S, [A-Z]{2}\s*$")
MIN_PEERS: Final = 3
"""Prefixes that fewer collectors' peers see are leaks and experiments more often than routes."""


def read_routes(source: Source, builder: TableBuilder) -> frozenset[int]:
    """Add the announced prefixes; of several origins of a prefix the one that most peers see stays.

    Returns the IP versions in it. Raises AddressDataInvalid with the line and reason.
    """
    versions: set[int] = set()
    for raw in source.lines():
        if not raw or raw.startswith(b"%"):
            continue
        found = ROUTE.fullmatch(raw)
        if found is None:
            raise source.wrong("is not 'origin<TAB>prefix<TAB>peers'; it is cut off or another format")
        network = parse_prefix(found[2].decode())
        if isinstance(network, Rejected):
            raise source.wrong(f"{found[2][:60].decode()!r} {network.detail}")
        origin = int(re.findall(rb"\d+", found[1])[0])
        if origin >= 2**32:
            raise source.wrong(f"{origin} is not an AS number")
        peers = int(found[3])
        versions.add(network.version)
        # AS 0 is nobody (RFC 7607); a set of origins does not say which of them it is.
        if peers >= MIN_PEERS and origin and not found[1].startswith(b"{") and network.prefixlen:
            builder.add(
                network.version,
                int(network.network_address),
                int(network.broadcast_address),
                Values(asn=origin),
                min(peers, 2**32 - 1),
            )
    if not versions:
        raise source.wrong("holds no prefix")
    return frozenset(versions)


def read_names(source: Source) -> dict[int, tuple[str, str | None]]:
    """AS number -> (name, country). Raises AddressDataInvalid with the line and reason."""
    names: dict[int, tuple[str, str | None]] = {}
    for raw in source.lines():
        if not raw.strip() or raw.startswith(b"#"):
            continue
        found = AS_NAME.fullmatch(_text(raw).strip())
        if found is None or not int(found[1]) < 2**32:
            raise source.wrong("is not 'NUMBER NAME, COUNTRY'; it is cut off or another format")
        # "-Reserved AS-", "--No Registry Entry--": nobody's name.
        if not found[2].startswith("-"):
            names[int(found[1])] = (clean(found[2], 120), found[3])
    if not names:
        raise source.wrong("holds no name")
    return names


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
