"""Sites with two faces: when an answer is worth a second question under another name, and when both answers differ."""

from __future__ import annotations

from typing import Final

from crawler.records import Fetched, Kind

PLACEHOLDER_BYTES: Final = 1_024
"""An image of at most so many bytes may stand in the place of another."""

_REFUSALS: Final = frozenset({403, 404})


def looks_refused(kind: Kind, fetched: Fetched) -> bool:
    """Whether an image or a page may be shown to others. kind: what the URL was asked for as."""
    if kind not in (Kind.IMAGE, Kind.PAGE, Kind.RECHECK):
        return False
    if fetched.status in _REFUSALS:
        return True
    return kind is not Kind.PAGE and _is_usable(fetched) and _is_placeholder(fetched)


def shows_more(first: Fetched, second: Fetched) -> bool:
    """Whether the second answer has what the first had not."""
    if not _is_usable(second):
        return False
    # Pages differ from one request to the next; that alone says nothing.
    replaced = second.kind == "image" and second.body != first.body
    return not _is_usable(first) or second.kind != first.kind or replaced


def _is_usable(fetched: Fetched) -> bool:
    return 200 <= fetched.status < 300


def _is_placeholder(fetched: Fetched) -> bool:
    if fetched.kind == "image":
        return len(fetched.body) <= PLACEHOLDER_BYTES
    return fetched.kind in (None, "html")
