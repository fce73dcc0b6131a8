"""The `srcset` attribute, parsed as the HTML Standard says (4.8.4.3.10), not split at commas."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_SPACE: Final = " \t\n\r\f"
_LEADING: Final = re.compile(r"[ \t\n\r\f,]*+")
_URL: Final = re.compile(r"[^ \t\n\r\f]++")
_DESCRIPTORS: Final = re.compile(r"(?:[^,(]++|\([^)]*+(?:\)|\Z))*+")
_TOKEN: Final = re.compile(r"(?:[^ \t\n\r\f(]++|\([^)]*+(?:\)|\Z))++")
_INTEGER: Final = re.compile(r"[0-9]+\Z")
_FLOAT: Final = re.compile(r"-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")


@dataclass(frozen=True, slots=True)
class ImageCandidate:
    """One image of a set. size: its width in pixels, or its density, whichever its descriptor gives (1.0 without one).

    valid: whether a browser would consider it; of a faulty descriptor it drops the image.
    """

    url: str
    size: float = 1.0
    valid: bool = True


def parse(value: str, most: int = 1_000) -> list[ImageCandidate]:
    """The candidates of a `srcset` or `imagesrcset` value, at most `most`, faulty ones marked."""
    found: list[ImageCandidate] = []
    position = 0
    while len(found) < most:
        leading = _LEADING.match(value, position)
        url = _URL.match(value, leading.end() if leading else position)
        if url is None:
            break
        position = url.end()
        if url[0].endswith(","):
            # A browser takes every trailing comma off; the descriptors are empty then.
            found.append(ImageCandidate(url[0].rstrip(",")))
            continue
        descriptors = _DESCRIPTORS.match(value, position)
        text = descriptors[0] if descriptors else ""
        position += len(text) + 1
        found.append(_candidate(url[0], _TOKEN.findall(text)))
    return found


def _candidate(url: str, descriptors: list[str]) -> ImageCandidate:
    width: int | None = None
    density: float | None = None
    height: int | None = None
    for text in descriptors:
        number, unit = text[:-1], text[-1]
        if unit == "w" and _INTEGER.match(number) and width is None and density is None and _above_zero(number):
            width = int(number[:9])
        elif unit == "h" and _INTEGER.match(number) and height is None and density is None and _above_zero(number):
            height = int(number[:9])
        elif unit == "x" and _FLOAT.match(number) and width is None and height is None and density is None:
            density = float(number)
            if density < 0:
                return ImageCandidate(url, valid=False)
        else:
            return ImageCandidate(url, valid=False)
    if height is not None and width is None:
        return ImageCandidate(url, valid=False)
    return ImageCandidate(url, float(width) if width is not None else 1.0 if density is None else density)


def _above_zero(digits: str) -> bool:
    return digits.strip("0") != ""
