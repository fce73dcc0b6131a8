"""One crawl of the whole lab by two workers, with what everybody saw of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crawler.home import Home
from crawler.lab.demo import prepare
from crawler.lab.demo_home import demo_home
from crawler.lab.log import Entry
from crawler.lab.plan import Plan
from crawler.lab.process import Lab, Seen
from crawler.options import load_options
from crawler.service.crawl import CrawlSummary, crawl_campaign
from crawler.service.embedded import server_of
from crawler.service.hits import list_hits
from crawler.service.session import open_session

SETTINGS = "settings.lab"


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


@pytest.fixture(scope="session")
def kernels(pytestconfig: pytest.Config) -> Path:
    """Where compiled kernels stay between test runs: compiling them takes longer than a crawl."""
    assert pytestconfig.cache is not None
    directory = pytestconfig.cache.mkdir("kernels")
    directory.chmod(0o700)
    return directory


def new_root(parent: Path, kernels: Path) -> Path:
    """A directory for a home that uses those kernels."""
    root = parent / "home"
    root.mkdir()
    (root / "kernels").symlink_to(kernels)
    return root


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory, kernels: Path) -> Iterator[Crawled]:
    options = load_options(SETTINGS)
    root = new_root(tmp_path_factory.mktemp("flow"), kernels)
    with demo_home(root) as home, open_session(home, None) as session:
        # Gone before anybody looks at the outcome: a lab never rests.
        with Lab(prewarm=True) as lab:
            order = prepare(home, lab, session, SETTINGS)
            with server_of(home, options) as url:
                summary = crawl_campaign(home, options, session, order(url), lambda _: None)
            hits = list(list_hits(session.db, session.actor))
            found = Crawled(home, lab.plan, summary, hits, lab.entries(), lab.seen(), lab.worst_excess(50.0))
        yield found
