"""Entities that an XML document declares for itself: drawings name their images by them.

Within bounds, so there is nothing to bomb with, and nothing outside of the document is read. Source: Extensible Markup
Language (XML) 1.0, 4.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from crawler.discover import tokens

_PROLOGUE: Final = 4_096  # characters in which a document type begins, if there is one
_MOST: Final = 1_000  # declarations that are read
_MOST_TEXT: Final = 1_048_576  # characters that all of them are replaced by
_DEPTH: Final = 8  # of entities within entities
_DOCTYPE: Final = re.compile(
    r"""[ \t\r\n\ufeff]*+(?P<xml><\?xml(?:[^?]++|\?(?!>))*+\?>)?+
      (?:[ \t\r\n]++|<!--(?:[^-]++|-(?!->))*+-->|<\?(?:[^?]++|\?(?!>))*+\?>)*+
      <!DOCTYPE[ \t\r\n]++(?P<root>[^\s\[<>]++)[^\[<>]*+\[""",
    re.X,
)
_DECLARATION: Final = re.compile(
    r"""[ \t\r\n]*+(?:<!ENTITY[ \t\r\n]++(?P<name>[^\s"'&;%<>]++)[ \t\r\n]++
        (?:"(?P<double>[^"]*+)"|'(?P<single>[^']*+)')[ \t\r\n]*+>
      |(?P<end>\][ \t\r\n]*+>)
      |<!--(?:[^-]++|-(?!->))*+-->|<\?(?:[^?]++|\?(?!>))*+\?>|%[^\s;<>]++;
      |<!(?!--)(?:"[^"]*+"|'[^']*+'|[^>"'])*+>)""",
    re.X,
)
_REFERENCE: Final = re.compile(r"&([^\s\"'&;%<>#]{1,200}+);")
_NUMBER: Final = re.compile(r"&#(?:[0-9]{1,8}|x[0-9a-fA-F]{1,8});")
_KNOWN: Final = ("amp", "lt", "gt", "quot", "apos")


def expanded(text: str) -> str:
    """`text` with what it declares in the place of the references; itself when it declares nothing.

    What goes beyond the bounds is left out.
    """
    start = _DOCTYPE.match(text, 0, _PROLOGUE) if "<!ENTITY" in text[: 2 * _PROLOGUE] else None
    if start is None or (start["xml"] is None and start["root"].lower() == "html"):
        return text  # HTML has none
    position = start.end()
    entities = _Entities()
    for _ in range(_MOST):
        found = _DECLARATION.match(text, position)
        if found is None:
            return text
        position = found.end()
        if found["end"]:
            return _REFERENCE.sub(entities.replaced, text[position:])
        if found["name"]:
            entities.declare(found["name"], found["double"] or found["single"] or "")
    return text


@dataclass(slots=True)
class _Entities:
    values: dict[str, str] = field(default_factory=dict)
    left: int = _MOST_TEXT
    depth: int = 0

    def declare(self, name: str, value: str) -> None:
        """Of several with one name the first counts; numbers mean their characters from here on."""
        if name not in _KNOWN:
            self.values.setdefault(name, _NUMBER.sub(lambda match: tokens.unescape(match[0]), value))

    def replaced(self, reference: re.Match[str]) -> str:
        value = self.values.get(reference[1])
        if value is None:
            return reference[0]
        if self.depth >= _DEPTH or len(value) > self.left:
            return ""
        self.left -= len(value)
        if "<" not in value:
            # In an attribute, its quotation marks do not end that.
            value = value.replace('"', "&quot;").replace("'", "&#39;")
        self.depth += 1
        value = _REFERENCE.sub(self.replaced, value)
        self.depth -= 1
        return value
