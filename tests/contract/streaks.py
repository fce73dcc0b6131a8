"""Addresses that give streaks, and what a claim gave turn by turn."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from crawler.frontier.base import STREAK, Completion
from crawler.records import Done, Kind, Lease
from tests.contract.conftest import Bench
from tests.contract.steps import claim, fill, pages

WINDOW = 0.25
LASTING = {"lease_seconds": 60.0}
AHEAD = {"lease_seconds": 600.0, "lookahead": 60.0}
"""Slots so far ahead that a test is over before they come."""
SLOW: dict[str, Any] = {"latency": 8.0, "rate": 10.0, "concurrency": 20}
"""An address whose slots are 0.5 s apart within a streak, and 0.125 s after it."""


def by_turn(leases: Iterable[Lease]) -> list[list[Lease]]:
    """Leases of one claim or of several as they were taken: each streak, and each lease by itself."""
    groups = groupby(leases, key=lambda lease: (lease.partition, lease.streak or lease.token))
    turns = [list(turn) for _, turn in groups]
    for turn in turns:
        first, n = turn[0], len(turn)
        assert [lease.streak for lease in turn] == ([0] if n == 1 else [first.token] * n)
        assert [lease.token for lease in turn] == sorted({lease.token for lease in turn})
        assert [lease.not_before for lease in turn] == sorted(lease.not_before for lease in turn)
        assert len({lease.places for lease in turn}) == 1
        assert first.places >= 1
        assert n <= STREAK
    return turns


def sizes(leases: Iterable[Lease]) -> list[int]:
    return [len(turn) for turn in by_turn(leases)]


def images(host: str, numbers: range) -> list[tuple[str, Kind]]:
    return [(f"http://{host}/{n}.png", Kind.IMAGE) for n in numbers]


async def answered(bench: Bench, latency: float | None, host: str = "first.example", **judgement: Any) -> None:
    """An address that answered once, for a URL of its own, and whose next slot is now."""
    await fill(bench.frontier, [(f"http://{host}/", Kind.PAGE)], **judgement)
    [lease] = await claim(bench.frontier)
    await bench.frontier.complete([Completion(lease, Done(), latency=latency)])
    await bench.sleep(1.3 * 1.25 / judgement.get("rate", 1000.0))


async def streak_of(bench: Bench, n: int = STREAK) -> list[Lease]:
    """The first turn at an address with enough pages and SLOW answers."""
    await answered(bench, **SLOW)
    limits = {name: SLOW[name] for name in ("rate", "concurrency")}
    await fill(bench.frontier, pages("a.example", range(STREAK + 4)), **limits)
    leases = list((await bench.frontier.claim(n, 0)).leases)
    assert sizes(leases) == [n]
    return leases


def slot(lease: Lease) -> tuple[float, float]:
    """Between which a slot lies: reading the server's clock takes time."""
    return lease.send_by - WINDOW, lease.not_before


def apart(first: Lease, second: Lease, seconds: float, exact: float) -> bool:
    """Whether the slots of two claims may be so many seconds apart."""
    (first_from, first_to), (second_from, second_to) = slot(first), slot(second)
    return second_from - first_to - exact <= seconds <= second_to - first_from + exact
