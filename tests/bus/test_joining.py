"""Workers ask to be known: bounded, in their own name only, and answered by whom they ask."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from crawler.bus import joining as module
from crawler.bus import membership
from crawler.bus.control import Control, RunControl
from crawler.bus.envelope import verify_key
from crawler.bus.joining import LIFE, MOST, Joining, JoinRequest, host_name, pack_request, read_request
from crawler.bus.membership import Membership
from crawler.errors import FrontierLost, NotAuthorised
from crawler.records import Rejected, RunId

SEED, KEY = b"w" * 32, verify_key(b"w" * 32)
RECORDER, OTHER = b"r" * 32, b"o" * 32
RUN = RunId("nightly", 1)
HASH = "t:{ctl}:joining"


@given(st.text(max_size=90))
def test_any_host_has_a_name_that_a_request_may_have(text: str) -> None:
    name = host_name(text)
    found = read_request(KEY, pack_request(SEED, name, RECORDER, 1000), RECORDER, 1000)
    assert found == JoinRequest(KEY, name, 1000)


@given(st.integers(0, 2**40), st.integers(-LIFE, LIFE))
def test_a_request_holds_for_two_minutes(at: int, later: int) -> None:
    packed = pack_request(SEED, "box", RECORDER, at)
    assert read_request(KEY, packed, RECORDER, at + later) == JoinRequest(KEY, "box", at)
    assert read_request(KEY, packed, RECORDER, at + LIFE + 1) == Rejected("old")


@pytest.mark.parametrize("name", ["", "a b", "a\n", "é", "-a", "a" * 64, "a/b", "\x1b[2J"])
def test_a_name_that_could_mislead_is_refused(name: str) -> None:
    found = read_request(KEY, pack_request(SEED, name, RECORDER, 1000), RECORDER, 1000)
    assert isinstance(found, Rejected)


def test_only_who_has_a_key_asks_for_it() -> None:
    packed = pack_request(SEED, "box", RECORDER, 1000)
    assert isinstance(read_request(verify_key(b"x" * 32), packed, RECORDER, 1000), Rejected)
    assert isinstance(read_request(KEY, packed, OTHER, 1000), Rejected)
    assert isinstance(read_request(KEY[:31], packed, RECORDER, 1000), Rejected)
    name, at, signature = msgpack.unpackb(packed)
    for changed in (["fox", at, signature], [name, at + 1, signature], [name, at, b""], [name, -1, signature]):
        assert isinstance(read_request(KEY, msgpack.packb(changed), RECORDER, 1000), Rejected)


@given(st.binary(max_size=700))
def test_rubbish_is_no_request(packed: bytes) -> None:
    assert isinstance(read_request(KEY, packed, RECORDER, 1000), Rejected)


async def test_a_request_is_seen_by_whom_it_asks_until_it_is_answered(joining: Joining) -> None:
    assert await joining.ask(SEED, "box", RECORDER)
    assert await joining.ask(SEED, "box", RECORDER)
    [request] = await joining.requests(RECORDER)
    assert (request.verify_key, request.name) == (KEY, "box")
    assert abs(request.at - time.time()) < 5
    assert await joining.requests(OTHER) == []
    assert await joining.answer(KEY) is None
    await joining.settle(KEY, "closed")
    assert await joining.answer(KEY) == "closed"
    assert await joining.requests(RECORDER) == []


async def test_there_is_room_for_so_many_and_no_more(joining: Joining, client: Redis) -> None:
    for n in range(MOST):
        assert await joining.ask(n.to_bytes(32, "big"), "box", RECORDER)
    assert not await joining.ask(SEED, "box", RECORDER)
    assert await joining.ask((0).to_bytes(32, "big"), "box", RECORDER)  # it has its place
    assert len(await joining.requests(RECORDER)) == MOST
    # What is old makes room; and when nobody asks any more, nothing is left.
    old = int(time.time()) - LIFE - 1
    await client.hset(HASH, verify_key((1).to_bytes(32, "big")), b"%d:?" % old)
    assert await joining.requests(RECORDER)
    assert await joining.ask(SEED, "box", RECORDER)
    assert 0 < await client.ttl(HASH) <= LIFE


async def test_what_stands_there_and_is_no_request_is_harmless(joining: Joining, client: Redis) -> None:
    now = int(time.time())
    rubbish = [b"", b"x", b"%d:" % now, b"%d:?" % now, b"%d:?" % now + b"\xc1" * 5000, b"99999999999999999999:?"]
    for n, value in enumerate(rubbish):
        await client.hset(HASH, b"f%d" % n, value)
    assert await joining.ask(SEED, "box", RECORDER)
    assert [request.verify_key for request in await joining.requests(RECORDER)] == [KEY]


def marker(*workers: bytes) -> RunControl:
    return RunControl(RUN, "{}", "ab", RECORDER, 1.5, workers=workers)


async def asked(joining: Joining) -> None:
    """Wait for a request."""
    for _ in range(2000):
        if await joining.requests(RECORDER):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody asks")


@pytest.fixture
def member(control: Control, joining: Joining) -> Membership:
    return Membership(control, joining, SEED, "box")


async def test_a_known_worker_does_not_ask(member: Membership, client: Redis) -> None:
    await member.join(marker(KEY))
    assert await client.keys("*") == []


async def test_a_worker_waits_until_it_is_let_in(member: Membership, control: Control, joining: Joining) -> None:
    await control.announce(marker())
    waiting = asyncio.create_task(member.join(marker()))
    await asked(joining)
    for answer in ("closed", "welcome"):
        await joining.settle(KEY, answer)
        await asyncio.sleep(0.3)
        assert not waiting.done()
    await control.set_workers(RUN, [KEY])
    await waiting


async def test_a_run_that_ends_meanwhile_is_no_reason_to_fail(member: Membership, control: Control) -> None:
    await asyncio.wait_for(member.join(marker()), 10)
    assert await control.active() == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "nobody let this worker into run nightly#1; start its `vangnet recorder`, or run `vangnet worker --enr"),
        ("closed", "takes no worker that only asks; run `vangnet worker --enrol [0-9a-f]{64}` in the home that starte"),
        ("full", "too many workers that are known or ask; run `vangnet worker --enrol "),
        ("revoked", "this worker's key was revoked, so its results are refused; to join as a new worker, remove"),
    ],
)
async def test_a_worker_that_is_not_let_in_says_what_to_do(
    member: Membership,
    control: Control,
    joining: Joining,
    monkeypatch: pytest.MonkeyPatch,
    answer: str | None,
    said: str,
) -> None:
    monkeypatch.setattr(membership, "PATIENCE", 0.6)
    await control.announce(marker())
    waiting = asyncio.create_task(member.join(marker()))
    await asked(joining)
    if answer is not None:
        await joining.settle(KEY, answer)
    with pytest.raises(NotAuthorised, match=said):
        await waiting


async def test_no_room_to_ask_is_an_answer_too(
    member: Membership, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(membership, "PATIENCE", 0.3)
    monkeypatch.setattr(module, "MOST", 0)
    await control.announce(marker())
    with pytest.raises(NotAuthorised, match="too many workers"):
        await member.join(marker())


async def test_a_worker_stays_while_it_is_known_where_it_serves(
    member: Membership, control: Control, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(membership, "_GRACE", 0.2)
    data = await control.number_key()
    await control.announce(marker(KEY))
    await member.check(data, lambda run: run == RUN)
    await control.set_workers(RUN, [])
    await member.check(data, lambda run: False)
    # A marker that is written anew knows the key again a moment later.
    for known, _ in pairwise([[], [KEY], [], []]):
        await control.set_workers(RUN, known)
        await member.check(data, lambda run: True)
    await asyncio.sleep(0.3)
    with pytest.raises(NotAuthorised, match="was revoked"):
        await member.check(data, lambda run: True)
    await client.flushall()
    with pytest.raises(FrontierLost, match="was emptied"):
        await member.check(data, lambda run: True)
