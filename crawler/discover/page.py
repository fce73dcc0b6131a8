"""One document to its candidates: who reads it, and what was found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from crawler.discover import css, encoding, feed, html, links, listing, originals, scripts, sitemap, sniff
from crawler.discover.acts import acts
from crawler.discover.collect import MAX_CANDIDATES, Collector
from crawler.discover.sketch import sketch
from crawler.discover.sources import SOURCES
from crawler.records import Candidate, Kind, PageContent, Rejected
from crawler.urls import canonical


def discover(
    body: bytes,
    content_type: str | None,
    url: str,
    headers: Sequence[tuple[str, str]] = (),
    limit: int = MAX_CANDIDATES,
    *,
    files: bool = False,
) -> PageContent:
    """Every URL that a browser or visitor of this document might ask for next, and the images in the document itself.

    body: as received, decompressed; sniff.MAX_BODY bytes of it are read.  content_type: the header's value, a hint.
    url: the document's own, canonical.  headers: of the answer.  limit: at most so many candidates.
    files: whether videos, archives and PDF files are wanted, which are candidates for the image lane then.
    The candidates are distinct, without `url` itself, by priority and then in the order of the document.
    Never raises, whatever the body is. `rejected` counts what was left aside: reasons of `urls.canonical`, "acts",
    "binary", "cut", "sorting", "media", "data-…", "depth"; "body-cut", "body-binary" and "body-damaged" for the body.
    """
    body, problem = sniff.readable(body)
    text, codec = encoding.decode(body, content_type)
    collector = Collector(url, codec, limit, files=files)
    collector.html = "text/html" in (content_type or "").lower()
    if problem is not None:
        collector.count(problem)
    for raw, name in links.from_headers(headers):
        collector.add(raw, name)
    form = sniff.form_of(text, content_type, url)
    _READERS[form](text, collector)
    for guess in originals.guesses(collector.found):
        collector.put(guess, "guess")
    found = collector.candidates()
    if form != "html":
        return collector.content(found, None)
    # The bytes as they came say the same, unless they are in two bytes a letter.
    markup = text.encode("utf-8", "replace") if codec.startswith("utf-16") else body
    return collector.content(found, sketch(markup, found))


def redirect_candidate(
    location: str, base: str, kind: Kind = Kind.PAGE, priority: int = SOURCES["redirect"].priority
) -> Candidate | Rejected:
    """Where a redirect leads, as a candidate of its own; base: the URL that redirected, canonical.

    kind, priority: those of the URL that redirected. Rejected: the reasons of `urls.canonical`, "acts", or "loop" for a
    redirect to itself.
    """
    url = canonical(location, base)
    if isinstance(url, Rejected):
        return url
    if url == base:
        return Rejected("loop")
    return Rejected("acts") if acts(url, base) else Candidate(url, kind, "redirect", priority)


def _sheet(text: str, collector: Collector) -> None:
    for raw, imported in css.references(text):
        collector.add(raw, "sheet" if imported else "css")


def _json(text: str, collector: Collector) -> None:
    value = scripts.parsed(text)
    if isinstance(value, Rejected):
        html.take(scripts.from_program(text), collector)
    elif not listing.from_json(value, collector):
        html.take(scripts.from_value(value), collector)


def _program(text: str, collector: Collector) -> None:
    html.take(scripts.from_program(text), collector)


def _text(text: str, collector: Collector) -> None:
    if sitemap.is_text(text):
        sitemap.scan_text(text, collector)


def _html(text: str, collector: Collector) -> None:
    html.scan(text, collector, listing.naming(collector) if listing.is_listing(text) else None)


_READERS: Final[dict[str, Callable[[str, Collector], None]]] = {
    "css": _sheet,
    "feed": feed.scan,
    "html": _html,
    "json": _json,
    "list": listing.from_xml,
    "program": _program,
    "sitemap": sitemap.scan,
    "text": _text,
}
