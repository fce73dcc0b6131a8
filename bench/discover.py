"""Discovery against what Scrapy offers for it: LinkExtractor for links, CSS selectors for everything else.

Both read the same real pages (Debian's documentation packages), from bytes to distinct canonical URLs. The peer comes
in two forms: one whose selectors name just the places that these pages use, so that both find the same (the goal is
about that one), and one that looks wherever images commonly stand, as a crawler of unknown sites has to.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

from scrapy.http import HtmlResponse
from scrapy.linkextractors import LinkExtractor
from w3lib.url import canonicalize_url

from bench.report import Result, main, progress, row
from crawler.discover import srcset
from crawler.discover.endings import BINARY_ENDINGS, ending_of
from crawler.discover.page import discover
from crawler.urls import canonical

# Debian: gimp-help-en, opencv-doc, rust-doc, python3-doc; what is there is read. A set needs a few pages to count.
SETS = {
    "gimp-help-en": "/usr/share/gimp/2.0/help/en",
    "opencv-doc": "/usr/share/doc/opencv-doc/opencv4/html",
    "rust-doc": "/usr/share/doc/rust-doc/html/std",
    "python3-doc": "/usr/share/doc/python3-doc/html/library",
}
FEWEST = 20
Page = tuple[str, bytes]
Reader = Callable[[str, bytes], set[str]]

LINKS = LinkExtractor(canonicalize=True, deny_extensions=(), tags=("a", "area", "iframe"), attrs=("href", "src"))
PLAIN = (
    "img::attr(src), input::attr(src), video::attr(poster), body::attr(background)",
    "link[rel~=stylesheet]::attr(href), link[rel~=icon]::attr(href), link[rel~=next]::attr(href)",
    "link[rel~=prev]::attr(href), link[rel~=alternate]::attr(href), link[rel~=canonical]::attr(href)",
    'meta[property="og:image"]::attr(content), meta[name="twitter:image"]::attr(content)',
)
SOURCE_SETS = "img::attr(srcset), source::attr(srcset)"
MORE = (
    "[data-src]::attr(data-src), [data-original]::attr(data-original), [data-lazy-src]::attr(data-lazy-src)",
    "[data-bg]::attr(data-bg), [data-image]::attr(data-image), [data-full]::attr(data-full)",
    "[background]::attr(background)",
    "object::attr(data), embed::attr(src), frame::attr(src), image::attr(href), source::attr(src)",
)
STYLES = "[style]::attr(style), style::text"
URL_IN_STYLE = re.compile(r"""url\(\s*['"]?([^'")]+)""")
DATA = 'script[type="application/ld+json"]::text, script[type="application/json"]::text'
URL_IN_DATA = re.compile(r'"([^"\s]+\.(?:jpe?g|png|gif|webp))"')


def pages(quick: bool) -> dict[str, list[Page]]:
    """name of the set -> (URL, body) of its pages."""
    found: dict[str, list[Page]] = {}
    for name, folder in SETS.items():
        every = sorted(Path(folder).glob("*.html"))
        files = every[:: max(1, len(every) // (100 if quick else 400))]  # over all of it: neighbours are alike
        if len(files) >= FEWEST:
            found[name] = [(f"http://docs.example/{name}/{file.name}", file.read_bytes()) for file in files]
    return found


def ours(url: str, body: bytes) -> set[str]:
    return {candidate.url for candidate in discover(body, "text/html", url).candidates}


def peer(url: str, body: bytes) -> set[str]:
    """The places that these pages use."""
    return from_response(HtmlResponse(url, body=body, headers={"Content-Type": "text/html"}))


def wide_peer(url: str, body: bytes) -> set[str]:
    """The usual places on pages of any kind."""
    response = HtmlResponse(url, body=body, headers={"Content-Type": "text/html"})
    found = from_response(response)
    values = [value for query in MORE for value in response.css(query).getall()]
    values += [value for text in response.css(STYLES).getall() for value in URL_IN_STYLE.findall(text)]
    values += [value for text in response.css(DATA).getall() for value in URL_IN_DATA.findall(text)]
    return found | {canonicalize_url(response.urljoin(value)) for value in values}


def from_response(response: HtmlResponse) -> set[str]:
    found = {link.url for link in LINKS.extract_links(response)}
    values = [value for query in PLAIN for value in response.css(query).getall()]
    values += [image.url for value in response.css(SOURCE_SETS).getall() for image in srcset.parse(value)]
    return found | {canonicalize_url(response.urljoin(value)) for value in values}


def usable(url: str, found: set[str]) -> set[str]:
    """What of the peer's findings a crawler would take: not the page itself, no other scheme, no archive or film."""
    some = (canonical(each) for each in found)
    endings = BINARY_ENDINGS - {"css"}
    return {each for each in some if isinstance(each, str) and each != url and ending_of(each) not in endings}


def missed(url: str, body: bytes) -> int:
    """How many URLs only the peer found."""
    mine = {canonicalize_url(each) for each in ours(url, body)}
    return len({canonicalize_url(each) for each in usable(url, peer(url, body))} - mine)


def seconds(readers: tuple[Reader, ...], some: list[Page]) -> list[float]:
    """Processor seconds that each reader takes for the pages: of every 25 pages the best of three turns, added up.

    Processor time, and the best: what the code needs, not what others on the machine leave.
    """
    total = [0.0] * len(readers)
    for start in range(0, len(some), 25):
        best = [float("inf")] * len(readers)
        for _ in range(3):
            for number, read in enumerate(readers):
                started = time.process_time()
                for url, body in some[start : start + 25]:
                    read(url, body)
                best[number] = min(best[number], time.process_time() - started)
        total = [whole + one for whole, one in zip(total, best, strict=True)]
    return total


def run(quick: bool) -> Result:
    sets = pages(quick)
    if not sets:
        sys.exit("bench.discover: no pages to read; install some with: apt-get install gimp-help-en opencv-doc")
    rows = []
    for name, some in sets.items():
        count = len(some)
        progress(f"{name}: {count} pages")
        mine, theirs, wide = seconds((ours, peer, wide_peer), some)
        what = f"{name}, {count} pages"
        rows.append(
            row(what, count / mine, "pages/s", peer=count / theirs, peer_name="Scrapy", ratio=theirs / mine, at_least=3)
        )
        rows.append(
            row(
                f"{what}, looking at all usual places",
                count / mine,
                "pages/s",
                peer=count / wide,
                peer_name="Scrapy, more selectors",
                ratio=wide / mine,
            )
        )
        found = sum(len(ours(url, body)) for url, body in some)
        theirs_found = sum(len(usable(url, peer(url, body))) for url, body in some)
        rows.append(row(f"{what}: candidates", found, "URLs", peer=theirs_found, peer_name="Scrapy"))
        rows.append(
            row(f"{what}: found by the peer only", sum(missed(url, body) for url, body in some), "URLs", at_most=0)
        )
    return Result(tuple(rows), "the Python around the tokeniser's pattern: about 8 microseconds a reference")


if __name__ == "__main__":
    main(run)
