"""When an entry of a hash list floods: the rule that puts it in quarantine, as a pure function.

A code that is near to very much (a logo, a placeholder, a plain gradient that an owner listed by mistake) shows itself
by near matches at many places that have nothing to do with each other. An image that one hoster's customers carry on
thousands of URLs does not, and is never held back: places that share a registered domain, an ICANN domain or an address
count as one. Matches that an exact digest confirms (class A), or a person did, do not count at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

QUICK_LEVELS = 5
"""Alerts rise by a level a day from there on."""

_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a near-only match of an entry was found.

    domain, icann_domain: as in `Attribution`; None for a bare address.
    address: canonical text; None where a CDN answers, whose addresses strangers share.
    """

    domain: str | None
    icann_domain: str | None
    address: str | None


@dataclass(frozen=True, slots=True)
class FloodRule:
    """domains: unrelated registered domains from which on an entry floods; 0: never.
    window: seconds of the past that count."""

    domains: int = 25
    window: float = 2_592_000.0

    def floods(self, unrelated_domains: int, lifted_at: int = 0) -> bool:
        """lifted_at: how many there were when a person let the entry go on, 0 when nobody did. It then takes twice as
        many to trouble somebody again."""
        return self.domains > 0 and unrelated_domains >= max(self.domains, 2 * lifted_at)


def unrelated(places: Iterable[Place]) -> int:
    """How many groups of places have nothing in common: neither a domain, nor an ICANN domain, nor an address.

    An IPv6 address counts by its /64. Places that are linked through others are one group.
    """
    groups: dict[str, str] = {}

    def root(name: str) -> str:
        while groups.setdefault(name, name) != name:
            groups[name] = groups[groups[name]]
            name = groups[name]
        return name

    for place in places:
        marks = _marks(place)
        for mark in marks:
            groups[root(mark)] = root(marks[0])
    return sum(1 for name in groups if root(name) == name)


def level_due(opened_at: float, now: float, every: float) -> int:
    """The level of an alert that nobody has answered yet: 1 at first, one more after each `every` seconds; from
    QUICK_LEVELS on after each day, or what is longer."""
    waited = max(now - opened_at, 0.0)
    quick = (QUICK_LEVELS - 1) * every
    if waited < quick:
        return 1 + int(waited // every)
    return QUICK_LEVELS + int((waited - quick) // max(every, _DAY))


def _marks(place: Place) -> list[str]:
    """What makes a place one with others."""
    marks = sorted({f"domain {name}" for name in (place.domain, place.icann_domain) if name})
    if place.address is not None:
        address = ip_address(place.address)
        network = ip_network((address, 64), strict=False) if isinstance(address, IPv6Address) else address
        marks.append(f"address {network}")
    return marks
