"""When a list has grown, known places are visited again: where their campaign may be crawled, and behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256

import pytest

from crawler.bus.control import RunState
from crawler.bus.envelope import public_key
from crawler.frontier.figures import RunCounts
from crawler.home import Home
from crawler.match.contents import IndexInfo
from crawler.options import Options
from crawler.records import RunId
from crawler.service import background
from crawler.service.background import ROUND, Revisitor
from crawler.service.campaigns import stored_campaign
from crawler.service.deployment import Deployment
from crawler.service.indexing import ensure_index
from crawler.service.launch import Launch
from crawler.service.lists import set_enabled
from crawler.store import audit, campaigns
from crawler.store.coverage import note_index
from crawler.store.database import Database, open_store
from crawler.store.hits import record
from crawler.store.keys import key_file
from tests.service.frontiers import FILE, Frontier, deployed, in_motion, keep, keep_approved
from tests.store.factories import ANNA, ATTRIBUTION, add_list, digest_entry, report

OPTIONS = Options(lab=True, require_campaign_approval=False)
STRICT = replace(OPTIONS, require_campaign_approval=True)
BUSY, IDLE = RunCounts(waiting={"queued": 3}), RunCounts()
NOW = 1_780_000_200.0
AGAIN = RunId("nightly-revisit", 1)


@pytest.fixture
async def deployment(server: str) -> AsyncIterator[Deployment]:
    async with deployed(server, Frontier()) as made:
        yield made


def revisitor(db: Database, deployment: Deployment, options: Options = OPTIONS) -> Revisitor:
    return Revisitor(db, options, deployment, public_key(key_file(db.home.keys, "recorder")))


def crawled(db: Database, *, approved: bool = False) -> None:
    """A night with the list as it was, on which something was found; then the list grew."""
    db.clock = lambda: NOW
    (keep_approved if approved else keep)(db)
    add_list(db, [digest_entry("an image")])
    run = campaigns.start_run(db, ANNA, "nightly")
    index = ensure_index(db.home, db).sha256
    with db.write():
        note_index(db, run, index)
    record(db, report(index=index), ATTRIBUTION)
    campaigns.finish_run(db, ANNA, run, {"urls": {"fetched": 9}})


def grown(db: Database) -> None:
    add_list(db, [digest_entry("an image"), digest_entry("another")])


async def test_a_list_that_grew_starts_a_visit_of_known_places_once(db: Database, deployment: Deployment) -> None:
    crawled(db)
    at = revisitor(db, deployment)
    assert await at.begin_due() == []
    grown(db)
    assert await at.begin_due() == [AGAIN]
    offered = [act for act in deployment.frontier.acts if act[0] == "offer"]
    assert deployment.frontier.acts.index(("hold", AGAIN, True)) < deployment.frontier.acts.index(offered[0])
    assert offered == [("offer", AGAIN, "https://gallery.example/album?page=4", "https://gallery.example/")]
    made = stored_campaign(db, "nightly-revisit", lab=True)
    assert made.limits.max_urls_per_host == 40  # what its campaign allows, where that is less
    acts = [(event["act"], event["actor"]) for event in audit.events(db, object_id="nightly-revisit")]
    assert ("lists.revisit", "revisitor") in acts
    assert ("runs.start", "revisitor") in [(event["act"], event["actor"]) for event in audit.events(db)]
    campaigns.finish_run(db, ANNA, AGAIN, {})
    assert await revisitor(db, deployment).begin_due() == []  # it has seen what there is
    grown_again = [digest_entry("an image"), digest_entry("another"), digest_entry("a third")]
    add_list(db, grown_again)
    assert await at.begin_due() == []  # too soon
    db.clock = lambda: NOW + OPTIONS.revisit_spacing
    assert await at.begin_due() == [RunId("nightly-revisit", 2)]


async def test_what_only_shrank_or_was_seen_by_the_next_night_starts_nothing(
    db: Database, deployment: Deployment
) -> None:
    crawled(db)
    add_list(db, [digest_entry("an image"), digest_entry("another")])
    night = campaigns.start_run(db, ANNA, "nightly")
    index = ensure_index(db.home, db).sha256
    with db.write():
        note_index(db, night, index)
    campaigns.finish_run(db, ANNA, night, {})
    add_list(db, [digest_entry("an image")])
    assert await revisitor(db, deployment).begin_due() == []


async def test_a_list_that_comes_back_counts_as_grown(db: Database, deployment: Deployment) -> None:
    crawled(db)
    add_list(db, [digest_entry("a rose")], "roses")
    set_enabled(db, ANNA, "roses", False)
    assert await revisitor(db, deployment).begin_due() == []
    set_enabled(db, ANNA, "roses", True)
    assert await revisitor(db, deployment).begin_due() == [AGAIN]


async def test_only_what_may_be_crawled_is_visited_again(db: Database, deployment: Deployment) -> None:
    crawled(db)
    grown(db)
    at = revisitor(db, deployment, STRICT)
    assert await at.begin_due() == []  # nobody approved the campaign
    assert campaigns.load(db, "nightly-revisit") is None
    campaigns.set_state(db, ANNA, "nightly", "approved")
    assert await at.begin_due() == [AGAIN]
    made = campaigns.load(db, "nightly-revisit")
    assert made is not None and made.state == "approved"
    (event,) = [event for event in audit.events(db) if event["act"] == "campaigns.approve"]
    assert event["detail"] == {"why": "derived", "base": "nightly", "file": "00" * 32}


async def test_an_expired_campaign_an_option_or_no_find_starts_nothing(db: Database, deployment: Deployment) -> None:
    crawled(db, approved=True)
    grown(db)
    assert await revisitor(db, deployment, replace(OPTIONS, revisit_spacing=0.0)).begin_due() == []
    with db.write():
        db.execute("UPDATE hits SET status = 'rejected'")
    assert await revisitor(db, deployment, STRICT).begin_due() == []
    with db.write():
        db.execute("UPDATE hits SET status = 'new'")
    campaigns.save(db, ANNA, "nightly", FILE.replace("2099", "2020"), "11" * 32, replace=True)
    campaigns.set_state(db, ANNA, "nightly", "approved")
    assert await revisitor(db, deployment, STRICT).begin_due() == []
    assert campaigns.runs(db, "nightly-revisit") == []


async def killed_while_filling(
    db: Database, deployment: Deployment, monkeypatch: pytest.MonkeyPatch, options: Options
) -> None:
    async def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Launch, "fill", killed)
        await revisitor(db, deployment, options).begin_due()
    deployment.frontier.acts.clear()


async def test_what_a_killed_recorder_left_behind_is_filled_by_the_next(
    db: Database, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    crawled(db)
    grown(db)
    await killed_while_filling(db, deployment, monkeypatch, OPTIONS)
    assert [run.id for run in campaigns.runs(db, "nightly-revisit")] == [AGAIN]
    at = revisitor(db, deployment)
    assert await at.begin_due() == [AGAIN]
    marker = await deployment.control.find(AGAIN)
    assert marker is not None and marker.seeded
    assert await at.begin_due() == []


@pytest.mark.parametrize("state", ["created", "approved"])
async def test_a_campaign_that_was_replaced_meanwhile_is_not_visited_again(
    db: Database, deployment: Deployment, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    crawled(db, approved=True)
    grown(db)
    build = background._index

    def replaced(home: Home, names: tuple[str, ...]) -> IndexInfo:
        with open_store(home) as other:
            text = FILE.replace('countries = ["NL"]', 'countries = ["BE"]')
            campaigns.save(other, ANNA, "nightly", text, "11" * 32, replace=True)
            campaigns.set_state(other, ANNA, "nightly", state)
        return build(home, names)

    at = revisitor(db, deployment, STRICT)
    with monkeypatch.context() as patch:
        patch.setattr(background, "_index", replaced)
        assert await at.begin_due() == []
    assert campaigns.load(db, "nightly-revisit") is None
    assert deployment.frontier.acts == []
    # The next look has the new file, where somebody approved it.
    begun = await at.begin_due()
    assert begun == ([AGAIN] if state == "approved" else [])


@pytest.mark.parametrize("state", [RunState.PAUSED, RunState.STOPPED])
async def test_what_was_left_behind_and_paused_by_a_person_stays_so(
    db: Database, deployment: Deployment, monkeypatch: pytest.MonkeyPatch, state: RunState
) -> None:
    crawled(db)
    grown(db)
    await killed_while_filling(db, deployment, monkeypatch, OPTIONS)
    await deployment.control.set_state(AGAIN, state)
    assert await revisitor(db, deployment).begin_due() == []
    marker = await deployment.control.find(AGAIN)
    assert marker is not None and marker.state is state and deployment.frontier.acts == []


async def test_what_was_left_behind_is_held_until_its_campaign_is_approved_again(
    db: Database, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    crawled(db, approved=True)
    grown(db)
    await killed_while_filling(db, deployment, monkeypatch, STRICT)
    campaigns.save(db, ANNA, "nightly", FILE + "\n", "33" * 32, replace=True)
    at = revisitor(db, deployment, STRICT)
    await at.give_way()
    assert await at.begin_due() == []
    stop = asyncio.Event()
    stop.set()
    await at.run(stop)  # its end lets nothing of it go either
    assert deployment.frontier.acts == [("hold", AGAIN, True)]
    campaigns.set_state(db, ANNA, "nightly", "approved")
    assert await at.begin_due() == [AGAIN]
    await at.give_way()
    assert deployment.frontier.acts[-1] == ("hold", AGAIN, False)


async def test_it_waits_for_other_runs_but_for_a_share(db: Database, deployment: Deployment) -> None:
    crawled(db)
    grown(db)
    at = revisitor(db, deployment)
    await at.begin_due()
    deployment.frontier.acts.clear()
    await at.give_way()
    assert deployment.frontier.acts == [("hold", AGAIN, False)]
    night = await in_motion(db, deployment)
    deployment.frontier.looks = [BUSY]
    deployment.frontier.acts.clear()
    await at.give_way()
    await at.give_way()  # a person may have resumed it meanwhile
    assert deployment.frontier.acts == [("hold", AGAIN, True)] * 2
    db.clock = lambda: NOW - NOW % ROUND + 0.95 * ROUND
    await at.give_way()
    assert deployment.frontier.acts[2:] == [("hold", AGAIN, False)]
    db.clock = lambda: NOW
    await at.give_way()
    await deployment.control.set_state(night, RunState.PAUSED)
    await at.give_way()  # what rests keeps nobody waiting
    await at.give_way()
    assert deployment.frontier.acts[3:] == [("hold", AGAIN, True), ("hold", AGAIN, False)]


async def test_a_recorder_that_ends_holds_nothing(db: Database, deployment: Deployment) -> None:
    crawled(db)
    grown(db)
    at = revisitor(db, deployment)
    await at.begin_due()
    await in_motion(db, deployment)
    deployment.frontier.looks = [BUSY]
    deployment.frontier.held.clear()
    stop = asyncio.Event()
    task = asyncio.create_task(at.run(stop))
    await asyncio.wait_for(deployment.frontier.held.wait(), 10)
    stop.set()
    await task
    assert deployment.frontier.acts[-1] == ("hold", AGAIN, False)


async def test_a_home_that_cannot_be_written_is_tried_again(
    db: Database, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "_EVERY", 0.05)
    monkeypatch.setattr(background, "_LOOK", 1)
    crawled(db)
    grown(db)
    own = db.home.root / "revisits.lock"
    theirs = db.home.root / f"crawl-{sha256(b'nightly-revisit').hexdigest()[:16]}.lock"
    own.mkdir()
    theirs.mkdir()
    stop = asyncio.Event()
    task = asyncio.create_task(revisitor(db, deployment).run(stop))
    for path in (own, theirs):
        await asyncio.sleep(0.2)
        assert not task.done() and campaigns.load(db, "nightly-revisit") is None
        path.rmdir()
    await asyncio.wait_for(deployment.frontier.held.wait(), 10)
    stop.set()
    await task
    assert [run.id for run in campaigns.runs(db, "nightly-revisit")] == [AGAIN]
