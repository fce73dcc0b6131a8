from __future__ import annotations

from dataclasses import replace

import pytest

from crawler.recheck.outcome import Outcome, Visit, judge

GONE = Visit("http-404", same=False)
SEEN = Visit("image", same=True)


@pytest.mark.parametrize(
    ("visit", "outcome", "detail"),
    [
        (SEEN, Outcome.UP, "image"),
        (Visit("undecodable", same=True), Outcome.UP, "image"),
        (Visit("page", same=True, inline=True), Outcome.UP, "image"),
        (replace(SEEN, other_site=True), Outcome.MOVED, "other-site"),
        (replace(SEEN, other_hoster=True), Outcome.MOVED, "other-hoster"),
        (GONE, Outcome.ABSENT, "http-404"),
        (replace(GONE, answer="http-410"), Outcome.ABSENT, "http-410"),
        (replace(GONE, answer="page"), Outcome.ABSENT, "page"),
        (replace(GONE, answer="page", inline=True), Outcome.ABSENT, "page-without-it"),
        (replace(GONE, expiring=True), Outcome.EXPIRED, "http-404"),
        (replace(GONE, answer="http-403", expiring=True), Outcome.EXPIRED, "http-403"),
        (replace(GONE, answer="http-403"), Outcome.BLOCKED, "http-403"),
        (replace(GONE, answer="closed"), Outcome.BLOCKED, "closed"),
        (replace(GONE, answer="robots"), Outcome.BLOCKED, "robots"),
        (replace(GONE, answer="http-429"), Outcome.BLOCKED, "http-429"),
        (replace(GONE, answer="connect-timeout"), Outcome.UNREACHABLE, "connect-timeout"),
        (replace(GONE, answer="http-503"), Outcome.UNREACHABLE, "http-503"),
        (replace(GONE, answer="image"), Outcome.CHANGED, "other-image"),
        (replace(GONE, answer="undecodable"), Outcome.UNKNOWN, "undecodable"),
        (replace(GONE, answer="image", covered=False), Outcome.UNKNOWN, "list-not-searched"),
        (replace(GONE, covered=False), Outcome.ABSENT, "http-404"),
    ],
)
def test_what_a_visit_says(visit: Visit, outcome: Outcome, detail: str) -> None:
    judged = judge(visit)
    assert (judged.outcome, judged.detail) == (outcome, detail)
