"""What an IP address is before any table is asked: embedded IPv4, special-purpose ranges, politeness key.

Ranges: IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and successors), and the addresses at which
cloud providers offer instance metadata. IPv6 outside 2000::/3 is not global unicast, so it is reserved unless named.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from crawler.records import Rejected

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Special:
    """A range that is not the public internet. lab: a lab campaign may admit it by a rule within the range."""

    name: str
    network: Network
    lab: bool

    @property
    def source(self) -> str:
        """Who says so."""
        return "documentation of cloud providers" if self.name == "metadata" else "IANA special-purpose registry"


_LAB_RANGES: Final = {
    "metadata": (
        "169.254.169.254/32 169.254.170.2/32 100.100.100.200/32 192.0.0.192/32 168.63.129.16/32 "
        "fd00:ec2::254/128 fd20:ce::254/128"
    ),
    "loopback": "127.0.0.0/8 ::1/128",
    "private": "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 fec0::/10 64:ff9b:1::/48",
    "link-local": "169.254.0.0/16 fe80::/10",
    "cgnat": "100.64.0.0/10",
    "documentation": "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20",
    "benchmarking": "198.18.0.0/15",
}
SPECIAL_DATE: Final = "2026-11-22"
"""The day on which these ranges were last compared with their sources."""

_NEVER: Final = {
    "unspecified": "0.0.0.0/8 ::/128",
    "multicast": "224.0.0.0/4 ff00::/8",
    "reserved": (
        "192.0.0.0/24 192.88.99.0/24 240.0.0.0/4 "
        "2001::/23 3ffe::/16 ::/3 4000::/2 8000::/1"  # the last three: all that is not 2000::/3
    ),
}


def _specials() -> dict[int, tuple[Special, ...]]:
    found = [
        Special(name, ip_network(one), table is _LAB_RANGES)
        for table in (_LAB_RANGES, _NEVER)
        for name, ranges in table.items()
        for one in ranges.split()
    ]
    found.sort(key=lambda special: -special.network.prefixlen)
    return {version: tuple(row for row in found if row.network.version == version) for version in (4, 6)}


_SPECIALS: Final = _specials()
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_ISATAP: Final = frozenset((0x0000_5EFE, 0x0200_5EFE))
"""Upper half of the interface identifiers that end in an IPv4 address."""
_NAT64: Final = IPv6Network("64:ff9b::/96")


def parse_address(text: str) -> Address | Rejected:
    """The address that `text` is, in its usual notation; "not-an-address" for anything else, zone indices included."""
    try:
        return ip_address(text) if "%" not in text else Rejected("not-an-address")
    except ValueError:
        return Rejected("not-an-address")


def parse_prefix(text: str) -> Network | Rejected:
    """The prefix that `text` is; an address alone is the prefix of itself. "not-a-prefix" with the reason in detail."""
    try:
        if "%" in text:
            return Rejected("not-a-prefix", "has a zone index")
        network = ip_network(text, strict=False)
        exact = ip_address(text.partition("/")[0])
    except ValueError:
        return Rejected("not-a-prefix", "is not a prefix such as 192.0.2.0/24 or 2001:db8::/32")
    if exact != network.network_address:
        return Rejected("not-a-prefix", f"has bits behind its length; {network} is the prefix around it")
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        return Rejected("not-a-prefix", "is IPv4 mapped into IPv6; write the IPv4 prefix")
    return network


def unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv4-mapped, 6to4 or NAT64 (64:ff9b::/96) address leads to; others unchanged.

    Source: RFC 4291 2.5.5.2, RFC 3056, RFC 6052.
    """
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address


def special_networks() -> tuple[Network, ...]:
    """All special-purpose ranges."""
    return tuple(special.network for version in (4, 6) for special in _SPECIALS[version])


def special_range(address: Address) -> Special | None:
    """The most specific special-purpose range around an address that is already unwrapped; None: global unicast.

    An ISATAP address counts as in the range of the IPv4 address at its end too, to which a machine with such an
    interface would send; where that one is public, it is judged as the IPv6 address that it is. Source: RFC 5214, 6.1.
    """
    found = next((special for special in _SPECIALS[address.version] if address in special.network), None)
    if found is None and address.version == 6 and int(address) >> 32 & 0xFFFFFFFF in _ISATAP:
        return special_range(IPv4Address(int(address) & 0xFFFFFFFF))
    return found


def special_prefix(network: Network) -> Special | None:
    """The special-purpose range that holds the whole prefix, or None."""
    around = (row for row in _SPECIALS[network.version] if subnet_of(network, row.network))
    return next(around, None)


def special_overlap(network: Network) -> Special | None:
    """The most specific special-purpose range that shares an address with the prefix, or None."""
    return next((row for row in _SPECIALS[network.version] if row.network.overlaps(network)), None)


def subnet_of(inner: Network, outer: Network) -> bool:
    """Whether `outer` holds all of `inner`; False across versions."""
    if isinstance(inner, IPv4Network):
        return isinstance(outer, IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, IPv6Network) and inner.subnet_of(outer)


@lru_cache(maxsize=65_536)
def politeness_key(address: str) -> str:
    """What counts as one server for politeness: an IPv4 address itself, the /64 of an IPv6 address ("2001:db8::/64").

    Addresses that embed IPv4 count as the IPv4 address. Raises ValueError when `address` is none: it was judged before.
    """
    found = unwrapped(ip_address(address))
    return str(found) if isinstance(found, IPv4Address) else str(IPv6Network((int(found) >> 64 << 64, 64)))


class PrefixSet:
    """Prefixes, asked for the most specific one around an address. One probe per distinct prefix length."""

    def __init__(self, prefixes: Iterable[Network]) -> None:
        found: dict[tuple[int, int], dict[int, Network]] = {}
        for network in prefixes:
            shift = network.max_prefixlen - network.prefixlen
            found.setdefault((network.version, shift), {})[int(network.network_address) >> shift] = network
        self._lengths = {
            version: tuple(sorted((shift, rows) for (of, shift), rows in found.items() if of == version))
            for version in (4, 6)
        }

    def around(self, address: Address) -> Network | None:
        """The longest prefix that holds `address`, or None."""
        number = int(address)
        for shift, rows in self._lengths[address.version]:
            network = rows.get(number >> shift)
            if network is not None:
                return network
        return None


@lru_cache(maxsize=4096)
def canonical_address(text: str) -> str | None:
    """An IP address as one text; None for what is none, or has a zone.

    A mapped IPv6 address becomes the IPv4 address that the kernel would connect to.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return None
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
    return str(address)
