"""The cursor of a sweep: one feeder at a time, moved once, taken over, begun again for another sweep."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from crawler.bus import sweeps
from crawler.bus.control import Control, RunControl, sweep_key
from crawler.bus.sweeps import SweepBook, Turn
from crawler.records import RunId

RUN = RunId("c", 1)


@pytest.fixture
async def marked(client: Redis, control: Control) -> Redis:
    await control.announce(RunControl(RUN, "{}", "ab", b"r" * 32, 1.0, seeded=True, swept=False))
    return client


async def test_one_feeds_and_the_cursor_moves_once(marked: Redis, control: Control) -> None:
    one, other = SweepBook(marked, "t", "one"), SweepBook(marked, "t", "other")
    assert await one.turn(RUN, "digest", 100) == Turn(0, 0.0)
    assert await other.turn(RUN, "digest", 100) is None
    assert await one.advance(RUN, 0, 40, 5.0, last=False)
    # A second delivery of the same step, by whoever was slow.
    assert not await other.advance(RUN, 0, 40, 5.0, last=False)
    turn = await one.turn(RUN, "digest", 100)
    assert turn is not None
    assert turn.cursor == 40
    assert 4.0 < turn.wait <= 5.0
    assert not (await control.require(RUN)).filled


async def test_whoever_comes_takes_over_from_a_dead_feeder(marked: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "_HOLD_MS", 1)
    one, other = SweepBook(marked, "t", "one"), SweepBook(marked, "t", "other")
    await one.turn(RUN, "digest", 100)
    await one.advance(RUN, 0, 7, 0.0, last=False)
    await marked.hset(sweep_key("t", RUN), "until", 1)
    turn = await other.turn(RUN, "digest", 100)
    assert turn is not None
    assert turn.cursor == 7


async def test_the_end_is_said_by_the_marker_and_another_sweep_begins_anew(marked: Redis, control: Control) -> None:
    book = SweepBook(marked, "t", "one")
    await book.turn(RUN, "digest", 10)
    assert await book.advance(RUN, 0, 10, 0.0, last=True)
    assert (await control.require(RUN)).filled
    assert await book.turn(RUN, "another", 10) == Turn(0, 0.0)


async def test_nothing_is_left_of_a_run_that_is_over(marked: Redis, control: Control) -> None:
    book = SweepBook(marked, "t", "one")
    await book.turn(RUN, "digest", 10)
    await control.retire(RUN)
    assert await marked.exists(sweep_key("t", RUN)) == 0
    assert await book.turn(RUN, "digest", 10) is None
    assert await marked.exists(sweep_key("t", RUN)) == 0
