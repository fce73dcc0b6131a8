"""The second half of the way on a small lab, with verbose processes: what becomes of hits, and what logs tell."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from crawler.home import Home
from crawler.lab.aftermath import Aftermath, follow_up
from crawler.lab.demo import prepare
from crawler.lab.demo_home import demo_home
from crawler.lab.log import Entry
from crawler.lab.process import Lab
from crawler.options import load_options
from crawler.service.crawl import crawl_campaign
from crawler.service.embedded import server_of
from crawler.service.hits import list_hits
from crawler.service.rechecks import RecheckOrder, run_rechecks
from crawler.service.report import make_report
from crawler.service.session import Session, open_session
from crawler.store import rechecks
from tests.flow.conftest import SETTINGS, new_root

SITES = ["galerij", "prikbord", "wankel"]
"""One at a hoster that removes, one at a hoster that does not, and one that answers in every bad way."""


@dataclass
class Followed:
    home: Home
    after: Aftermath
    hits: list[dict[str, Any]]
    logs: str
    visits: list[Entry]
    report: dict[str, Any]
    excess: dict[str, float]
    left: int
    moved: Moved
    said: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Moved:
    """After pictures were given other names: how hits ended, new ones, outcomes, and who asked for what."""

    status: dict[str, str]
    new: list[dict[str, Any]]
    outcomes: dict[str, int]
    visits: list[Entry]
    excess: dict[str, float]


def renamed(home: Home, lab: Lab, session: Session, order: RecheckOrder) -> Moved:
    """The board that removes nothing gives its pictures other names; what a visit makes of that."""
    options = load_options(SETTINGS)
    up = [hit for hit in list_hits(session.db, session.actor) if hit["status"] == "still-up"]
    chosen = [hit for hit in up if hit["image_url"].partition(":")[2].endswith(("1.jpg", "8.jpg"))]
    assert lab.remove([hit["image_url"] for hit in chosen], leave="another name") == len(chosen) > 1
    known = {hit["id"] for hit in list_hits(session.db, session.actor)}
    lab.clear()
    done = run_rechecks(home, options, session.db, session.actor, replace(order, wait=0.0), progress=lambda _: None)
    hits = list(list_hits(session.db, session.actor))
    return Moved(
        status={hit["id"]: hit["status"] for hit in hits if hit["id"] in {each["id"] for each in chosen}},
        new=[hit for hit in hits if hit["id"] not in known],
        outcomes=done.outcomes,
        visits=lab.entries(),
        excess=lab.worst_excess(50.0),
    )


def logs(home: Home) -> str:
    return "".join(path.read_text() for path in sorted(home.logs.iterdir()))


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory, kernels: Path) -> Iterator[Followed]:
    options = load_options(SETTINGS)
    root = new_root(tmp_path_factory.mktemp("aftermath"), kernels)
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VANGNET_VERBOSE", "1")
        with demo_home(root) as home, Lab(SITES) as lab, open_session(home, None) as session:
            order = prepare(home, lab, session, SETTINGS)
            with server_of(home, options) as url:
                crawl_campaign(home, options, session, order(url), lambda _: None)
                written = logs(home)
                lab.clear()
                again = RecheckOrder(SETTINGS, url, everything=True, wait=60.0)
                after = follow_up(home, lab, session, options, again, say=said.append)
                watched, visits, excess = len(rechecks.targets(session.db)), lab.entries(), lab.worst_excess(50.0)
                hits, told = list(list_hits(session.db, session.actor)), make_report(session.db, session.actor)
                moved = renamed(home, lab, session, again)
            yield Followed(
                home=home,
                after=after,
                hits=hits,
                logs=written + logs(home),
                visits=visits,
                report=told,
                excess=excess,
                left=watched,
                moved=moved,
                said=said,
            )


def test_hits_end_where_the_deeds_of_their_hosters_lead(followed: Followed) -> None:
    after = followed.after
    assert after.wrong == ()
    status = {hit["status"] for hit in followed.hits if hit["hoster"]["holder"] == "Polder Hosting B.V."}
    assert status == {"removed"}
    assert (after.notices, after.removed > 0, after.still_up > 0) == (3, True, True)
    assert after.visits.rounds == 3
    assert after.visits.outcomes["absent"] == 3 * after.removed
    assert after.visits.outcomes["changed"] > 0
    assert followed.report["totals"]["removed"] == after.removed


def test_visits_are_as_polite_as_the_crawl_and_ask_for_nothing_else(followed: Followed) -> None:
    assert all(by <= 0 for by in followed.excess.values())
    noticed = {hit["image_url"].partition("#")[0].split("/", 3)[3] for hit in followed.hits}
    pages = {hit["page_url"].split("/", 3)[3] for hit in followed.hits}
    asked = {entry.target.lstrip("/") for entry in followed.visits} - {"robots.txt", "sitemap.xml", "sitemap_index.xml"}
    # Where an image was missed, the page that showed it is asked, and the other images that it shows; no link of it.
    assert asked - noticed - pages <= {each for each in asked if each.endswith((".jpg", ".gif"))}
    assert max(Counter((entry.host, entry.target, entry.agent) for entry in followed.visits).values()) <= 3


def test_what_stands_under_another_url_of_its_page_has_moved_and_is_a_new_hit(followed: Followed) -> None:
    moved = followed.moved
    assert set(moved.status.values()) == {"moved"}
    assert moved.outcomes["moved"] == len(moved.status)
    assert len(moved.new) == len(moved.status)
    for hit in moved.new:
        assert "/anders/" in hit["image_url"] and (hit["status"], hit["sightings"]) == ("new", 1)
    assert all(by <= 0 for by in moved.excess.values())


def test_logs_name_nothing_of_a_hit_however_verbose(followed: Followed) -> None:
    assert "serving a run" in followed.logs
    for hit in followed.hits:
        for url in (hit["image_url"], hit["page_url"]):
            assert url not in followed.logs
            name = url.partition("#")[0].rpartition("/")[2]
            assert not name or name not in followed.logs
        assert hit["domain"] not in followed.logs
        assert hit["sha256"] not in followed.logs and hit["md5"] not in followed.logs
    assert not re.search(r"https?://", followed.logs)
    assert "Fotogalerij" not in followed.logs and "Album" not in followed.logs
    assert not any("://" in line for line in followed.said)


def test_the_report_of_it_names_no_url(followed: Followed) -> None:
    assert "://" not in json.dumps(followed.report)
