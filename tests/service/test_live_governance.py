"""What two persons and quarantine decide reaches the workers of a run while it runs, and nothing before that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from crawler.bus.control import RunState
from crawler.match.entries import ImportOptions
from crawler.match.index import open_index
from crawler.match.live import ListState
from crawler.records import RowMatch
from crawler.review.quarantine import FloodRule
from crawler.service import differences, enabling
from crawler.service.dropping import drop
from crawler.service.imports import import_list
from crawler.service.listkeeper import ListKeeper
from crawler.service.lists import can_raise, counting, set_enabled
from crawler.service.quarantine import lift, uphold
from crawler.service.trial import Trial
from crawler.store import audit, lists
from crawler.store.database import Database
from crawler.store.hit_views import hit_json
from crawler.store.hits import record
from tests.service.governed import BERT, register, signed_manifest
from tests.service.telling import SECRET, Told, telling
from tests.store.factories import ANNA, ATTRIBUTION, add_list, digest_entry, image, report, store_at

RULE = FloodRule(domains=5, window=1e6)


@pytest.fixture
async def told(tmp_path: Path, server: str) -> AsyncIterator[Told]:
    with store_at(tmp_path, lab=False) as db:
        register(db, tmp_path)
        async with telling(db, server) as found:
            yield found


def bring(told: Told, *texts: str, name: str = "tulips") -> None:
    root = told.db.home.root.parent
    file = root / f"{name}.txt"
    file.write_text("".join(f"sha256 {sha256(text.encode()).hexdigest()}\n" for text in texts))
    manifest = signed_manifest(root, name=name)
    import_list(told.db, ANNA, file, name=name, options=ImportOptions(), manifest=manifest)


def enable(told: Told, name: str) -> None:
    """By the second person, after a trial that hit nothing."""
    row = lists.find(told.db, name)
    assert row is not None
    enabling.enable(told.db, BERT, name, trial=Trial(row.id, row.version, 80, ()))


def expire(db: Database) -> None:
    with db.write():
        db.execute("UPDATE list_manifests SET manifest = replace(manifest, '2099', '2020')")


def put_in_quarantine(db: Database, entry: int) -> None:
    list_id = db.value("SELECT list_id FROM hash_entries WHERE id = ?", entry)
    row = {"entry_id": entry, "list_id": list_id, "state": "waiting", "since": 1.0, "domains": 5}
    with db.write():
        db.insert("entry_quarantines", row)


def counts(told: Told, state: ListState) -> set[int]:
    """The entries among those of this test that workers count when they follow a state."""
    known = open_index(told.db.home.index / f"{state.index}.vgx", state.index)
    held = {entry for row in range(known.count("sha256")) for entry in known.entries("sha256", row)}
    kept = {entry for entry in held if not any(first <= entry <= last for first, last in state.masked)}
    return kept | {row.entry for row in state.added}


def mark(db: Database, hit: str) -> str | None:
    shown = hit_json(db, hit, reveal=True)
    assert shown is not None
    return shown["mark"] and str(shown["mark"]["reason"])


async def test_an_import_waits_and_reaches_workers_when_a_second_person_enables_it(told: Told) -> None:
    first, gone = await told.state(), told.entry("a")
    hit = record(told.db, report(found=image("i", RowMatch(gone, "sha256")), index=first.index), ATTRIBUTION).hit_id
    bring(told, "b", "d")
    assert (await told.state()).number == first.number
    assert mark(told.db, hit) is None
    enable(told, "tulips")
    state = await told.state()
    assert (state.masked, {row.entry for row in state.added}) == (((gone, gone),), {told.entry("d")})
    assert mark(told.db, hit) == "entry-withdrawn"
    last = list(audit.events(told.db))[-1]
    assert (last["act"], last["detail"]["hits_marked"]) == ("lists.enable", 1)
    bring(told, "a", "b")
    assert (await told.state()).number == state.number
    assert mark(told.db, hit) == "entry-withdrawn"
    enable(told, "tulips")
    again = await told.state()
    assert (again.masked, {row.entry for row in again.added}) == (((gone, gone),), {told.entry("a")})
    assert mark(told.db, hit) is None


async def test_what_a_hit_was_matched_against_is_the_served_version(told: Told) -> None:
    await told.state()
    bring(told, "a", "b", "d")
    enable(told, "tulips")
    state = await told.state()
    bring(told, "a")
    found = image("i", RowMatch(told.entry("d"), "sha256"))
    done = record(told.db, report(found=found, index=f"{state.index}+{state.number}"), ATTRIBUTION)
    shown = hit_json(told.db, done.hit_id, reveal=True)
    assert shown is not None
    assert [match["list_version"] for match in shown["matches"]] == [2]
    assert shown["mark"] is None


async def test_a_waiting_version_changes_nothing_when_a_list_is_disabled_or_enabled_again(told: Told) -> None:
    await told.state()
    bring(told, "a", "x")
    enable(told, "tulips")
    served = {told.entry(text) for text in "axc"}
    assert counts(told, await told.state()) == served
    bring(told, "y")
    set_enabled(told.db, ANNA, "tulips", False)
    assert counts(told, await told.state()) == {told.entry("c")}
    set_enabled(told.db, ANNA, "tulips", True)
    assert counts(told, await told.state()) == served


async def test_a_new_list_waits_for_its_first_enabling(told: Told) -> None:
    first = await told.state()
    bring(told, "e", name="asters")
    assert (await told.state()).number == first.number
    enable(told, "asters")
    assert {row.entry for row in (await told.state()).added} == {told.entry("e")}


async def test_the_file_of_a_long_version_that_waits_is_prepared_and_used_when_it_is_enabled(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(differences, "MOST_ADDED", 3)
    old = (await told.state()).index
    bring(told, *(f"long {number}" for number in range(5)), name="asters")
    for _ in range(100):
        if len(files := set(told.db.home.index.glob("*.vgx"))) == 2:
            break
        await asyncio.sleep(0.02)
        assert (await told.state()).index == old
    assert len(files) == 2  # prepared, and told to nobody
    enable(told, "asters")
    assert len(counts(told, await told.new_file(old))) == 8
    assert set(told.db.home.index.glob("*.vgx")) == files


async def test_an_upheld_entry_is_masked_and_one_that_waits_counts(told: Told) -> None:
    first, entry = await told.state(), told.entry("a")
    put_in_quarantine(told.db, entry)
    assert (await told.state()).number == first.number
    uphold(told.db, ANNA, entry, reason="a logo", rule=RULE)
    assert (await told.state()).masked == ((entry, entry),)
    lift(told.db, ANNA, entry, reason="no logo", rule=RULE)
    assert (await told.state()).masked == ()


async def test_an_entry_that_a_file_was_built_without_counts_again_when_it_is_lifted(told: Told) -> None:
    old, entry = (await told.state()).index, told.entry("a")
    put_in_quarantine(told.db, entry)
    uphold(told.db, ANNA, entry, reason="a logo", rule=RULE)
    drop(told.db, ANNA, "roses")
    drop(told.db, BERT, "roses")
    state = await told.new_file(old)
    assert counts(told, state) == {told.entry("b")}
    lift(told.db, ANNA, entry, reason="no logo", rule=RULE)
    state = await told.state()
    assert {row.entry for row in state.added} == {entry}
    assert counts(told, state) == {entry, told.entry("b")}


async def test_an_upheld_entry_of_an_addition_is_not_sent(told: Told) -> None:
    await told.state()
    bring(told, "a", "b", "d", "e")
    enable(told, "tulips")
    put_in_quarantine(told.db, told.entry("d"))
    uphold(told.db, ANNA, told.entry("d"), reason="a logo", rule=RULE)
    assert counts(told, await told.state()) == {told.entry(text) for text in "abce"}


async def test_a_list_whose_manifest_expires_is_left_out_which_is_said_once(told: Told) -> None:
    await told.state()
    bring(told, "a", "b")
    enable(told, "tulips")
    await told.state()
    expire(told.db)
    for _ in range(3):
        assert counts(told, await told.state()) == {told.entry("c")}
    told.keeper = ListKeeper(told.db, told.keeper.deployment, told.feed, SECRET)  # the next recorder knows it too
    assert counts(told, await told.state()) == {told.entry("c")}
    (event,) = [event for event in audit.events(told.db) if event["act"] == "lists.expire"]
    assert (event["actor"], event["object"], event["detail"]) == (
        "recorder",
        "tulips",
        {"version": 2, "expired": "2020-12-31"},
    )
    assert (await told.control.require(told.run)).state is RunState.RUNNING
    set_enabled(told.db, ANNA, "roses", False)
    await told.state()
    assert (await told.control.require(told.run)).state is RunState.PAUSED


def test_what_can_raise_a_hit_is_the_served_version(tmp_path: Path) -> None:
    with store_at(tmp_path, lab=False) as db:
        add_list(db, [digest_entry("a")])
        add_list(db, [digest_entry("p", "photodna")], governed=True)
        assert can_raise(db, counting(db))
        (row,) = lists.all_lists(db)
        assert (row.served, set(row.by_algorithm)) == (1, {"photodna"})
