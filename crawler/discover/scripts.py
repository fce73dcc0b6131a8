"""URLs in data: JSON documents, JSON in scripts, and strings in program text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from crawler.discover.endings import IMAGE_ENDINGS, holds_references, looks_like_image
from crawler.records import Rejected

_MAX_JSON: Final = 2_097_152  # characters that are parsed as JSON; a value takes up to ten times its text
_MAX_VALUES: Final = 200_000  # of one document
_MAX_STRING: Final = 65_536
_IMAGE_KEY: Final = re.compile(
    r"image|img|photo|pict?(?:ure|s|\b|_)|thumb|poster|cover|avatar|logo|banner|background|original|full|large|src|display_?url"
    r"|media_?url|content_?url",
    re.I,
)
_LINK_KEYS: Final = frozenset(
    (
        "url",
        "href",
        "link",
        "permalink",
        "next",
        "prev",
        "next_page",
        "nextpage",
        "item",
        "mainentityofpage",
        "@id",
        "loc",
    )
)
_ABSOLUTE: Final = re.compile(r"(?:https?:)?//[^\s/{}<>]|/[^\s/{}<>]", re.I)
# A run of URL characters behind a quotation mark. Which marks open and which close is not decided: a stray one in a
# comment or a regular expression would turn all that follows inside out.
_QUOTED: Final = re.compile(r"""["'`]((?:[^"'`\s<>\\(){}]++|\\/|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2})++)(?=\\?["'`])""")
# Found in every text with a string that could end like an image; an escape may stand for any letter.
_ENDING: Final = re.compile(rf"\.(?:{'|'.join(sorted(IMAGE_ENDINGS))}|\\)", re.I)
_DATA: Final = "data:image"
_ESCAPE: Final = re.compile(r"\\(?:(/)|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))")
_LOCATION: Final = re.compile(
    r"""\b(?:location(?:\.href)?\s{0,8}=|location\.(?:assign|replace)\(|window\.open\()\s{0,8}["']([^"'<>\\\s]++)["']"""
)


def parsed(text: str) -> object:
    """The value of a JSON text; a Rejected when it is none, or too long or too deep to parse."""
    if len(text) > _MAX_JSON:
        return Rejected("too-long")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return Rejected("not-json")


def from_value(value: object) -> Iterator[tuple[str, str]]:
    """(URL as written or markup, source) of the strings in a parsed JSON value, in their order.

    The sources are those of `sources.SOURCES`, and "markup" for strings that hold HTML. At most _MAX_VALUES values are
    looked at.
    """
    stack: list[tuple[str, bool, object]] = [("", False, value)]
    for _ in range(_MAX_VALUES):
        if not stack:
            return
        key, of_image, item = stack.pop()
        if isinstance(item, str):
            yield from _judged(key, item, of_image=of_image)
        elif isinstance(item, list):
            stack.extend((key, of_image, each) for each in reversed(item))
        elif isinstance(item, dict):
            about_image = _IMAGE_KEY.search(key) is not None or _is_image_object(item.get("@type"))
            stack.extend((str(name), about_image, each) for name, each in reversed(item.items()))


def _is_image_object(kind: object) -> bool:
    """Whether that is the type, or one of the types, that an object says it has (https://schema.org/ImageObject)."""
    kinds = kind[:8] if isinstance(kind, list) else (kind,)
    return any(isinstance(each, str) and "ImageObject" in each[-200:] for each in kinds)


def _judged(key: str, text: str, *, of_image: bool) -> Iterator[tuple[str, str]]:
    text = text.strip()
    if not text or (len(text) > _MAX_STRING and not text.startswith("data:image/")):
        return
    if "<" in text:
        if holds_references(text):
            yield text, "markup"
        return
    image_key = of_image or _IMAGE_KEY.search(key) is not None
    if text.startswith("data:image/") or (looks_like_image(text) and (image_key or "/" in text)):
        yield text, "json"
    elif _ABSOLUTE.match(text) and not any(mark in text for mark in " {}"):
        if image_key:
            yield text, "json"
        elif key.lower() in _LINK_KEYS:
            yield text, "json-link"


def from_program(text: str) -> Iterator[tuple[str, str]]:
    """(URL as written, source) of strings in program text that end like images or hold one (`data:`), and of pages that
    it goes to."""
    for match in _QUOTED.finditer(text) if _ENDING.search(text) or _DATA in text else ():
        string = match[1]
        if string.startswith(_DATA):
            if "base64," in string:  # another form may go on behind a quotation mark of its own
                yield _ESCAPE.sub(_unescaped, string) if "\\" in string else string, "script"
        elif len(string) <= 4_096 and "." in string:
            string = _ESCAPE.sub(_unescaped, string) if "\\" in string else string
            if looks_like_image(string) and "$" not in string:
                yield string, "script"
    if "location" in text or "window.open" in text:
        for match in _LOCATION.finditer(text):
            yield match[1], "onclick"


def _unescaped(match: re.Match[str]) -> str:
    slash, long, short = match.groups()
    return slash or chr(int(long or short, 16))
