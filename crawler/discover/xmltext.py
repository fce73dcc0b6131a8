"""XML as a stream of elements, for sitemaps and feeds: tolerant as their readers are, in time linear to the text.

Entities that a document defines are never expanded, and nothing outside it is read, so there is nothing to bomb with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from crawler.discover import tokens

_PIECE: Final = re.compile(
    r"""<!--.*?(?:-->|\Z)
      | <!\[CDATA\[(?P<cdata>.*?)(?:\]\]>|\Z)
      | </(?P<end>[^\s>]*+)[^>]*+(?:>|\Z)
      | <(?P<start>[A-Za-z_][^\s/>]*+)(?P<raw>(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^>"']++)*+)(?:>|\Z)
      | <[^>]*+
      | (?P<text>[^<]++)""",
    re.S | re.X,
)


@dataclass(frozen=True, slots=True)
class Element:
    """One element's start (with the character data up to its next tag) or its end.

    name: local name, lower case.  prefix: lower case, "" without one.
    """

    name: str
    prefix: str
    raw: str = ""
    text: str = ""
    is_end: bool = False

    def attributes(self) -> dict[str, str]:
        """Attributes by name in lower case, prefixes included."""
        return tokens.attributes(self.raw)


def elements(text: str) -> Iterator[Element]:
    """The starts and ends of the elements of `text`, in order. An empty element has both."""
    open_name, raw, data = "", "", [""]
    for match in _PIECE.finditer(text):
        group = match.lastgroup
        if group == "text":
            data.append(tokens.unescape_text(match["text"]))
        elif group == "cdata":
            data.append(match["cdata"])
        elif group is not None:
            if open_name:
                yield _element(open_name, raw, "".join(data).strip())
            open_name, raw, data = "", "", []
            if group == "end":
                yield _element(match["end"], is_end=True)
            else:
                open_name, raw = match["start"], match["raw"]
                if raw.endswith("/"):
                    yield _element(open_name, raw[:-1])
                    yield _element(open_name, is_end=True)
                    open_name = ""
    if open_name:
        yield _element(open_name, raw, "".join(data).strip())


def _element(qualified: str, raw: str = "", text: str = "", *, is_end: bool = False) -> Element:
    prefix, _, name = qualified.lower().rpartition(":")
    return Element(name, prefix, raw, text, is_end)
