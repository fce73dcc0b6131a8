"""What the tests of discovery share."""

from __future__ import annotations

from crawler.discover.page import discover
from crawler.records import Candidate, PageContent

PAGE = "http://site.example/dir/page.html"


def content(markup: str | bytes, url: str = PAGE, content_type: str | None = "text/html; charset=utf-8") -> PageContent:
    body = markup.encode() if isinstance(markup, str) else markup
    return discover(body, content_type, url)


def by_url(markup: str | bytes, url: str = PAGE, content_type: str | None = "text/html") -> dict[str, Candidate]:
    """The candidates, by URL without "http://site.example" in front."""
    found = content(markup, url, content_type).candidates
    return {each.url.removeprefix("http://site.example"): each for each in found}


def sources(markup: str | bytes, url: str = PAGE, content_type: str | None = "text/html") -> dict[str, str]:
    """URL (as above) -> source."""
    return {url: each.source for url, each in by_url(markup, url, content_type).items()}


def kinds(markup: str | bytes, url: str = PAGE, content_type: str | None = "text/html") -> dict[str, str]:
    """URL (as above) -> kind."""
    return {url: str(each.kind) for url, each in by_url(markup, url, content_type).items()}
