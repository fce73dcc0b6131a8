"""Running processes take new tables, and keep theirs when the new ones are bad."""

from __future__ import annotations

import asyncio
import datetime
from pathlib import Path

import pytest

from crawler.attribute.live import LiveBook
from crawler.attribute.load import Incoming, Stated, load_files
from crawler.home import Home, open_home
from crawler.scope import CachedScope
from tests.attribute.excerpts import DELEGATED
from tests.test_scope import campaign

TABLE = "#vangnet-addresses 1\n#source own\n#date 2026-06-17\n#licence x\n45.9.0.0/24 | {}\n"
NOW = datetime.datetime(2026, 6, 20, tzinfo=datetime.UTC)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = open_home(tmp_path / "home", lab=True)
    (made.root / "tables").mkdir()
    return made


def publish(home: Home, country: str, number: int) -> None:
    path = home.root / f"data{number}"
    path.write_text(DELEGATED.replace("|NL|", f"|{country}|"))
    load_files(home.root / "tables", [Incoming(path, "data")], Stated(), now=NOW)


async def test_a_verdict_follows_what_is_loaded(home: Home) -> None:
    publish(home, "BE", 1)
    live = LiveBook(home)
    scope = CachedScope(campaign('countries = ["NL"]'), live)
    live.follow(scope)
    assert not scope.judge("45.9.0.1").in_scope
    assert not await live.refresh(), "nothing is new"
    publish(home, "NL", 2)
    assert not scope.judge("45.9.0.1").in_scope
    assert await live.refresh()
    assert scope.judge("45.9.0.1").in_scope
    assert live.attributor.lookup("45.9.0.1").country == "NL"


async def test_watching_takes_a_written_table_and_outlives_a_bad_one(home: Home) -> None:
    own = home.root / "tables" / "own.tbl"
    own.write_text(TABLE.format("BE"))
    live = LiveBook(home)
    watch = asyncio.create_task(live.watch(every=0.01))
    try:
        own.write_text("nonsense")
        await asyncio.sleep(0.1)
        assert live.lookup("45.9.0.1").country == "BE", "a bad table changes nothing"
        own.write_text(TABLE.format("NL"))
        for _ in range(1_000):
            if live.lookup("45.9.0.1").country == "NL":
                break
            await asyncio.sleep(0.01)
        assert live.lookup("45.9.0.1").country == "NL"
    finally:
        watch.cancel()


async def test_the_hosters_of_a_home_are_watched_too(home: Home) -> None:
    own = home.root / "tables" / "own.tbl"
    own.write_text(TABLE.format("BE | 64496"))
    live = LiveBook(home)
    scope = CachedScope(campaign('countries = ["NL"]'), live)
    live.follow(scope)
    assert scope.judge("45.9.0.1").reason == "not-admitted"
    header = "#vangnet-hosters 1\n#source test\n#date 2026-06-17\n#licence x\n"
    (home.root / "tables" / "hosters.txt").write_text(header + "64496 | NL | Polder | Poldertje\n")
    assert await live.refresh()
    verdict = scope.judge("45.9.0.1")
    assert (verdict.in_scope, verdict.reason) == (True, "hoster")
    assert verdict.evidence[0].fact == "scope.countries has NL, whose hoster Polder announces the address"
    assert verdict.evidence[-1].fact == "hoster Polder (NL, also Poldertje)"
