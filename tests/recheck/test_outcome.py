from __future__ import annotations

from dataclasses import replace

import pytest

from crawler.recheck.outcome import Judged, Look, Outcome, Visit, is_missed, judge, judge_look

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
        (replace(GONE, answer="page-not-rendered", inline=True), Outcome.UNKNOWN, "not-rendered"),
        (replace(GONE, answer="page-not-rendered"), Outcome.ABSENT, "page"),
        (replace(GONE, answer="page-not-rendered", covered=False), Outcome.UNKNOWN, "list-not-searched"),
        (Visit("page-not-rendered", same=True, inline=True), Outcome.UP, "image"),
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


SIGNED = "https://a.example/1.jpg?X-Amz-Signature=0123456789abcdef"


@pytest.mark.parametrize(
    ("answer", "url", "missed"),
    [
        ("http-404", "https://a.example/1.jpg", True),
        ("image", "https://a.example/1.jpg", True),
        ("page", "https://a.example/1.jpg", True),
        ("page-not-rendered", "https://a.example/1.jpg", True),
        ("http-403", "https://a.example/1.jpg", False),
        ("http-403", SIGNED, True),
        ("http-400", SIGNED, True),
        ("undecodable", "https://a.example/1.jpg", False),
        ("connect-timeout", SIGNED, False),
    ],
)
def test_what_is_missed_may_be_shown_elsewhere(answer: str, url: str, missed: bool) -> None:
    assert is_missed(answer, url) is missed


@pytest.mark.parametrize(
    ("look", "said"),
    [
        (Look(), Judged(Outcome.MOVED, "same-page")),
        (Look(other_page=True), Judged(Outcome.MOVED, "other-page")),
        (Look(other_site=True), Judged(Outcome.MOVED, "page-of-other-site")),
        (Look(same_resource=True), Judged(Outcome.UP, "signed-anew")),
        (Look(known=True), None),
    ],
)
def test_what_the_page_says_of_an_image_that_was_missed(look: Look, said: Judged | None) -> None:
    assert judge_look(look) == said
