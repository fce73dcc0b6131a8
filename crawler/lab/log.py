"""What the lab's servers saw: every request in memory, connections where nobody may go, and politeness figures."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from crawler.lab.world import excluded, in_scope


class Entry(NamedTuple):
    """One request. at: monotonic seconds of the serving process, when the head was read.  status: 0 for a fault.
    agent: the User-Agent that asked."""

    at: float
    address: str
    host: str
    target: str
    status: int
    agent: str = ""


@dataclass
class RequestLog:
    """entries: in the order in which the answers began.  trespass: what happened out of scope -> how often."""

    entries: list[Entry] = field(default_factory=list)
    trespass: Counter[str] = field(default_factory=Counter)
    questions: Counter[str] = field(default_factory=Counter)
    _open: Counter[str] = field(default_factory=Counter)
    _most: Counter[str] = field(default_factory=Counter)
    _asked: Counter[tuple[str, str]] = field(default_factory=Counter)

    def accepted(self, address: str) -> None:
        """A connection was accepted by the server at `address`."""
        if not in_scope(address):
            self.trespass[f"connection to {address}"] += 1

    def attempted(self, address: str, port: int) -> None:
        """A connection to an address that nobody serves was seen under way."""
        self.trespass[f"attempt to connect to {address}:{port}"] += 1

    def asked(self, name: str) -> None:
        """A DNS question."""
        self.questions[name] += 1

    def begin(self, address: str, host: str, target: str) -> tuple[float, int]:
        """A request was read: (now, its number among those for this URL, from 1)."""
        self._open[address] += 1
        self._most[address] = max(self._most[address], self._open[address])
        self._asked[host, target] += 1
        if excluded(host):
            self.trespass[f"request to {host}"] += 1
        return time.monotonic(), self._asked[host, target]

    def end(self, entry: Entry) -> None:
        """The answer is out, or the connection broken."""
        self._open[entry.address] -= 1
        self.entries.append(entry)

    def clear(self) -> None:
        """Forget everything, so that the next crawl meets the same lab."""
        for part in (self.entries, self.trespass, self.questions, self._most, self._asked):
            part.clear()

    def figures(self) -> dict[str, dict[str, float]]:
        """Address -> {"requests", "concurrent": most at once, "per_second": most in any second}."""
        times = self.times()
        return {
            address: {
                "requests": len(at),
                "concurrent": self._most[address],
                "per_second": busiest(at, 1.0),
            }
            for address, at in sorted(times.items())
        }

    def times(self) -> dict[str, list[float]]:
        """Address -> when its requests came, ascending."""
        times: dict[str, list[float]] = defaultdict(list)
        for entry in self.entries:
            times[entry.address].append(entry.at)
        return {address: sorted(at) for address, at in times.items()}


def busiest(times: Sequence[float], window: float) -> int:
    """Most requests in any closed window of so many seconds. times: ascending."""
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] > window:
            first += 1
        most = max(most, last - first + 1)
    return most


def excess(times: Sequence[float], rate: float) -> float:
    """By how many requests the worst window of w >= 1 s exceeds `rate * w + 1`; negative or 0: polite throughout.

    times: ascending seconds.  rate: requests per second.
    """
    worst = busiest(times, 1.0) - rate - 1
    # For windows from request i to request j, longer than a second: (j - i + 1) - rate * (t_j - t_i) - 1.
    best_start, first = float("-inf"), 0
    for last, at in enumerate(times):
        while first < last and at - times[first] >= 1.0:
            best_start = max(best_start, rate * times[first] - first)
            first += 1
        worst = max(worst, last - rate * at + best_start)
    return worst


def worst_excess(all_times: Iterable[Sequence[float]], rate: float) -> float:
    """The worst `excess` of several addresses; negative infinity when there is none."""
    return max((excess(times, rate) for times in all_times), default=float("-inf"))
