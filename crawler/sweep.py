"""The order in which a sweep visits the addresses of its prefixes, in constant memory, and the URLs of one address.

Addresses lie in blocks: a /24 in IPv4, a /120 in IPv6. Every round visits each block once, in an order that a key
decides and that is the same in all rounds; which address of the block it is, is decided by another permutation. So two
addresses of one block are always as many positions apart as there are blocks, and a position is all that has to be
remembered to go on.

Source of the permutations: Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002 (a Feistel network, walked
along its cycles until the result is below n), as masscan uses it; ZMap (Durumeric and others, 2013) does the same with
a cyclic group.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, collapse_addresses, ip_network
from itertools import accumulate
from typing import Final

from crawler.ranges import Network

BLOCK: Final = 256
"""Addresses of a block at the most."""

TLS_PORTS: Final = frozenset((443, 4443, 8443, 9443, 10443))
"""Ports that are asked over https; others over http."""

_ROUNDS: Final = 4
_MASK: Final = 2**64 - 1


class Permutation:
    """The numbers 0 to n - 1 in an order that `key` (1 to 64 bytes) decides. n: above 0."""

    __slots__ = ("_half", "_keys", "_mask", "_n")

    def __init__(self, n: int, key: bytes) -> None:
        bits = max((n - 1).bit_length(), 2)
        self._n = n
        self._half = (bits + 1) // 2
        self._mask = (1 << self._half) - 1
        digest = blake2b(n.to_bytes(20, "big"), digest_size=8 * _ROUNDS, key=key).digest()
        self._keys = tuple(int.from_bytes(digest[8 * i : 8 * i + 8], "big") for i in range(_ROUNDS))

    def __call__(self, number: int) -> int:
        """Which number stands at a place. number: 0 to n - 1."""
        while True:
            left, right = number >> self._half, number & self._mask
            for key in self._keys:
                left, right = right, left ^ (_mixed(right + key) & self._mask)
            number = left << self._half | right
            if number < self._n:
                return number


def _mixed(value: int) -> int:
    """The finaliser of SplitMix64 (Steele, Lea, Flood, 2014)."""
    value &= _MASK
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & _MASK
    return value ^ (value >> 31)


class SweepOrder:
    """All addresses of `prefixes` (canonical CIDR text), each once however the prefixes overlap.

    key: 1 to 64 bytes; another one is another order. Memory goes with the number of prefixes, not of addresses.

    blocks, addresses: how many there are.  positions: of a whole sweep, empty ones included.
    """

    def __init__(self, prefixes: Iterable[str], key: bytes) -> None:
        wide, small = _split(prefixes)
        self._wide = wide
        # A block of parts: prefixes longer than a block, which may share one.
        self._small = [tuple(parts) for parts in small.values()]
        self._ends = list(accumulate(_blocks(network) for network in wide))
        self._key = key
        self.blocks = (self._ends[-1] if self._ends else 0) + len(self._small)
        self.addresses = sum(
            network.num_addresses for network in (*wide, *(part for row in self._small for part in row))
        )
        largest = BLOCK if wide else max((_total(row) for row in self._small), default=0)
        self.positions = self.blocks * largest
        self._order = Permutation(max(self.blocks, 1), key)

    def address(self, position: int) -> str | None:
        """The address at a position (0 to positions - 1); None where a block has no address left."""
        turn, place = divmod(position, self.blocks)
        block = self._order(place)
        parts = self._block(block)
        total = _total(parts)
        if turn >= total:
            return None
        offset = Permutation(total, block.to_bytes(16, "big") + self._key[:48])(turn)
        for part in parts:
            if offset < part.num_addresses:
                return str(part[offset])
            offset -= part.num_addresses
        return None

    def _block(self, number: int) -> tuple[Network, ...]:
        place = bisect_right(self._ends, number)
        if place == len(self._ends):
            return self._small[number - (self._ends[-1] if self._ends else 0)]
        network = self._wide[place]
        start = int(network.network_address) + BLOCK * (number - (self._ends[place - 1] if place else 0))
        if isinstance(network, IPv4Network):
            return (IPv4Network((IPv4Address(start), 24)),)
        return (IPv6Network((IPv6Address(start), 120)),)


def swept_urls(address: str, ports: Iterable[int]) -> Iterator[str]:
    """The canonical URLs that are asked at one address, one for each port."""
    host = f"[{address}]" if ":" in address else address
    for port in ports:
        yield root_url("https" if port in TLS_PORTS else "http", host, port)


def root_url(scheme: str, host: str, port: int) -> str:
    """The canonical URL of a server's root. host: canonical, an IPv6 address in brackets."""
    default = port == (443 if scheme == "https" else 80)
    return f"{scheme}://{host}/" if default else f"{scheme}://{host}:{port}/"


def _split(prefixes: Iterable[str]) -> tuple[list[Network], dict[tuple[int, int], list[Network]]]:
    """Prefixes of whole blocks, and the smaller ones by the block that they lie in."""
    wide: list[Network] = []
    small: dict[tuple[int, int], list[Network]] = {}
    for network in _collapsed(prefixes):
        if network.num_addresses >= BLOCK:
            wide.append(network)
        else:
            small.setdefault((network.version, int(network.network_address) // BLOCK), []).append(network)
    return wide, small


def _collapsed(prefixes: Iterable[str]) -> Iterator[Network]:
    networks = [ip_network(prefix) for prefix in prefixes]
    yield from collapse_addresses(each for each in networks if isinstance(each, IPv4Network))
    yield from collapse_addresses(each for each in networks if isinstance(each, IPv6Network))


def _blocks(network: Network) -> int:
    return network.num_addresses // BLOCK


def _total(parts: Iterable[Network]) -> int:
    return sum(part.num_addresses for part in parts)
