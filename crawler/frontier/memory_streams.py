"""The streams of the in-memory frontier. See `memory.py`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import count

from crawler.frontier.base import StreamEntry
from crawler.records import RunId


@dataclass(frozen=True, slots=True)
class Later:
    """What is appended at `at`, a reading of the frontier's clock."""

    at: float
    run: RunId
    payload: bytes


class Stream:
    """Entries until they are acknowledged; each is handed out once, and again `abandoned` seconds later."""

    def __init__(self, abandoned: float) -> None:
        self._abandoned = abandoned
        self._numbers = count(1)
        self._entries: dict[str, StreamEntry] = {}
        self._handed_out: dict[str, float] = {}
        self._later: list[Later] = []

    def __len__(self) -> int:
        """Entries that nobody has acknowledged, without those that are yet to come."""
        return len(self._entries)

    def count(self, run: RunId) -> int:
        return sum(entry.run == run for entry in self._entries.values())

    def count_later(self, run: RunId) -> int:
        return sum(later.run == run for later in self._later)

    def append(self, run: RunId, payload: bytes) -> None:
        number = str(next(self._numbers))
        self._entries[number] = StreamEntry(0, number, run, payload)

    def append_later(self, run: RunId, payload: bytes, at: float) -> None:
        self._later.append(Later(at, run, payload))

    def read(self, n: int, now: float) -> list[StreamEntry]:
        """At most n entries, oldest first."""
        for later in sorted((later for later in self._later if later.at <= now), key=lambda later: later.at):
            self._later.remove(later)
            self.append(later.run, later.payload)
        latest = now - self._abandoned
        free = [e for number, e in self._entries.items() if self._handed_out.get(number, -math.inf) <= latest][:n]
        self._handed_out |= {entry.number: now for entry in free}
        return free

    def acknowledge(self, entry: StreamEntry) -> bool:
        """False when it was acknowledged before."""
        self._handed_out.pop(entry.number, None)
        return self._entries.pop(entry.number, None) is not None

    def forget(self, run: RunId) -> None:
        """Let go of what would come later."""
        self._later = [later for later in self._later if later.run != run]
