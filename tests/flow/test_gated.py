"""Sites that choose their visitors: by Referer, by cookie, by User-Agent. What is refused by design stays refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from crawler.home import Home
from crawler.lab.demo import prepare
from crawler.lab.demo_home import demo_home
from crawler.lab.files import LIST
from crawler.lab.process import Lab
from crawler.lab.truth import Judgement, judge
from crawler.options import load_options
from crawler.service.accounting import CrawlSummary
from crawler.service.crawl import CrawlOrder, crawl_campaign
from crawler.service.embedded import server_of
from crawler.service.hits import list_hits
from crawler.service.session import Session, open_session
from tests.flow.conftest import SETTINGS, new_root

SITES = ("beeldbank", "leeszaal", "salon", "spiegel")
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/128.0 Vangnet-lab/1.0"


@dataclass(frozen=True)
class Bench:
    home: Home
    lab: Lab
    session: Session

    def crawl(self, name: str, **identity: str) -> tuple[CrawlSummary, Judgement]:
        """A campaign of one worker. identity: keys over those of the lab's campaign."""
        self.lab.clear()
        path = self.home.root / f"{name}.toml"
        self.lab.write_campaign(path, campaign={"name": name}, identity=identity, match={"lists": [LIST]})
        options = load_options(SETTINGS)
        with server_of(self.home, options) as url:
            order = CrawlOrder(path, 1, SETTINGS, url)
            summary = crawl_campaign(self.home, options, self.session, order, lambda _: None)
        return summary, judge(list_hits(self.session.db, self.session.actor, campaign=name), self.lab.truth)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, kernels: Path) -> Iterator[Bench]:
    root = new_root(tmp_path_factory.mktemp("gated"), kernels)
    with demo_home(root) as home, Lab(SITES) as lab, open_session(home, None) as session:
        prepare(home, lab, session, SETTINGS)
        yield Bench(home, lab, session)


def test_a_second_name_finds_everything_and_tells_who_has_two_faces(bench: Bench) -> None:
    summary, found = bench.crawl("second")
    assert (found.missed, found.false) == ((), ())
    assert summary.urls["failed"] == {"closed": 1, "http-403": 3}
    assert summary.notes["cloaked?"] == 3
    asked = Counter((entry.host, entry.target) for entry in bench.lab.entries())
    # What asks for a login is asked once; what refuses, by each of both names.
    assert asked["leeszaal.example", "/kast/1.jpg"] == 1
    assert asked["spiegel.test", "/s/1.jpg"] == 2
    assert max(bench.lab.worst_excess(50.0).values()) <= 0


@pytest.mark.long
def test_under_its_own_name_only_a_crawl_misses_what_browsers_see(bench: Bench) -> None:
    summary, found = bench.crawl("plain", second_user_agent="")
    assert set(found.missed) == {url for url in bench.lab.truth.planted if "//spiegel.test" in url}
    assert "cloaked?" not in summary.notes


@pytest.mark.long
def test_a_browsers_name_finds_everything_by_itself(bench: Bench) -> None:
    summary, found = bench.crawl("browser", second_user_agent="", user_agent=BROWSER)
    assert (found.missed, found.false) == ((), ())
    assert "cloaked?" not in summary.notes
