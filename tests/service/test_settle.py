"""Runs that nobody waits for are closed when all of them has ended, and not before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from crawler.bus.control import RunState
from crawler.errors import FrontierLost, RecordCorrupt
from crawler.frontier.figures import DeadLetter, RunCounts
from crawler.records import Kind
from crawler.service import settle as module
from crawler.service.deployment import Deployment
from crawler.service.launch import alone
from crawler.service.settle import keep_settled, settle, settle_alone
from crawler.store import audit, campaigns
from crawler.store.database import Database
from tests.service.frontiers import Frontier, deployed, in_motion

ENDED = RunCounts(discovered=3, fetched=2, failed={"http-404": 1}, tally={"images": 1})


@pytest.fixture
def frontier(monkeypatch: pytest.MonkeyPatch) -> Frontier:
    monkeypatch.setattr(module, "_LOOKS", 0.01)
    return Frontier([ENDED])


@pytest.fixture
async def deployment(server: str, frontier: Frontier) -> AsyncIterator[Deployment]:
    async with deployed(server, frontier) as made:
        yield made


async def test_a_run_that_has_ended_is_closed(db: Database, deployment: Deployment, frontier: Frontier) -> None:
    frontier.letters = [DeadLetter(f"https://gallery.example/{n}.jpg", Kind.IMAGE, "http-404") for n in range(2)]
    run = await in_motion(db, deployment)
    assert await settle(db, deployment, "nightly")
    (closed,) = campaigns.runs(db, "nightly")
    assert closed.finished_at is not None
    assert closed.summary is not None
    assert closed.summary["urls"] == {
        "discovered": 3,
        "fetched": 2,
        "failed": {"http-404": 1},
        "skipped": {},
        "pending": 0,
    }
    assert closed.summary["images"] == 1
    assert [letter["reason"] for letter in closed.summary["dead_letters"]] == ["http-404"] * 2
    assert "gallery" not in str(closed.summary)
    assert await deployment.control.find(run) is None
    assert frontier.acts == [("forget", run)]
    (event,) = [event for event in audit.events(db) if event["act"] == "runs.finish"]
    assert (event["actor"], event["object"]) == ("settler", str(run))
    assert not await settle(db, deployment, "nightly")


@pytest.mark.parametrize("settled", [settle, settle_alone])
@pytest.mark.parametrize(
    "looks",
    [
        [replace(ENDED, waiting={"queued": 1})],
        [ENDED, ENDED, replace(ENDED, waiting={"disc": 1})],
        [ENDED, ENDED, replace(ENDED, discovered=4, fetched=3)],
    ],
)
async def test_a_run_that_goes_on_is_left_alone(
    db: Database, deployment: Deployment, frontier: Frontier, looks: list[RunCounts], settled: object
) -> None:
    frontier.looks = looks[:] if settled is settle else looks[-2:]
    await in_motion(db, deployment)
    assert not await settled(db, deployment, "nightly")
    assert campaigns.unfinished_run(db, "nightly") is not None
    assert frontier.acts == []


async def test_a_run_without_all_of_its_seeds_has_not_ended(db: Database, deployment: Deployment) -> None:
    await in_motion(db, deployment, seeded=False)
    assert not await settle(db, deployment, "nightly")


@pytest.mark.parametrize(("state", "closed"), [(RunState.PAUSED, True), (RunState.STOPPED, False)])
async def test_a_stopped_run_is_somebodys_to_resume(
    db: Database, deployment: Deployment, state: RunState, closed: bool
) -> None:
    await deployment.control.set_state(await in_motion(db, deployment), state)
    assert await settle(db, deployment, "nightly") is closed


async def test_a_run_that_redis_does_not_know_is_left_alone(db: Database, deployment: Deployment) -> None:
    await deployment.control.retire(await in_motion(db, deployment))
    assert not await settle(db, deployment, "nightly")


async def test_a_crawl_closes_its_own_run(db: Database, deployment: Deployment) -> None:
    await in_motion(db, deployment)
    with alone(db.home, "nightly"):
        assert not await settle(db, deployment, "nightly")
        assert await settle_alone(db, deployment, "nightly")


async def test_urls_without_an_outcome_are_not_passed_over(
    db: Database, deployment: Deployment, frontier: Frontier
) -> None:
    frontier.looks = [replace(ENDED, discovered=5)]
    await in_motion(db, deployment)
    with pytest.raises(FrontierLost, match="2 URLs without an outcome"):
        await settle(db, deployment, "nightly")
    (closed,) = campaigns.runs(db, "nightly")
    assert closed.summary is not None
    assert (closed.summary["lost"], closed.summary["urls"]["pending"]) == (True, 2)


async def test_the_recorder_closes_runs_as_they_end(
    db: Database, deployment: Deployment, frontier: Frontier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_EVERY", 0.01)
    active = deployment.control.active
    failures = [RecordCorrupt("a marker is damaged")]

    async def sometimes() -> object:
        if failures:
            raise failures.pop()
        return await active()

    monkeypatch.setattr(deployment.control, "active", sometimes)
    stop = asyncio.Event()
    watch = asyncio.create_task(keep_settled(db, deployment, stop))
    await in_motion(db, deployment)
    async with asyncio.timeout(10):
        await frontier.forgotten.wait()
        stop.set()
        await watch
    assert failures == []
    assert campaigns.unfinished_run(db, "nightly") is None
