"""What a run begins with, and who may begin one."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator

import pytest

from crawler.errors import Refused
from crawler.records import RunId
from crawler.service.deployment import Deployment
from crawler.service.launch import Launch, alone
from crawler.store.database import Database
from tests.service.frontiers import CAMPAIGN, Frontier, deployed, in_motion, keep
from tests.store.factories import ANNA

SEED = "https://gallery.example/secret-album/"


@pytest.fixture
async def deployment(server: str) -> AsyncIterator[Deployment]:
    async with deployed(server, Frontier()) as made:
        yield made


def launch(db: Database, deployment: Deployment) -> Launch:
    return Launch(db.home, db, ANNA, CAMPAIGN, "ab" * 32, deployment)


async def test_a_run_begins_with_what_earlier_ones_left_out(db: Database, deployment: Deployment) -> None:
    keep(db)
    run = await launch(db, deployment).begin()
    assert run == RunId("nightly", 1)
    assert deployment.frontier.acts == [("carry_over", run, 40), ("offer", run, SEED)]
    marker = await deployment.control.find(run)
    assert marker is not None
    assert marker.seeded


async def test_a_run_whose_seeding_was_cut_off_is_filled_again(db: Database, deployment: Deployment) -> None:
    run = await in_motion(db, deployment, seeded=False)
    assert await launch(db, deployment).begin() == run
    assert deployment.frontier.acts == [
        ("limit", run, 4.0),
        ("hold", run, False),
        ("carry_over", run, 40),
        ("offer", run, SEED),
    ]


async def test_a_resumed_run_has_its_share_already(db: Database, deployment: Deployment) -> None:
    run = await in_motion(db, deployment)
    assert await launch(db, deployment).begin() == run
    assert deployment.frontier.acts == [("limit", run, 4.0), ("hold", run, False)]


def test_the_lock_is_waited_for_a_moment(db: Database) -> None:
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with alone(db.home, "nightly"):
            held.set()
            let_go.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    with alone(db.home, "another"):
        pass
    with pytest.raises(Refused, match="being crawled from this home"), alone(db.home, "nightly", patience=0.1):
        raise AssertionError("two of them")
    threading.Timer(0.1, let_go.set).start()
    before = time.monotonic()
    with alone(db.home, "nightly", patience=10):
        assert time.monotonic() - before < 9
    holder.join()
