"""What a run begins with, and who may begin one."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from crawler.errors import Refused
from crawler.match.index import IndexInfo
from crawler.records import RunId
from crawler.service.deployment import Deployment
from crawler.service.launch import Launch, alone
from crawler.store import campaigns, indexes, lists
from crawler.store.database import Database
from crawler.store.hits import record
from tests.service.frontiers import CAMPAIGN, Frontier, deployed, in_motion, keep
from tests.store.factories import ANNA, ATTRIBUTION, add_list, digest_entry, report

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


async def test_when_a_list_has_grown_known_pages_go_first(db: Database, deployment: Deployment) -> None:
    def index(name: str, *texts: str) -> str:
        add_list(db, [digest_entry(text) for text in texts])
        chosen = lists.all_lists(db)
        with db.write():
            indexes.note(db, indexes.index_key(chosen), IndexInfo(db.home.index, name * 32, {}, {}), chosen)
        return name * 32

    async def night(index: str) -> tuple[object, ...]:
        deployment.frontier.acts.clear()
        run = await replace(launch(db, deployment), index=index).begin()
        campaigns.finish_run(db, ANNA, run, {})
        return deployment.frontier.acts[-1][2:]

    keep(db)
    first = index("11", "an image")
    record(db, report(page_url="https://b.example/page", image_url="https://b.example/x.jpg"), ATTRIBUTION)
    assert await night(first) == (SEED,)
    assert await night(first) == (SEED,)
    second = index("22", "an image", "another")
    assert await night(second) == ("https://b.example/page", "https://b.example/", SEED)
    assert await night(second) == (SEED,)


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
