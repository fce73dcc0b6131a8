"""What people do to the lists is told to the workers of every run, as one whole state, by one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from crawler.bus.control import RunState
from crawler.bus.envelope import public_key, verify_key
from crawler.bus.lists import Published, Unread
from crawler.errors import HomeUnusable
from crawler.match.contents import IndexInfo
from crawler.match.index import build_index, open_index
from crawler.match.live import unpack_state
from crawler.records import RowMatch
from crawler.service import differences, listkeeper
from crawler.service.dropping import drop
from crawler.service.listkeeper import ListKeeper
from crawler.service.lists import set_enabled
from crawler.store import audit, lists
from crawler.store.database import Database
from crawler.store.hit_views import hit_json
from crawler.store.hits import record
from crawler.store.indexes import versions
from tests.service.telling import KEY, SECRET, SEED, Told, telling
from tests.store.factories import ANNA, ATTRIBUTION, add_list, digest_entry, image, report


@pytest.fixture
async def told(db: Database, server: str) -> AsyncIterator[Told]:
    async with telling(db, server) as found:
        yield found


async def test_disabled_and_withdrawn_entries_are_masked_and_new_ones_added(told: Told) -> None:
    first = await told.state()
    assert (first.masked, first.added, first.index) == ((), (), await told.index())
    assert (await told.state()).number == first.number  # nothing changed, nothing is sent
    set_enabled(told.db, ANNA, "tulips", False)
    second = await told.state()
    numbers = sorted((told.entry("a"), told.entry("b")))
    assert second.number > first.number
    assert (second.masked, second.added) == (((numbers[0], numbers[1]),), ())
    searched = [versions(told.db, f"{state.index}+{state.number}") for state in (first, second)]
    assert [len(each) for each in searched] == [2, 1]  # what is disabled was not looked for
    set_enabled(told.db, ANNA, "tulips", True)
    assert (await told.state()).masked == ()
    add_list(told.db, [digest_entry("b"), digest_entry("d")], "tulips")
    add_list(told.db, [digest_entry("e", "md5")], "asters", kind="benign")
    third = await told.state()
    assert third.masked == ((told.entry("a"), told.entry("a")),)
    assert {(row.entry, row.algorithm, row.benign) for row in third.added} == {
        (told.entry("d"), "sha256", False),
        (int(told.db.value("SELECT max(id) FROM hash_entries")), "md5", True),
    }
    assert await told.index() == first.index


async def test_a_match_of_an_addition_says_list_version_and_entry(told: Told) -> None:
    add_list(told.db, [digest_entry("c"), digest_entry("d", external_id="case-9", category="2")], "roses")
    state = await told.state()
    add_list(told.db, [digest_entry("c")], "roses")  # the hit is of the version before
    found = image("an image", RowMatch(told.entry("d"), "sha256"), RowMatch(told.entry("c"), "sha256"))
    done = record(told.db, report(found=found, index=f"{state.index}+{state.number}"), ATTRIBUTION)
    shown = hit_json(told.db, done.hit_id, reveal=True)
    assert shown is not None
    facts = {(match["list"], match["list_version"], match["entry"], match["category"]) for match in shown["matches"]}
    assert facts == {("roses", 2, "case-9", "2"), ("roses", 2, str(told.entry("c")), None)}


async def test_much_that_came_becomes_a_file_of_its_own(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differences, "MOST_ADDED", 3)
    old = (await told.state()).index
    add_list(told.db, [digest_entry(str(number)) for number in range(5)], "asters")
    set_enabled(told.db, ANNA, "roses", False)
    between = await told.state()
    # Until the file is there: what is disabled is masked at once, the long list waits.
    assert (between.index, between.added, between.masked) == (old, (), ((told.entry("c"), told.entry("c")),))
    state = await told.new_file(old)
    assert (state.index, state.added, state.masked) == (await told.index(), (), ())
    published = await told.published()
    assert isinstance(published, Published)
    assert published.before is not None
    assert (published.before.index, unpack_state(published.before.packed).masked) == (old, between.masked)
    file = open_index(told.db.home.index / f"{state.index}.vgx", state.index, verify=True)
    assert file.count("sha256") == 7
    assert told.db.rows("SELECT campaign, run, index_sha256 FROM run_indexes") == [
        {"campaign": told.run.campaign, "run": told.run.number, "index_sha256": state.index}
    ]


async def test_the_file_of_a_long_list_is_there_before_somebody_enables_it(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(differences, "MOST_ADDED", 3)
    add_list(told.db, [digest_entry(str(number)) for number in range(5)], "asters")
    set_enabled(told.db, ANNA, "asters", False)
    old = (await told.state()).index
    for _ in range(100):
        if len(list(told.db.home.index.glob("*.vgx"))) == 2:
            break
        await asyncio.sleep(0.05)
        await told.keeper.step()
    assert await told.index() == old
    set_enabled(told.db, ANNA, "asters", True)
    before = set(told.db.home.index.iterdir())
    state = await told.new_file(old)
    assert (state.added, state.masked) == ((), ())
    assert set(told.db.home.index.iterdir()) == before


async def test_a_dropped_list_is_masked_and_its_file_replaced(told: Told) -> None:
    old = (await told.state()).index
    number = told.entry("c")
    drop(told.db, ANNA, "roses")
    assert not (told.db.home.index / f"{old}.vgx").exists()
    between = await told.state()
    assert (between.index, between.masked) == (old, ((number, number),))
    state = await told.new_file(old)
    assert (state.masked, state.added) == ((), ())
    assert (told.db.home.index / f"{await told.index()}.vgx").exists()
    # The name comes back with the same values, which are other entries.
    add_list(told.db, [digest_entry("c")], "roses")
    assert {row.entry for row in (await told.state()).added} == {told.entry("c")}


@pytest.mark.parametrize("harm", ["gone", "cut", "changed"])
async def test_a_file_that_is_damaged_under_a_crawl_is_built_again(told: Told, harm: str) -> None:
    state = await told.state()
    path = told.db.home.index / f"{state.index}.vgx"
    data = path.read_bytes()
    path.unlink()
    if harm != "gone":
        path.write_bytes(data[:100] if harm == "cut" else data[:-1] + bytes([data[-1] ^ 1]))
    for _ in range(100):
        await told.state()
        if path.exists() and path.read_bytes() == data:
            break
        await asyncio.sleep(0.05)
    assert path.read_bytes() == data
    assert await told.index() == state.index


async def test_a_file_that_cannot_be_built_is_tried_again_and_the_old_one_serves(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise HomeUnusable("no room")

    build = differences.rebuilt
    monkeypatch.setattr(differences, "MOST_ADDED", 0)
    monkeypatch.setattr(listkeeper, "_AGAIN", 0.2)
    monkeypatch.setattr(differences, "rebuilt", full)
    old = (await told.state()).index
    add_list(told.db, [digest_entry("c"), digest_entry("z")], "roses")
    for _ in range(3):
        assert (await told.state()).index == old
        await asyncio.sleep(0.05)
    monkeypatch.setattr(differences, "rebuilt", build)
    assert (await told.new_file(old)).added == ()


async def test_a_run_with_nothing_to_match_against_is_paused_and_that_is_on_record(told: Told) -> None:
    set_enabled(told.db, ANNA, "tulips", False)
    await told.state()
    set_enabled(told.db, ANNA, "roses", False)
    await told.state()
    assert (await told.control.require(told.run)).state is RunState.PAUSED
    assert ("hold", told.run, True) in told.frontier.acts
    (event,) = [event for event in audit.events(told.db) if event["act"] == "campaigns.pause"]
    assert (event["actor"], event["detail"]["why"]) == ("recorder", "nothing to match against")
    set_enabled(told.db, ANNA, "roses", True)
    assert len((await told.state()).masked) == 1
    assert (await told.control.require(told.run)).state is RunState.PAUSED  # a person resumes it


async def test_workers_that_come_are_let_in_and_those_that_go_are_not(told: Told) -> None:
    state = await told.state()
    late = b"l" * 32
    assert await told.published(late) == Unread()
    await told.control.set_workers(told.run, [KEY, verify_key(late)])
    assert await told.state(late) == state
    await told.control.set_workers(told.run, [verify_key(late)])
    await told.keeper.step()
    assert (await told.state(late)).masked == ()
    assert await told.published() == Unread()


async def test_of_two_recorders_one_speaks_and_the_other_takes_over(told: Told) -> None:
    other = ListKeeper(told.db, told.keeper.deployment, told.feed, SECRET)
    stops = asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(told.keeper.run(stops[0]))
    await asyncio.sleep(0.2)
    number = (await told.published_state()).number
    second = asyncio.create_task(other.run(stops[1]))
    await asyncio.sleep(1.3)
    assert (await told.published_state()).number == number
    stops[0].set()
    await first
    for _ in range(60):
        if (await told.published_state()).number > number:
            break
        await asyncio.sleep(0.05)
    assert (await told.published_state()).number > number
    stops[1].set()
    await second


async def test_runs_of_other_recorders_are_left_alone(told: Told) -> None:
    stranger = ListKeeper(told.db, told.keeper.deployment, told.feed, b"x" * 32)
    await stranger.step()
    assert await told.feed.read(told.run, b"0-0", SEED, public_key(SECRET)) is None


async def test_a_list_that_is_dropped_while_its_file_is_built_leaves_no_file(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = build_index

    def meanwhile(*given: Any) -> IndexInfo:
        made = build(*given)
        if lists.find(told.db, "roses") is not None:
            drop(told.db, ANNA, "roses")
        return made

    monkeypatch.setattr("crawler.match.index.build_index", meanwhile)
    number = told.entry("c")
    add_list(told.db, [digest_entry("c"), digest_entry("d")], "roses")
    made = await asyncio.to_thread(differences.rebuilt, told.db.home, ())
    assert open_index(made.path, made.sha256, verify=True).count("sha256") == 2
    assert list(told.db.home.index.glob("*.vgx")) == [made.path]
    assert (await told.state()).masked == ((number, number),)


async def test_a_file_that_could_not_be_prepared_is_prepared_again(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = [HomeUnusable("no room")]
    prepare = differences.prepared

    def sometimes(*given: Any) -> None:
        if failing:
            raise failing.pop()
        prepare(*given)

    monkeypatch.setattr(differences, "MOST_ADDED", 3)
    monkeypatch.setattr(differences, "prepared", sometimes)
    monkeypatch.setattr(listkeeper, "_AGAIN", 0.0)
    add_list(told.db, [digest_entry(str(number)) for number in range(5)], "asters", governed=True)
    for _ in range(100):
        await told.keeper.step()
        if len(list(told.db.home.index.glob("*.vgx"))) == 2:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("no file")
