"""Accounting for a run: the summary of its counters, and the end of one in which nothing is left to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from crawler.errors import FrontierLost
from crawler.frontier.figures import RunCounts
from crawler.records import RunId
from crawler.service.deployment import Deployment
from crawler.service.shown import letters_json, urls_json
from crawler.store import campaigns
from crawler.store.actors import Actor
from crawler.store.database import Database
from crawler.store.hit_views import run_counts

_TROUBLE = frozenset({"refused-results", "corrupt-record", "corrupt-discoveries"})
_LETTERS = 50
"""Dead letters that are kept, masked, when their run is over."""

_KEPT = {"pointers": "pointer:", "rendering": "render", "rejected": "rejected:"}
"""How the counters start that are kept when their run is over, by what they are kept as."""


@dataclass(frozen=True, slots=True)
class CrawlSummary:
    """The outcome of `vangnet crawl`. urls: as the design's contract has it."""

    run: RunId
    urls: dict[str, Any]
    images: int
    hits: int
    matches: int
    seconds: float
    interrupted: bool = False
    notes: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "campaign": self.run.campaign,
            "run": self.run.number,
            "urls": self.urls,
            "images": self.images,
            "hits": self.hits,
            "matches": self.matches,
            "seconds": round(self.seconds, 3),
        }


async def close_run(
    db: Database, actor: Actor, deployment: Deployment, run: RunId, counts: RunCounts, *, seconds: float
) -> CrawlSummary:
    """Note that a run in which nothing is left to do is over, and remove it from Redis.

    Raises FrontierLost when it has URLs without an outcome; it is closed all the same, for nothing can end them now.
    """
    summary = summarised(db, run, counts, seconds, interrupted=False)
    letters = await deployment.frontier.dead_letters(run, _LETTERS)
    lost = {"lost": True} if counts.pending else {}
    # What went wrong beside the URLs: a reader of the run's record must not take it for clean.
    trouble = {name: n for name, n in counts.tally.items() if name in _TROUBLE}
    kept = {name: {key: n for key, n in counts.tally.items() if key.startswith(start)} for name, start in _KEPT.items()}
    # Masked even in the lab: what is shown from now on lies unsealed in the database.
    dead = letters_json(db, letters, reveal=False)
    campaigns.finish_run(db, actor, run, summary.to_json() | lost | kept | {"trouble": trouble, "dead_letters": dead})
    # What is still active is found and forgotten by the next command, if this one is killed here.
    await deployment.frontier.forget(run)
    await deployment.control.retire(run)
    await deployment.control.compact()
    if lost:
        raise FrontierLost(
            f"run {run} ended with {counts.pending} URLs without an outcome: the server lost data; what was recorded "
            "is safe, start the campaign again"
        )
    return summary


def summarised(db: Database, run: RunId, counts: RunCounts, seconds: float, *, interrupted: bool) -> CrawlSummary:
    """What a run came to so far. seconds: how long it was watched."""
    recorded = run_counts(db, run)
    return CrawlSummary(
        run=run,
        urls=urls_json(counts),
        images=counts.tally.get("images", 0),
        hits=recorded.hits,
        matches=recorded.matches,
        seconds=seconds,
        interrupted=interrupted,
        notes=counts.tally,
    )
