"""The second half of the way on a small lab, with verbose processes: what becomes of hits, and what logs tell."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
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
from crawler.service.rechecks import RecheckOrder
from crawler.service.report import make_report
from crawler.service.session import open_session
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
    said: list[str] = field(default_factory=list)


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
            yield Followed(
                home=home,
                after=after,
                hits=list(list_hits(session.db, session.actor)),
                logs=written + logs(home),
                visits=lab.entries(),
                report=make_report(session.db, session.actor),
                excess=lab.worst_excess(50.0),
                left=len(rechecks.targets(session.db)),
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
    asked = {entry.target.lstrip("/") for entry in followed.visits} - {"robots.txt", "sitemap.xml", "sitemap_index.xml"}
    assert asked <= noticed


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
