"""Who is believed: acts of people on record, and the recorder's answers to workers that ask."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from crawler.bus.control import Control, RunControl
from crawler.bus.envelope import verify_key
from crawler.bus.joining import Joining
from crawler.errors import InvalidInput, NotAuthorised, Refused
from crawler.records import RunId
from crawler.service import enrol
from crawler.service.enrol import Doorkeeper, enrol_worker, list_workers, revoke_worker
from crawler.store import audit, workers
from crawler.store.actors import RECORDER as SERVICE
from crawler.store.actors import Actor, Role
from crawler.store.database import Database

ANNA = Actor("anna", frozenset({Role.ADMIN}), "cli")
SEED, KEY = b"w" * 32, verify_key(b"w" * 32)
RECORDER = b"r" * 32
RUN = RunId("nightly", 1)


@pytest.fixture
def keeper(db: Database, client: Redis) -> Doorkeeper:
    return Doorkeeper(db, Control(client, "t"), Joining(client, "t"), RECORDER, True)


def acts(db: Database) -> list[tuple[str, str]]:
    return [(event["actor"], event["act"]) for event in audit.events(db)]


def test_a_key_is_enrolled_listed_and_revoked(db: Database) -> None:
    row = enrol_worker(db, ANNA, KEY.hex())
    assert row == enrol_worker(db, ANNA, KEY.hex().upper())
    assert (row["key"], row["revoked_at"]) == (KEY.hex(), None)
    assert list_workers(db, ANNA) == [row]
    assert workers.verify_keys(db) == {KEY}
    gone = revoke_worker(db, ANNA, KEY.hex())
    assert gone == revoke_worker(db, ANNA, row["name"])
    assert gone["revoked_at"] is not None
    assert workers.verify_keys(db) == frozenset()
    with pytest.raises(Refused, match="was revoked; remove the file worker"):
        enrol_worker(db, ANNA, KEY.hex())
    assert acts(db) == [("anna", "workers.add"), ("anna", "workers.revoke")]


@pytest.mark.parametrize("key", ["", "abc", "g" * 64, "0" * 63, "0" * 65, "0" * 64 + "\n"])
def test_what_is_no_key(db: Database, key: str) -> None:
    with pytest.raises(InvalidInput, match="64 hexadecimal digits"):
        enrol_worker(db, ANNA, key)


@pytest.mark.parametrize("worker", ["", "box", KEY.hex()])
def test_a_worker_that_nobody_knows_is_not_revoked(db: Database, worker: str) -> None:
    with pytest.raises(InvalidInput, match="no worker has this name or key"):
        revoke_worker(db, ANNA, worker)


@pytest.mark.parametrize("role", [Role.ANALYST, Role.APPROVER, Role.AUDITOR])
def test_who_may_not(db: Database, role: Role) -> None:
    actor = Actor("bert", frozenset({role}), "cli")
    assert list_workers(db, actor) == []
    for act in (enrol_worker, revoke_worker):
        with pytest.raises(NotAuthorised):
            act(db, actor, KEY.hex())
    assert workers.all_keys(db) == []


async def test_who_asks_is_let_in_and_told_to_the_runs_of_this_recorder(keeper: Doorkeeper, db: Database) -> None:
    foreign = RunControl(RunId("foreign", 1), "{}", "ab", b"f" * 32, 1.5)
    await keeper.control.announce(RunControl(RUN, "{}", "ab", RECORDER, 1.5))
    await keeper.control.announce(foreign)
    await keeper.joining.ask(SEED, "box", RECORDER)
    await keeper.step()
    assert await keeper.joining.answer(KEY) == "welcome"
    assert (await keeper.control.require(RUN)).workers == (KEY,)
    assert await keeper.control.require(foreign.run) == foreign
    [row] = list_workers(db, ANNA)
    assert row["name"] == f"box-{KEY.hex()[:8]}"
    # Asking again, or repeating the request, changes nothing.
    await keeper.joining.ask(SEED, "box", RECORDER)
    await keeper.step()
    assert acts(db) == [(SERVICE.name, "workers.add")]
    # A marker that was written anew is brought up to date, and a revoked key leaves it.
    await keeper.control.announce(RunControl(RUN, "{}", "ab", RECORDER, 1.5))
    await keeper.step()
    assert (await keeper.control.require(RUN)).workers == (KEY,)
    revoke_worker(db, ANNA, KEY.hex())
    await keeper.joining.ask(SEED, "box", RECORDER)
    await keeper.step()
    assert (await keeper.control.require(RUN)).workers == ()
    assert await keeper.joining.answer(KEY) == "revoked"


async def test_a_closed_door_opens_for_keys_that_somebody_enrolled(keeper: Doorkeeper, db: Database) -> None:
    keeper.open = False
    await keeper.control.announce(RunControl(RUN, "{}", "ab", RECORDER, 1.5))
    await keeper.joining.ask(SEED, "box", RECORDER)
    await keeper.step()
    assert await keeper.joining.answer(KEY) == "closed"
    assert list_workers(db, ANNA) == []
    enrol_worker(db, ANNA, KEY.hex())
    await keeper.step()
    assert (await keeper.control.require(RUN)).workers == (KEY,)


async def test_so_many_and_no_more(keeper: Doorkeeper, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrol, "MOST_KEYS", 1)
    enrol_worker(db, ANNA, verify_key(b"x" * 32).hex())
    await keeper.joining.ask(SEED, "box", RECORDER)
    await keeper.step()
    assert await keeper.joining.answer(KEY) == "full"


async def test_an_emptied_server_is_reported_once(keeper: Doorkeeper, client: Redis) -> None:
    await keeper.step()
    await client.flushall()
    with capture_logs() as logs:
        for _ in range(3):
            await keeper.step()
    [line] = logs
    assert "was emptied or lost its data" in line["error"]


async def test_what_goes_wrong_is_tried_again(keeper: Doorkeeper, client: Redis) -> None:
    stop = asyncio.Event()
    await client.sadd("t:{ctl}:runs", "rubbish")
    await keeper.joining.ask(SEED, "box", RECORDER)
    running = asyncio.create_task(keeper.run(stop))
    for _ in range(200):
        await asyncio.sleep(0.01)
        if await keeper.joining.answer(KEY) == "welcome":
            break
    await asyncio.sleep(0.1)
    assert await keeper.joining.answer(KEY) == "welcome"
    assert not running.done()
    stop.set()
    await running
