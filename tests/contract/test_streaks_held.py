"""Manners hold at the server, however many workers take streaks and whatever becomes of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.frontier.base import Limits
from tests.contract.holders import Temper, World

often = st.sampled_from([0.0, 0.0, 0.1, 0.5])
tempers = st.builds(
    Temper,
    service=st.sampled_from([0.001, 0.005, 0.02, 0.05, 0.3]),
    lazy=st.sampled_from([0.02, 0.1, 0.5]),
    hangs=often,
    unsent=often,
    late=often,
    dies=st.sampled_from([0.0, 0.0, 0.02]),
    blocks=st.sampled_from([0.0, 0.0, 0.05]),
    visits=st.sampled_from([0.0, 0.0, 0.0, 0.2]),
)


def test_rate_and_places_hold_at_the_server() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=200, deadline=None, derandomize=True, database=None)
    @given(
        seed=st.integers(0, 2**32),
        rate=st.sampled_from([5.0, 30.0, 120.0]),
        concurrency=st.integers(1, 6),
        temper=tempers,
        holders=st.integers(1, 4),
    )
    def holds(seed: int, rate: float, concurrency: int, temper: Temper, holders: int) -> None:
        world = World(Random(seed), Limits(rate, concurrency), temper, holders)
        asyncio.run(world.live(60, 3.0))
        assert world.most <= concurrency
        assert world.excess() <= 1e-6
        seen.update(world.seen)

    holds()
    # That all of it happened, and often enough to be seen.
    assert seen["streaks"] > 200, seen
    assert min(seen[name] for name in ("streaks", "unsent", "again", "visits", "died", "reaped", "blocks")) > 10, seen
