"""The second half of a demonstration: two people, notices, hosters that act or do not, re-visits, and a report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from crawler.home import Home
from crawler.lab.hosters import Acted, read_mail
from crawler.lab.process import Lab
from crawler.options import Options
from crawler.review.states import Status
from crawler.service.actors import identify
from crawler.service.delivery import outbox_of, send_notices
from crawler.service.hits import confirm_hit, list_hits
from crawler.service.notices import approve_notice, draft_notices
from crawler.service.rechecks import RecheckOrder, RecheckSummary, run_rechecks
from crawler.service.session import Session

FIRST, SECOND = "anna", "bram"
"""Who confirms, and who approves."""
MARGIN = 120.0
"""Seconds that a demonstration goes on visiting; the lab's misses are a second apart."""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What became of the hits.

    notices: that left.  removed, still_up: hits.  wrong: ids of hits whose status is not what their hoster did.
    """

    notices: int
    removed: int
    still_up: int
    wrong: tuple[str, ...]
    visits: RecheckSummary

    def to_json(self) -> dict[str, Any]:
        """What `vangnet demo --json` prints of it."""
        return {"notices": self.notices, "removed": self.removed, "still_up": self.still_up}


def follow_up(
    home: Home, lab: Lab, session: Session, options: Options, order: RecheckOrder, *, say: Callable[[str], None]
) -> Aftermath:
    """Confirm, draft, approve, send, let the lab's hosters read their mail, and visit again.

    say: told in a line what is done. Raises whatever these acts raise.
    """
    db = session.db
    first, second = (identify(db, name) for name in (FIRST, SECOND))
    hits = list(list_hits(db, first, status=Status.NEW))
    say(f"{FIRST} confirms {len(hits)} hits, {SECOND} approves the notices")
    for hit in hits:
        # Pictures made in code; in earnest, those of class B and C are assessed where it is allowed to look.
        confirm_hit(db, first, hit["id"], reason="a planted picture of the lab", assessment="lab")
    for draft in draft_notices(db, first, options)["drafts"]:
        approve_notice(db, second, options, draft["id"], revision=draft["revision"])
    sent = send_notices(home, db, second, options, outbox_of(home, options))["sent"]
    acted = read_mail(home.root / "outbox", lab)
    say(f"{len(sent)} notices left; hosters removed {len(acted.removed)} URLs, replaced {len(acted.replaced)}")
    visits = run_rechecks(home, options, db, second, order, progress=say)
    ended = list(list_hits(db, first))
    counts = {status: sum(hit["status"] == status for hit in ended) for status in Status}
    return Aftermath(
        notices=len(sent),
        removed=counts[Status.REMOVED],
        still_up=counts[Status.STILL_UP],
        wrong=tuple(hit["id"] for hit in ended if not _fits(hit, acted)),
        visits=visits,
    )


def _fits(hit: dict[str, Any], acted: Acted) -> bool:
    """Whether a hit stands where its hoster's deed leads."""
    url = str(hit["image_url"]).partition("#data-")[0]
    if url in acted.removed:
        return bool(hit["status"] == Status.REMOVED)
    if url in acted.ignored:
        # Some of the lab's sites show an image only to who came by its page: those are blocked for a visit.
        return hit["status"] in (Status.STILL_UP, Status.MOVED, Status.NOTICED)
    return bool(hit["status"] == Status.NOTICED)
