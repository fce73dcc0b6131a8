"""The state of the hash lists in Redis: for workers that are believed, from the recorder, and for nobody else."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from crawler.bus.control import Control, RunControl
from crawler.bus.envelope import public_key, verify_key
from crawler.bus.lists import ListFeed, Published, Unread
from crawler.errors import RecordCorrupt
from crawler.records import RunId

RUN, OTHER = RunId("nightly", 1), RunId("weekly", 1)
SECRET = b"r" * 32
RECORDER = public_key(SECRET)
FIRST, SECOND = b"1" * 32, b"2" * 32
ANY = b"0-0"
SENSITIVE = b"a code of the list"
STATE = Published(7, "ab" * 32, SENSITIVE)


@pytest.fixture
async def feed(client: Redis, control: Control) -> ListFeed:
    for run in (RUN, OTHER):
        await control.announce(RunControl(run, "{}", "00" * 32, RECORDER, started_at=1.0))
    return ListFeed(client, "t")


async def read(feed: ListFeed, seed: bytes, after: bytes = ANY) -> object:
    found = await feed.read(RUN, after, seed, RECORDER)
    return None if found is None else found[1]


async def test_a_state_reaches_those_it_is_for_and_the_marker_names_its_file(feed: ListFeed, control: Control) -> None:
    assert await read(feed, FIRST) is None
    before = Published(6, "cd" * 32, b"older")
    state = Published(7, "ab" * 32, SENSITIVE, before)
    sent = await feed.publish(RUN, state, SECRET, [verify_key(FIRST), b"\x01" + bytes(31)])
    assert sent is not None
    found = await feed.read(RUN, ANY, FIRST, RECORDER)
    assert found is not None
    assert found[1] == state
    assert (await control.require(RUN)).index == state.index
    assert await read(feed, FIRST, found[0]) is None
    assert await read(feed, SECOND) == Unread()
    await feed.admit(RUN, sent, SECRET, [verify_key(SECOND)])
    assert await read(feed, SECOND) == state


async def test_nothing_sensitive_stands_in_the_server(feed: ListFeed, client: Redis) -> None:
    await feed.publish(RUN, STATE, SECRET, [verify_key(FIRST)])
    held = [await client.dump(key) for key in await client.keys("*")]
    assert len(held) >= 4
    assert not any(SENSITIVE in (dump or b"") for dump in held)


async def test_who_is_revoked_reads_no_further_state(feed: ListFeed) -> None:
    await feed.publish(RUN, STATE, SECRET, [verify_key(FIRST), verify_key(SECOND)])
    await feed.publish(RUN, Published(8, STATE.index, b"next"), SECRET, [verify_key(SECOND)])
    assert await read(feed, FIRST) == Unread()
    assert await read(feed, SECOND) == Published(8, STATE.index, b"next")


@pytest.mark.parametrize("field", ["state", "box"])
async def test_what_somebody_else_wrote_is_refused(feed: ListFeed, client: Redis, field: str) -> None:
    await feed.publish(RUN, STATE, SECRET, [verify_key(FIRST)])
    entry = (await client.xrevrange("t:{ctl}:lists:nightly#1", count=1))[0][1][b"state"]
    await feed.publish(RUN, STATE, b"x" * 32, [verify_key(FIRST)])
    if field == "state":  # of the recorder, with boxes of a stranger
        await client.xadd("t:{ctl}:lists:nightly#1", {"state": entry}, maxlen=1, approximate=False)
    with pytest.raises(RecordCorrupt, match="does not come from its recorder"):
        await read(feed, FIRST)


async def test_a_worker_cannot_make_a_state_up_for_others(feed: ListFeed, client: Redis) -> None:
    """It knows the key that opens the state, and not the one that signs it."""
    await feed.publish(RUN, STATE, SECRET, [verify_key(FIRST)])
    ((_, values),) = await client.xrevrange("t:{ctl}:lists:nightly#1", count=1)
    forged = values[b"state"][:64] + values[b"state"][64:-1] + b"!"
    await client.xadd("t:{ctl}:lists:nightly#1", {"state": forged}, maxlen=1, approximate=False)
    with pytest.raises(RecordCorrupt):
        await read(feed, FIRST)


async def test_a_state_holds_for_its_run_only(feed: ListFeed, client: Redis) -> None:
    await feed.publish(OTHER, STATE, SECRET, [verify_key(FIRST)])
    for part in ("", ":keys"):
        await client.copy(f"t:{{ctl}}:lists:weekly#1{part}", f"t:{{ctl}}:lists:nightly#1{part}")
    with pytest.raises(RecordCorrupt):
        await read(feed, FIRST)


async def test_a_run_that_is_over_leaves_nothing(feed: ListFeed, control: Control, client: Redis) -> None:
    await feed.publish(RUN, STATE, SECRET, [verify_key(FIRST)])
    await control.retire(RUN)
    assert await client.keys("*nightly*") == []
    assert await feed.publish(RUN, STATE, SECRET, [verify_key(FIRST)]) is None
    assert await client.keys("*nightly*") == []
