"""`base href`: against what the references of a document are resolved, where that can be told and where it cannot.

The first usable one counts. Which that is depends on the tree where one stands in a `template`, in SVG or in a
frameset (ignored there), on scripting where it stands in `noscript`, and on the browser where the first is unusable
(the HTML Standard falls back to the document's URL, Chromium goes on to the next).
"""

from __future__ import annotations

import re
from typing import Final

from crawler.discover import tokens
from crawler.discover.resolve import SPACE
from crawler.urls import canonical

_MOST: Final = 3
_MOST_TRIED: Final = 1_000
_BASE: Final = re.compile("<[bB][aA][sS][eE]")  # quicker than a pattern that ignores case
_DOUBTFUL: Final = re.compile(r"<(?:template|svg|math|frameset)\b", re.I)


def bases(text: str, url: str) -> tuple[str, ...]:
    """The canonical URLs that a reference in `text`, the document at `url` (canonical), may be relative to.

    The likeliest comes first; empty without a usable `base href`: then it is `url` alone.
    """
    first = _BASE.search(text)
    if first is None:
        return ()
    certain = _DOUBTFUL.search(text, 0, first.start()) is None
    found: dict[str, None] = {}
    aside: dict[str, None] = {}
    tried = 0
    for name, raw, content, *_ in tokens.start_tags(text):
        if name not in ("base", "noscript"):
            continue
        tried += 1
        if tried > _MOST_TRIED:
            break
        if name == "noscript":
            aside.update(dict.fromkeys(_within(content, url)))
        else:
            href = tokens.attributes(raw).get("href")
            base = None if href is None else canonical(href.strip(SPACE), url)
            if isinstance(base, str):
                found[base] = None
                if certain or len(found) >= _MOST:
                    break
            elif href is not None:
                certain = False
    if not found and not aside:
        return ()
    if found and certain and not aside:
        return tuple(found)
    return tuple({**found, **aside, url: None}) if found else tuple({url: None, **aside})


def _within(text: str, url: str) -> list[str]:
    """The first base in the content of a `noscript`; what is nested in it once more is not looked into."""
    if _BASE.search(text):
        for name, raw, *_ in tokens.start_tags(text):
            base = canonical(tokens.attributes(raw).get("href", "").strip(SPACE), url) if name == "base" else None
            if isinstance(base, str):
                return [base]
    return []
