"""Larger originals behind thumbnails: guesses by naming schemes, and only where the page's own links show the scheme.

A scheme counts for a host when, on this page, it turns one named URL of that host into another one. Guesses are
candidates of the lowest priority and count as "guess", apart from what was named.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping
from typing import Final

from crawler.records import Candidate, Kind
from crawler.urls import host_key

MAX_GUESSES: Final = 500  # of one page
_MAX_NAMESAKES: Final = 8
_END: Final = r"(?=\.[A-Za-z]{3,4}\Z)"
_SMALL: Final = r"(?:s|t|m|n|q|th|tn|thumb|thumbnail|small|sm|mini|preview|medium|md)"
_FOLDER: Final = r"/(?:thumbs?|thumbnails?|small|mini|previews?|tn|medium|resized|cache)/"
_SIZE: Final = "w|h|width|height|size|s|q|quality|fit|crop|resize|auto|dpr|strip|mode|maxwidth|maxheight"

# (what marks the small form, what stands there in the large one)
_SCHEMES: Final[tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]] = tuple(
    (re.compile(pattern), replacements)
    for pattern, replacements in (
        (rf"-\d{{2,4}}x\d{{2,4}}{_END}", ("",)),  # WordPress
        (r"/thumb(/[0-9a-f]/[0-9a-f]{2}/[^/]+)/(?:[a-z0-9]+-)*\d+px-[^/]+\Z", (r"\1",)),  # MediaWiki
        (rf"[._-]{_SMALL}{_END}", ("", "_b", "_o", "_l", "_large", "_full", "_orig", "_original", "-large", "-full")),
        (rf"/{_SMALL}[_-](?=[^/]+\Z)", ("/", "/large_", "/full_")),
        (
            _FOLDER,
            (
                "/",
                "/images/",
                "/img/",
                "/full/",
                "/large/",
                "/original/",
                "/originals/",
                "/photos/",
                "/pictures/",
                "/big/",
            ),
        ),
        (
            r"/(?:s\d{2,4}(?:-c|x\d{2,4})?|w_?\d{2,4}(?:[,_x]h?_?\d{2,4})?(?:,[a-z0-9_,]*)?|\d{2,4}x\d{2,4})/",
            ("/", "/s0/"),
        ),
        (rf"\?(?:(?:{_SIZE})=[^&]*+(?:&|\Z))+\Z", ("",)),
    )
)

# Found in every URL that one of these patterns could fit.
_HINT: Final = re.compile(
    r"[-_./](?:[sq]|t(?:h|n|humbs?|humbnails?)?|m(?:ini|edium|d)?|n|sm(?:all)?|previews?|resized|cache)[-_./]"
    r"|[0-9](?:px-|[0-9][-_/x,.])|\?"
)


def guesses(named: Mapping[str, Candidate]) -> list[str]:
    """Canonical URLs of originals that nobody named, at most MAX_GUESSES. named: what the page names, by URL."""
    images = [url for url, candidate in named.items() if candidate.kind is Kind.IMAGE]
    if len(images) < 2:
        return []
    found: dict[str, None] = {}
    for proposals in (_by_scheme(images, named), _by_folder(images)):
        for url in proposals:
            if url not in named:
                found[url] = None
                if len(found) >= MAX_GUESSES:
                    return list(found)
    return list(found)


def _by_scheme(images: list[str], named: Container[str]) -> Iterator[str]:
    if not _HINT.search("\n".join(images), 8):
        return iter(())
    shown: set[tuple[str, str]] = set()
    proposals: list[tuple[tuple[str, str], str]] = []
    for url in images:
        if not _HINT.search(url, 8):
            continue
        host = host_key(url)
        for pattern, replacements in _SCHEMES:
            match = pattern.search(url, 8)
            if match is None:
                continue
            for replacement in replacements:
                large = url[: match.start()] + match.expand(replacement) + url[match.end() :]
                scheme = (host, pattern.pattern + replacement)
                proposals.append((scheme, large))
                if large in named:
                    shown.add(scheme)
    return (large for scheme, large in proposals if scheme in shown)


def _by_folder(images: list[str]) -> Iterator[str]:
    """Two images of one name whose paths differ in one folder show that the folders stand for sizes."""
    if len({url[url.rindex("/") :] for url in images}) == len(images):
        return
    namesakes: defaultdict[tuple[str, str, int], list[list[str]]] = defaultdict(list)
    for url in images:
        pieces = url.split("/")
        group = namesakes[(pieces[2], pieces[-1], len(pieces))]
        if len(group) < _MAX_NAMESAKES:
            group.append(pieces)
    pairs: dict[tuple[str, int, int, str, str], int] = defaultdict(int)
    for (host, _, length), group in namesakes.items():
        for one in group:
            for other in group:
                places = [place for place in range(3, length - 1) if one[place] != other[place]]
                if len(places) == 1:
                    pairs[(host, length, places[0], one[places[0]], other[places[0]])] += 1
    by_place = {
        (host, length, place, one): other for (host, length, place, one, other), count in pairs.items() if count > 1
    }
    for url in images:
        pieces = url.split("/")
        for place in range(3, len(pieces) - 1):
            folder = by_place.get((pieces[2], len(pieces), place, pieces[place]))
            if folder is not None:
                yield "/".join([*pieces[:place], folder, *pieces[place + 1 :]])
