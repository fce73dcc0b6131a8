"""How a campaign stands: coverage over nights, the frontier at a glance, and who may see names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from crawler.errors import InvalidInput
from crawler.frontier.figures import Coverage, DeadLetter, FrontierState, RunCounts
from crawler.options import Options
from crawler.records import Kind
from crawler.service import settle, steer
from crawler.service.deployment import Deployment, Server
from crawler.service.steer import campaign_status
from crawler.store import audit
from crawler.store.database import Database
from tests.service.frontiers import Frontier, deployed, in_motion, keep
from tests.store.factories import ANNA, store_at

NAME = "img.gallery.example"
SERVER = Server(Options(), "")


@pytest.fixture
def frontier(server: str, monkeypatch: pytest.MonkeyPatch) -> Frontier:
    monkeypatch.setattr(settle, "_LOOKS", 0.01)
    made = Frontier(
        [RunCounts(discovered=2, fetched=1, failed={"http-404": 1})],
        [DeadLetter(f"https://{NAME}/1.jpg", Kind.IMAGE, "http-404"), DeadLetter(None, None, "corrupt-record")],
        [Coverage(NAME, 30, 90), Coverage("192.0.2.7", 50, 0), Coverage("2001:db8::7", 1, 2)],
    )

    @asynccontextmanager
    async def joined(_: Server) -> AsyncIterator[Deployment]:
        async with deployed(server, made, fresh=False) as deployment:
            yield deployment

    monkeypatch.setattr(steer, "joined", joined)
    return made


@pytest.fixture
def production(tmp_path: Path) -> Iterator[Database]:
    with store_at(tmp_path / "production", lab=False) as opened:
        yield opened


def status(db: Database, **more: object) -> dict[str, Any]:
    return campaign_status(db, ANNA, SERVER, "nightly", **more)


def begin(server: str, db: Database) -> None:
    async def act() -> None:
        async with deployed(server, Frontier()) as deployment:
            await in_motion(db, deployment)

    asyncio.run(act())


def test_coverage_and_frontier_stand_there_before_any_run(db: Database, frontier: Frontier) -> None:
    keep(db)
    found = status(db)
    assert found["coverage"] == [
        {"host": NAME, "covered": 30, "waiting": 90, "share": 0.25},
        {"host": "192.0.2.7", "covered": 50, "waiting": 0, "share": 1.0},
        {"host": "2001:db8::7", "covered": 1, "waiting": 2, "share": 0.3333},
    ]
    assert list(found["frontier"]) == [each.name for each in fields(FrontierState)]
    assert (found["frontier"]["addresses"], found["frontier"]["slowed"]) == (7, 1)


def test_names_are_masked_outside_of_the_lab(server: str, production: Database, frontier: Frontier) -> None:
    begin(server, production)
    frontier.looks = [RunCounts(discovered=1, waiting={"queued": 1})]
    found = status(production)
    assert found["state"] == "running"
    assert "gallery" not in str(found)
    assert "2001:db8" not in str(found)
    shown = [each["host"] for each in found["coverage"]]
    assert shown[0].startswith("i….g….example [")
    assert shown[1].startswith("192.… [")
    assert [letter["url"] is None for letter in found["dead_letters"]] == [True, False]
    again = [each["host"] for each in status(production)["coverage"]]
    assert again == shown


def test_a_reason_reveals_them_and_is_on_record(server: str, production: Database, frontier: Frontier) -> None:
    begin(server, production)
    frontier.looks = [RunCounts(discovered=1, waiting={"queued": 1})]
    found = status(production, reveal_reason="to tell the hoster")
    assert found["coverage"][0]["host"] == NAME
    assert found["dead_letters"][1]["url"] == f"https://{NAME}/1.jpg"
    assert [event["act"] for event in audit.events(production)][-1] == "campaigns.reveal"
    with pytest.raises(InvalidInput):
        status(production, reveal_reason=" ")


def test_a_run_that_has_ended_is_shown_as_finished(server: str, db: Database, frontier: Frontier) -> None:
    begin(server, db)
    found = status(db, letters=1)
    assert (found["state"], found["urls"]["fetched"], found["waiting"]) == ("finished", 1, None)
    assert found["finished_at"] is not None
    assert found["dead_letters"] == [{"url": None, "kind": None, "reason": "corrupt-record"}]
    assert [letter["reason"] for letter in status(db)["dead_letters"]] == ["corrupt-record", "http-404"]


def test_a_run_that_lost_urls_is_shown_as_lost(server: str, db: Database, frontier: Frontier) -> None:
    begin(server, db)
    frontier.looks = [RunCounts(discovered=3, fetched=1)]
    found = status(db)
    assert (found["state"], found["urls"]["pending"]) == ("lost", 2)
