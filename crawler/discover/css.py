"""Style sheets and `style` attributes: the images they name, and the sheets they import.

Source: CSS Syntax Module Level 3 (tokens), CSS Images Module Level 4 (`image-set()`), CSS Cascading and Inheritance
Level 5 (`@import`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_STRING: Final = r"""(?:"(?:[^"\\\n]++|\\.)*+(?:"|(?=\n)|\Z|\\\Z)|'(?:[^'\\\n]++|\\.)*+(?:'|(?=\n)|\Z|\\\Z))"""
_TOKEN: Final = re.compile(
    rf"""
      /\*.*?(?:\*/|\Z)
    | (?P<import>@(?:-[a-z]+-)?import\b)
    | (?P<namespace>@namespace\b)
    | \b(?:url|src)\([ \t\n\r\f]*+
        (?: (?P<quoted>{_STRING}) | (?P<bare>(?:[^"'()\\ \t\n\r\f]++|\\(?:[0-9a-f]{{1,6}}+[ \t\n\r\f]?+|.))*+) )
        [ \t\n\r\f]*+ (?(bare)(?:[^)\\]++|\\.)*+) \)?
    | (?P<set>(?:-webkit-)?image-set\()
    | (?P<string>{_STRING})
    | (?P<open>\()
    | (?P<close>\))
    | (?P<end>[;{{}}])
    """,
    re.S | re.I | re.X,
)
_FONT: Final = re.compile(r"\.(?:woff2?|ttf|otf|eot)(?:[?#]|\Z)", re.I)
_ESCAPE: Final = re.compile(r"\\(?:([0-9a-fA-F]{1,6})(?:\r\n|[ \t\n\r\f])?|(\r\n|[\n\r\f])|(.))", re.S)
# An escaped letter means the letter wherever it stands, so it may be resolved before the tokens are told apart.
_ESCAPED_LETTER: Final = re.compile(r"\\(?:0{0,4}([46][1-9a-f]|[57][0-9a])(?:[ \t\n\r\f]|(?![0-9a-f]))|([g-z]))", re.I)


def references(text: str) -> Iterator[tuple[str, bool]]:
    """(URL as written, whether it is an imported sheet) of every reference that a browser might load as such.

    Fonts, namespaces and references into the document itself are left out. Comments and strings are read as such.
    """
    importing, skipping = False, False
    depth = 0  # of parentheses, counted from an image-set() on
    for match in _TOKEN.finditer(_with_letters(text)):
        group = match.lastgroup
        if group == "end":
            importing, skipping, depth = False, False, 0
        elif group in ("import", "namespace"):
            importing, skipping = group == "import", group == "namespace"
        elif group == "set":
            depth = 1
        elif group in ("open", "close"):
            depth += 0 if not depth else 1 if group == "open" else -1
        elif group is not None and not skipping and (group != "string" or importing or depth == 1):
            url = unescape(match[group])
            if url and url[0] != "#" and not _FONT.search(url[-64:]):
                yield url, importing
            importing = False


def unescape(token: str) -> str:
    """The value of a string or URL token: quotes off, escapes resolved (CSS Syntax 4.3.7)."""
    if token[:1] in ('"', "'"):
        token = token[1:-1] if len(token) > 1 and token[-1] == token[0] else token[1:]
    return _ESCAPE.sub(_unescaped, token).strip() if "\\" in token else token.strip()


def _unescaped(match: re.Match[str]) -> str:
    code, newline, character = match.groups()
    if code is not None:
        number = int(code, 16)
        return "\ufffd" if number == 0 or number > 0x10FFFF or 0xD800 <= number < 0xE000 else chr(number)
    return "" if newline is not None else character


def _with_letters(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPED_LETTER.sub(lambda match: match[2] or chr(int(match[1], 16)), text)
