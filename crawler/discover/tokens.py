"""HTML as a stream of start tags, tokenised as the HTML Standard says (13.2.5), in time linear to the text.

No tree is built: which URLs a page names does not depend on it, and building one is quadratic in the nesting depth and
in the number of attributes of an element (100 kB of `<div>` take Lexbor 0.7 s), which a hostile page chooses. What
the tree decides otherwise is handled by reading more than a browser would: text of elements such as `noscript` and
`textarea` is handed over as markup of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.entities import html5
from typing import Final

from crawler.discover import plain
from crawler.discover.plain import S as _S

_NAME: Final = r"(?:=[^ \t\n\r\f/>=]*+|[^ \t\n\r\f/>=]++)"
_VALUE: Final = r"""(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^ \t\n\r\f>]*+)"""
# Elements that may name something whatever their attributes are called, and those whose content is text.
_TELLING: Final = (
    "a|img|area|link|meta|base|image|feimage|use|i?frame|fencedframe|portal|object|embed|input|option|param|source|video|amp-[a-z]+"
    "|script|style|title|textarea|xmp|noembed|noframes|noscript"
)
# Attributes that hold no reference whatever their value is, and values that none of the others could mean one with. A
# character reference ("&") may stand for anything.
_DULL_ATTRIBUTE: Final = (
    r"""(?:(?:class|id|align|valign|width|height|colspan|rowspan|border|lang|name|role|title|type|scope|xmlns(?::[a-z]++)?+)="[^"]*+"|"""
    r"""style="[^"(@\\&]*+"|on[a-z]++="(?:[^".&l]++|l(?!ocation))*+"|"""
    r"""(?!(?i:background))[^ \t\n\r\f/>="']++(?:="[^"./<({\[&]*+"|=[^ \t\n\r\f"'>./<({\[&]++|(?!=)))"""
)
# Anchors that lead nowhere, and what most pages say of themselves.
_DULL_TELLING: Final = (
    rf'a(?:{_S}++(?:id|class|name|title|target|accesskey)="[^"]*+")*+'
    rf'|meta{_S}++(?:name|http-equiv)="(?:generator|viewport|description|keywords|author|robots|[cC]ontent-[tT]ype'
    rf'|X-UA-Compatible)"{_S}++content="[^"]*+"'
)
# The usual names come first and in lower case, where the pattern's engine is quick to tell them apart.
_DULL_NAME: Final = (
    r"(?:p|div|span|t[dhr]|table|tbody|thead|li|ul|ol|d[ltd]|h[1-6r]|br|b|i|strong|em|code|pre|nav|section|article|header|footer"
    rf"|main|button|label|figure)(?=[ \t\n\r\f/>])|(?!(?i:{_TELLING})[ \t\n\r\f/>])[A-Za-z][A-Za-z0-9-]*+"
)
# Passed over without leaving the pattern: text, end tags, and start tags with nothing but such attributes.
_DULL: Final = (
    rf"[^<]++|</[^>]*+>|<(?![A-Za-z!?/])|<(?:{_DULL_NAME})(?:>|(?:{_S}++{_DULL_ATTRIBUTE})*+{_S}*+/?>)"
    rf"|<(?:{_DULL_TELLING}){_S}*+/?>"
)
# Every alternative can end at the end of the text, and one of them always fits, so no position is tried twice. The
# repetitions are bounded because each keeps some memory; a tag with more attributes than that is read up to there.
_TAG: Final = re.compile(
    rf"(?:{_DULL}){{0,1000}}+"
    rf"(?:<(?:a({plain.LINK})>|img({plain.IMAGE})>"
    rf"|([A-Za-z][^ \t\n\r\f/>]*+)((?:[ \t\n\r\f/]++|{_NAME}(?:{_S}*+={_S}*+{_VALUE})?+){{0,5000}}+)[^>]*+"
    r"(?:>|\Z)|!--(?:-?>|.*?(?:--!?>|\Z))|(!\[CDATA\[)"
    r"|[!?/][^>]*+))?+",
    re.S,
)
_A, _BEFORE, _HREF, _BEHIND, _IMG, _SRC, _OTHER, _RAW, _CDATA = range(1, 10)  # groups of _TAG
CDATA: Final = "![cdata["
"""The name under which the markup in a CDATA section is handed over."""
_ATTRIBUTE: Final = re.compile(rf"""({_NAME})(?:{_S}*+={_S}*+(?:"([^"]*+)"?|'([^']*+)'?|([^ \t\n\r\f>]*+)))?+""")
# Their content is text up to their end tag, at least in some mode of some browser.
_TEXT_ELEMENTS: Final = frozenset(
    ("script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "noscript")
)
_ENDS: Final = {name: re.compile(rf"</{name}(?=[ \t\n\r\f/>]|\Z)", re.I) for name in _TEXT_ELEMENTS}
# Where one of these is closed at once (`<script/>`), HTML reads on to its end tag, while in XML and in SVG it is over.
_PROGRAMS: Final = {name: re.compile(rf"</?{name}(?=[ \t\n\r\f/>]|\Z)", re.I) for name in ("script", "style")}


# name, attributes, content, target, classes: see `start_tags`. A bare tuple, for there are thousands of them on a page.
Tag = tuple[str, str, str, str | None, str]


def start_tags(text: str, *, sections: bool = True) -> Iterator[Tag]:
    """(name, attributes, content, target, classes) of the start tags of `text` that could name a URL.

    name: lower case.  attributes: as written; for `attributes` below.  content: what follows up to the end tag, for
    elements whose content is text; else "". Where such an element is closed at once, what follows is read as markup
    too. Left out are tags that have neither, and empty scripts and the like.
    A CDATA section comes under the name `CDATA`: to XML and SVG all of it is text, and to HTML what stands behind its
    first ">" is markup, which is its content here.  sections: False reads on there as HTML does, where it is a comment.
    target: the `href` of a link or `src` of an image whose other attributes mean nothing, but for the `class` of a
    link, which is `classes`; None: the attributes have to be parsed.
    """
    position = 0
    ending = True
    while True:
        for match in _TAG.finditer(text, position):
            last = match.lastindex
            if last is None:
                continue
            if last == _A:
                yield "a", match[_A], "", match[_HREF], match[_BEFORE] or match[_BEHIND] or ""
                continue
            if last == _IMG:
                yield "img", match[_IMG], "", match[_SRC], ""
                continue
            if last == _CDATA:
                over = "]]>" if sections else ">"
                content, behind = _section(text, match.end(), over) if ending else ("", 0)
                yield CDATA, "", content, None, ""
                ending = behind > 0  # where none ends, none does behind it
                if not ending:
                    continue
                position = behind
                break
            name, raw = match[_OTHER].lower(), match[_RAW]
            if name in _TEXT_ELEMENTS:
                if raw.endswith("/"):
                    yield name, raw, _program(name, text, match.end()), None, ""
                    continue
                end = _ENDS[name].search(text, match.end())
                position = end.start() if end else len(text)
                content = text[match.end() : position]
                if content or name == "iframe" or "data-" in raw:
                    yield name, raw, content, None, ""
                break
            if raw:
                yield name, raw, "", None, ""
        else:
            return


def _section(text: str, start: int, over: str) -> tuple[str, int]:
    """What stands behind the first ">" of what ends with `over`, and where that has ended; 0: nowhere."""
    end = text.find(over, start)
    return (text[start:end].partition(">")[2], end + len(over)) if end >= 0 else ("", 0)


def _program(name: str, text: str, start: int) -> str:
    """What may be the content of an element that was closed at once; several never overlap, so it stays linear."""
    if name not in _PROGRAMS:
        return ""
    end = _PROGRAMS[name].search(text, start)
    return text[start : end.start() if end else len(text)]


def attributes(raw: str) -> dict[str, str]:
    """Attributes by name in lower case; of several with one name the first counts. References are resolved."""
    written = _ATTRIBUTE.findall(raw)
    if "&" not in raw:
        plain = {name.lower(): double or single or bare for name, double, single, bare in written}
        if len(plain) == len(written):
            return plain
    found: dict[str, str] = {}
    for name, double, single, bare in written:
        found.setdefault(name.lower(), unescape(double or single or bare))
    return found


# One character reference; names are at most 31 characters long.
_REFERENCE: Final = re.compile(r"&(?:#(?:[xX]([0-9a-fA-F]+)|([0-9]+));?|([A-Za-z][A-Za-z0-9]{0,30};?)(=|[A-Za-z0-9])?)")
_C1: Final = {code: bytes([code]).decode("cp1252", "ignore") or chr(code) for code in range(0x80, 0xA0)}


def unescape(value: str) -> str:
    """The text of an attribute value: character references resolved by the rules for attributes (13.2.5.73).

    `&copy=1` stays as it is: a name without a semicolon before "=" or a letter or digit is no reference there, which
    is what keeps query strings whole.
    """
    return _REFERENCE.sub(_resolved, value)


def unescape_text(value: str) -> str:
    """The same for text between tags, where a name without a semicolon counts whatever follows."""
    return _REFERENCE.sub(lambda match: _resolved(match, in_text=True), value) if "&" in value else value


def _resolved(match: re.Match[str], *, in_text: bool = False) -> str:
    hexadecimal, decimal, name, following = match.groups(default="")
    if not name:
        return _character(hexadecimal, decimal)
    if name in html5 and (name[-1] == ";" or in_text or not following):
        return html5[name] + following
    if in_text:
        # The longest known beginning counts: "&notit;" is "\u00acit;". None without a semicolon is longer than six.
        for length in range(min(len(name), 6), 1, -1):
            if name[:length] in html5:
                return html5[name[:length]] + name[length:] + following
    return match[0]


def _character(hexadecimal: str, decimal: str) -> str:
    code = int((hexadecimal or decimal).lstrip("0")[:9] or "0", 16 if hexadecimal else 10)
    if code in _C1:
        return _C1[code]
    return "\ufffd" if code == 0 or code > 0x10FFFF or 0xD800 <= code < 0xE000 else chr(code)
