"""One demonstration on the whole lab, verbose: a crawl, what follows it, and pictures that get other names.

It takes a minute, so that all tests of the whole lab read this one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from structlog.testing import capture_logs

from crawler.home import Home
from crawler.lab.aftermath import Aftermath, follow_up
from crawler.lab.demo import prepare
from crawler.lab.demo_home import demo_home
from crawler.lab.log import Entry
from crawler.lab.plan import Plan
from crawler.lab.process import Lab, Seen
from crawler.options import load_options
from crawler.service.accounting import CrawlSummary
from crawler.service.crawl import crawl_campaign
from crawler.service.embedded import server_of
from crawler.service.hits import list_hits
from crawler.service.rechecks import RecheckOrder, run_rechecks
from crawler.service.report import make_report
from crawler.service.session import Session, open_session
from crawler.store import rechecks
from tests.flow.conftest import SETTINGS, new_root

JUNK = b"https://rommel.example/binnengesmokkeld.jpg"
"""What somebody writes into the results, as no worker would; reading it is an error, and must not be told as it is."""


@dataclass(frozen=True)
class Crawled:
    """hits: as `hits list --json` prints them.  entries, seen: what the lab's servers saw.  excess: by address."""

    home: Home
    plan: Plan
    summary: CrawlSummary
    hits: list[dict[str, Any]]
    entries: list[Entry]
    seen: Seen
    excess: dict[str, float]


@dataclass(frozen=True)
class Followed:
    """After two people, notices and visits. left: hits that are still watched.  The others as in `Crawled`."""

    after: Aftermath
    hits: list[dict[str, Any]]
    report: dict[str, Any]
    entries: list[Entry]
    excess: dict[str, float]
    left: int


@dataclass(frozen=True)
class Moved:
    """After pictures of a site that removes nothing got other names. status: of their hits.  new: hits, since then."""

    status: dict[str, str]
    new: list[dict[str, Any]]
    outcomes: dict[str, int]
    excess: dict[str, float]


@dataclass(frozen=True)
class Demonstrated:
    """said: all that was told meanwhile: logs of processes, progress, and lines of this process."""

    crawled: Crawled
    followed: Followed
    moved: Moved
    said: str


@contextmanager
def demonstrated(parent: Path, kernels: Path) -> Iterator[Demonstrated]:
    """Run it all, in a home below `parent` which is there for as long as the block."""
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch, capture_logs() as own:
        patch.setenv("VANGNET_VERBOSE", "1")
        with demo_home(new_root(parent, kernels)) as home, open_session(home, None) as session:
            # Gone before anybody looks at the outcome: a lab never rests.
            with Lab(prewarm=True) as lab, server_of(home, load_options(SETTINGS)) as url:
                crawled = _crawled(home, lab, session, url)
                said.append(_logs(home))
                again = RecheckOrder(SETTINGS, url, everything=True, wait=300.0)
                followed = _followed(home, lab, session, again, said)
                said.append(_logs(home))
                _smuggle(url)
                moved = _moved(home, lab, session, again, said)
                said.append(_logs(home))
            yield Demonstrated(crawled, followed, moved, "\n".join([*said, *map(str, own)]))


def _crawled(home: Home, lab: Lab, session: Session, url: str) -> Crawled:
    order = prepare(home, lab, session, SETTINGS)
    summary = crawl_campaign(home, load_options(SETTINGS), session, order(url), lambda _: None)
    hits = list(list_hits(session.db, session.actor))
    return Crawled(home, lab.plan, summary, hits, lab.entries(), lab.seen(), lab.worst_excess(50.0))


def _followed(home: Home, lab: Lab, session: Session, order: RecheckOrder, said: list[str]) -> Followed:
    lab.clear()
    after = follow_up(home, lab, session, load_options(SETTINGS), order, say=said.append)
    hits, report = list(list_hits(session.db, session.actor)), make_report(session.db, session.actor)
    return Followed(after, hits, report, lab.entries(), lab.worst_excess(50.0), len(rechecks.targets(session.db)))


def _moved(home: Home, lab: Lab, session: Session, order: RecheckOrder, said: list[str]) -> Moved:
    before = list(list_hits(session.db, session.actor))
    chosen = [hit for hit in before if hit["status"] == "still-up" and "prikbord" in hit["image_url"]]
    assert lab.remove([hit["image_url"] for hit in chosen], leave="another name") == len(chosen) > 1
    lab.clear()
    once = replace(order, wait=0.0)
    done = run_rechecks(home, load_options(SETTINGS), session.db, session.actor, once, progress=said.append)
    hits = {hit["id"]: hit for hit in list_hits(session.db, session.actor)}
    known = {hit["id"] for hit in before}
    return Moved(
        status={hit["id"]: hits[hit["id"]]["status"] for hit in chosen},
        new=[hit for hit in hits.values() if hit["id"] not in known],
        outcomes=done.outcomes,
        excess=lab.worst_excess(50.0),
    )


def _smuggle(url: str) -> None:
    with Redis.from_url(url) as server:
        stream = next(iter(server.scan_iter("*:{p0}:res")))
        server.xadd(stream, {"run": "lab#1", "r": JUNK})
        server.xadd(stream, {"run": JUNK, "r": JUNK})


def _logs(home: Home) -> str:
    return "".join(path.read_text() for path in sorted(home.logs.iterdir()))
