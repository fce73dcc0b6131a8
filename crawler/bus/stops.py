"""Emergency stops: what may not be asked for any more, whichever campaign wants it, until somebody lifts the stop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address, ip_network

from crawler.errors import RecordCorrupt
from crawler.ranges import PrefixSet, unwrapped
from crawler.urls import parts


class StopKind(StrEnum):
    ALL = "all"
    HOST = "host"
    PREFIX = "prefix"


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop.

    target: a host name as canonical URLs have it, meant with every name below it; a prefix such as "192.0.2.0/24";
    empty for all.  since: epoch seconds, of when it was set first.
    """

    kind: StopKind
    target: str = field(default="", repr=False)
    since: float = 0.0

    @property
    def name(self) -> str:
        """What it is stored under: equal for equal stops."""
        return f"{self.kind}:{self.target}"


def read_stop(name: bytes, since: bytes) -> Stop:
    """The stop that stands in Redis. Raises RecordCorrupt: a stop that cannot be read must not be passed over."""
    try:
        kind, _, target = name.decode().partition(":")
        stop = Stop(StopKind(kind), target, float(since))
        if stop.kind is StopKind.PREFIX:
            ip_network(target)
    except ValueError as error:
        raise RecordCorrupt(
            "an emergency stop in Redis cannot be read, so nothing is asked for; use the version that set it"
        ) from error
    return stop


class Stops:
    """The stops in force, in a form that is quick to ask for every request."""

    def __init__(self, stops: Iterable[Stop] = ()) -> None:
        found = sorted(stops, key=lambda stop: (stop.kind, stop.target))
        self._stops = tuple(found)
        self._hosts = frozenset(stop.target for stop in found if stop.kind is StopKind.HOST)
        networks = [ip_network(stop.target) for stop in found if stop.kind is StopKind.PREFIX]
        self._prefixes = PrefixSet(networks) if networks else None
        self.all = any(stop.kind is StopKind.ALL for stop in found)

    def __iter__(self) -> Iterator[Stop]:
        return iter(self._stops)

    def __len__(self) -> int:
        return len(self._stops)

    def forbids(self, url: str, address: str) -> StopKind | None:
        """What forbids a request for a canonical URL at an IP address; None when nothing does.

        An address that embeds IPv4 is looked up in both forms.
        """
        if self.all:
            return StopKind.ALL
        if self._prefixes is not None:
            given = ip_address(address)
            if self._prefixes.around(given) or self._prefixes.around(unwrapped(given)):
                return StopKind.PREFIX
        return StopKind.HOST if self._hosts and self._names(parts(url).host) else None

    def _names(self, host: str) -> bool:
        name = host
        while name:
            if name in self._hosts:
                return True
            name = name.partition(".")[2]
        return False
