"""A demonstration: the whole way on the lab, from a campaign file to hits, notices and removals, judged against the
truth."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from crawler.errors import VangnetError
from crawler.home import Home
from crawler.lab.aftermath import MARGIN, Aftermath, follow_up
from crawler.lab.demo_home import FILES
from crawler.lab.files import LIST
from crawler.lab.plan import Plan
from crawler.lab.process import Lab
from crawler.lab.truth import Judgement, judge
from crawler.match.entries import ImportOptions
from crawler.options import Options
from crawler.service.accounting import CrawlSummary
from crawler.service.crawl import CrawlOrder, Progress, crawl_campaign
from crawler.service.embedded import server_of
from crawler.service.hits import list_hits
from crawler.service.imports import import_list
from crawler.service.rechecks import RecheckOrder
from crawler.service.report import make_report, write_report
from crawler.service.session import Session, open_session
from crawler.urls import parts

WORKERS = 2
REPORT = "report"
"""Directory of a demonstration's home for its report."""


@dataclass(frozen=True, slots=True)
class SiteResult:
    """One site of the lab. kind: what its module says that it is.  images: placements of listed images."""

    name: str
    kind: str
    images: int
    found: int


@dataclass(frozen=True, slots=True)
class Demonstration:
    """What a demonstration showed. out_of_scope: what was touched where nobody may go -> how often.
    aftermath: what became of the hits; None when the crawl was interrupted.  seconds: of the whole, start-up included.
    """

    judgement: Judgement
    out_of_scope: dict[str, int]
    summary: CrawlSummary
    sites: tuple[SiteResult, ...]
    hosters: tuple[tuple[str, int], ...]
    seconds: float
    aftermath: Aftermath | None = None

    @property
    def trespasses(self) -> int:
        """How often anything out of scope was touched."""
        return sum(self.out_of_scope.values())

    @property
    def passed(self) -> bool:
        """Whether everything planted was found, nothing else, nobody went where nobody may go, and every hit ended
        where its hoster's deed leads."""
        clean = not self.judgement.missed and not self.judgement.false and self.trespasses == 0
        settled = self.aftermath is not None and not self.aftermath.wrong and not self.aftermath.visits.interrupted
        return clean and settled and not self.interrupted

    @property
    def interrupted(self) -> bool:
        """Whether somebody ended it early."""
        return self.summary.interrupted or (self.aftermath is not None and self.aftermath.visits.interrupted)

    def to_json(self) -> dict[str, Any]:
        """As `vangnet demo --json` prints it."""
        return {
            "planted": self.judgement.planted,
            "found": self.judgement.found,
            "missed": list(self.judgement.missed),
            "false": list(self.judgement.false),
            "out_of_scope_requests": self.trespasses,
            "urls": self.summary.urls,
            **(self.aftermath.to_json() if self.aftermath else {"notices": None, "removed": None, "still_up": None}),
            "seconds": round(self.seconds, 3),
        }


def demonstrate(
    home: Home,
    lab: Lab,
    *,
    options: Options,
    settings: str,
    user: str | None,
    progress: Callable[[Progress], None],
    say: Callable[[str], None] = lambda _: None,
) -> Demonstration:
    """Crawl a fresh lab with two workers, in a home that `demo_home` made, and follow up what was found.

    settings: the module that `options` come from.  progress: told now and then how far the crawl is.  say: told in a
    line what is done after it.
    Raises whatever a crawl raises.
    """
    _compile()
    with open_session(home, user) as session:
        order = prepare(home, lab, session, settings)
        with server_of(home, options) as url:
            summary = crawl_campaign(home, options, session, order(url), progress)
            hits = list(list_hits(session.db, session.actor, campaign=summary.run.campaign))
            again = RecheckOrder(settings, url, everything=True, wait=MARGIN)
            aftermath = None if summary.interrupted else follow_up(home, lab, session, options, again, say=say)
            if aftermath is not None:
                write_report(make_report(session.db, session.actor), home.root / REPORT)
        seen = lab.seen()
        return Demonstration(
            judgement=judge(hits, lab.truth),
            out_of_scope=seen.out_of_scope,
            summary=summary,
            sites=_sites(lab.plan, {str(hit["image_url"]) for hit in hits}),
            hosters=tuple(Counter(str(hit["hoster"]["holder"]) for hit in hits).most_common()),
            seconds=time.monotonic() - lab.started_at,
            aftermath=aftermath,
        )


def _compile() -> None:
    """Compile the kernels that the sandboxes need, once, before two workers would do it side by side."""
    import_module("crawler.sandbox.examine")


def prepare(home: Home, lab: Lab, session: Session, settings: str) -> Callable[[str], CrawlOrder]:
    """Write the lab's files and import its list. Returns what makes an order of a server's URL."""
    files = home.root / FILES
    try:
        # A name of its own, because a shared server remembers the runs of earlier demonstrations.
        name = f"demo-{time.strftime('%Y%m%d-%H%M%S')}-{lab.port}"
        campaign = lab.write_campaign(files / "campaign.toml", campaign={"name": name}, match={"lists": [LIST]})
        hashes = lab.write_list(files / "list.txt")
        lab.write_table(home.root / "tables" / "lab.tbl")
    except OSError as error:
        raise VangnetError(f"{files}: {error.strerror or error}; the home must be writable") from error
    import_list(session.db, session.actor, hashes, name=LIST, options=ImportOptions(format="lines"))
    return lambda url: CrawlOrder(campaign, WORKERS, settings, url)


def _sites(plan: Plan, hits: set[str]) -> tuple[SiteResult, ...]:
    planted, found = Counter[str](), Counter[str]()
    for url in plan.truth.planted:
        site = plan.sites[parts(url.partition("#")[0]).host]
        planted[site] += 1
        found[site] += url in hits
    return tuple(SiteResult(name, _kind(name), planted[name], found[name]) for name in sorted(set(plan.sites.values())))


def _kind(site: str) -> str:
    """The first clause of a site module's docstring."""
    text = (import_module(f"crawler.lab.sites.{site}").__doc__ or "").split("\n\n")[0].replace("\n", " ")
    return re.split(r"[:,;.](?:\s|$)", text)[0]
