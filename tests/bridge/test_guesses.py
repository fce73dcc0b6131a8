"""Sitemaps at the well-known places: tried where none is named, and no failure where none is."""

from __future__ import annotations

from crawler.bridge.answers import Answered
from crawler.bridge.pages import PageJudge
from crawler.records import Candidate, Done, Failed, Kind, Outcome, Retry, Skipped
from tests.bridge.parts import ADDRESS, HOST, Runs, answer, lease, served


async def ended(
    url: str, kind: Kind, status: int = 200, body: bytes = b"", referrer: str | None = None
) -> Outcome | None:
    judge = PageJudge(Runs(served()), 100)
    fetched = answer(status, url=url, body=body, kind="text")
    return (await judge.answered(lease(url, kind, referrer=referrer), Answered(fetched))).completion.outcome


def named(outcome: Outcome | None) -> tuple[Candidate, ...]:
    assert isinstance(outcome, Done)
    return () if outcome.discovered is None else outcome.discovered.candidates


async def test_they_are_tried_where_robots_names_none() -> None:
    for status in (200, 404):
        found = named(await ended(f"{HOST}/robots.txt", Kind.ROBOTS, status))
        assert found == (
            Candidate(f"{HOST}/sitemap.xml", Kind.FEED, "robots", 7),
            Candidate(f"{HOST}/sitemap_index.xml", Kind.FEED, "robots", 7),
        )
    body = b"Sitemap: /mine.xml"
    assert [each.url for each in named(await ended(f"{HOST}/robots.txt", Kind.ROBOTS, body=body))] == [
        f"{HOST}/mine.xml"
    ]
    assert named(await ended(f"http://{ADDRESS}/robots.txt", Kind.ROBOTS)) == ()


async def test_a_wrong_guess_is_no_failure() -> None:
    for status in (403, 404, 410, 401):
        assert await ended(f"{HOST}/sitemap.xml", Kind.FEED, status) == Skipped("no-sitemap")
    page = b"<!doctype html><title>x</title><a href=/y>y</a>"
    assert await ended(f"{HOST}/sitemap.xml", Kind.FEED, body=page) == Skipped("no-sitemap")
    assert isinstance(await ended(f"{HOST}/sitemap.xml", Kind.FEED, body=b"<urlset></urlset>"), Done)
    assert isinstance(await ended(f"{HOST}/sitemap.xml", Kind.FEED, 503), Retry)
    # What somebody named is one, and so is everything else.
    assert isinstance(await ended(f"{HOST}/sitemap.xml", Kind.FEED, 404, referrer=f"{HOST}/"), Failed)
    assert isinstance(await ended(f"{HOST}/mine.xml", Kind.FEED, 404), Failed)
    assert isinstance(await ended(f"{HOST}/sitemap.xml", Kind.PAGE, 404), Failed)
