"""The lab's hosters and their address space: made up, with the AS numbers that RFC 5398 keeps for documentation."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network


@dataclass(frozen=True, slots=True)
class Hoster:
    """One holder of address space.

    prefix: of IPv4, inside 127.0.0.0/8.  country: ISO 3166 code; XZ is one that the standard leaves to its users.
    cdn: the brand of a content delivery network, None for an ordinary hoster.
    admitted: whether the lab's campaign admits its addresses, and by which rule ("country", "asn", "prefix"); None: no.
    """

    asn: int
    name: str
    network: str
    prefix: str
    country: str
    abuse: str
    admitted: str | None
    cdn: str | None = None


HOSTERS = (
    Hoster(64496, "Polder Hosting B.V.", "POLDER-NET", "127.10.0.0/16", "NL", "abuse@polderhosting.example", "country"),
    Hoster(64497, "Waterkant Internet", "WATERKANT", "127.11.0.0/16", "NL", "misbruik@waterkant.example", "country"),
    Hoster(64498, "Duinen Datacenter", "DUINEN-DC1", "127.12.0.0/16", "NL", "abuse@duinen.example", "country"),
    # A Dutch hoster whose addresses are registered elsewhere: only its AS number admits it.
    Hoster(64499, "Molenveld VPS", "MOLENVELD", "127.13.0.0/16", "XZ", "noc@molenveld.example", "asn"),
    Hoster(
        64500,
        "Lichtsnel CDN",
        "LICHTSNEL-EDGE",
        "127.20.0.0/16",
        "XZ",
        "trust@lichtsnel.example",
        "prefix",
        "Lichtsnel",
    ),
    Hoster(64510, "Fernland Hosting", "FERNLAND", "127.50.0.0/16", "XZ", "abuse@fernland.example", None),
    # Abroad, inside a Dutch prefix: the most specific range decides.
    Hoster(64511, "Fernland Colocation", "FERNLAND-AMS", "127.10.200.0/24", "XZ", "abuse@fernland.example", None),
    # Dutch, but the campaign excludes the prefix.
    Hoster(64498, "Duinen Datacenter", "DUINEN-KLANT", "127.12.66.0/24", "NL", "abuse@duinen.example", None),
)

COUNTRIES = ("NL",)
ASNS = (64499,)
PREFIXES = ("127.20.0.0/16",)
EXCLUDED_PREFIXES = ("127.12.66.0/24",)
EXCLUDED_DOMAINS = ("verboden.example",)

LOOPBACK = "127.0.0.1"
"""Where the lab's DNS listens; no hoster has it, so its web server there is out of scope."""

TABLE_DATE = "2026-01-01"


def hoster_of(address: str) -> Hoster | None:
    """The hoster with the most specific prefix around an IPv4 address, None when nobody has it."""
    around = [hoster for hoster in HOSTERS if IPv4Address(address) in IPv4Network(hoster.prefix)]
    return max(around, key=lambda hoster: IPv4Network(hoster.prefix).prefixlen, default=None)


def in_scope(address: str) -> bool:
    """Whether the lab's campaign admits an IPv4 address."""
    hoster = hoster_of(address)
    return hoster is not None and hoster.admitted is not None


def excluded(host: str) -> bool:
    """Whether the lab's campaign excludes a host by its domain."""
    return any(host == domain or host.endswith(f".{domain}") for domain in EXCLUDED_DOMAINS)
