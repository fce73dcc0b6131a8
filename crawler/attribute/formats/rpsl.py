"""The RIPE database as split dumps: objects of one class, attributes a line, blank lines between.

    inetnum:        192.0.2.0 - 192.0.2.255
    netname:        POLDER-NET
    org:            ORG-PH1-RIPE
    source:         RIPE

Values go on in lines that begin with a space, a tab or "+". The dumps are Latin-1; some objects hold UTF-8.
Sources: RFC 2622 section 2, https://docs.db.ripe.net/RPSL-Object-Types/, https://ftp.ripe.net/ripe/dbase/split/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from crawler.attribute.formats.source import Source, clean

MAX_OBJECT: Final = 4_194_304
CLASSES: Final = ("inetnum", "inet6num", "aut-num", "organisation", "role", "person")
FIRST: Final = re.compile(rb"(?:[#%][^\n]*\n|[ \t]*\n)*(inetnum|inet6num|aut-num|organisation|role|person):[ \t]")
_CONTINUES: Final = (" ", "\t", "+")
_PLAIN: Final = 200
_LEAD: Final = re.compile(rb"(?:[#%][^\n]*\n?)*")

Object = dict[str, str]
"""Attribute -> its first value, for the attributes that were asked for."""


def objects(source: Source, wanted: tuple[str, ...]) -> Iterator[Object]:
    """The objects of a dump, with their attributes `wanted`, the first of which is the class; "last-modified" too.

    `source.line` is the object's first line. Raises AddressDataInvalid for an object that begins otherwise, is longer
    than 4 MiB or lacks `source:`, which every object ends with; for NUL bytes, and a file that is cut off.
    """
    kept = frozenset((*wanted, "last-modified", "source"))
    line = 1
    for text in _pieces(source):
        source.line = line
        body = _LEAD.sub(b"", text, count=1)
        if body.strip():
            source.line += text.count(b"\n", 0, len(text) - len(body))
            yield _object(source, body, wanted[0], kept)
        line += text.count(b"\n") + 2
    source.line = 0


def _pieces(source: Source) -> Iterator[bytes]:
    """What stands between blank lines."""
    rest = b""
    for block in source.blocks():
        found = (rest + block).replace(b"\r\n", b"\n") if b"\r" in block or rest.endswith(b"\r") else rest + block
        *whole, rest = found.split(b"\n\n")
        if len(rest) > MAX_OBJECT:
            raise source.wrong(f"an object longer than {MAX_OBJECT} bytes; this is another format or damaged")
        yield from whole
    if rest.strip():
        if not rest.endswith(b"\n"):
            raise source.wrong("ends inside a line; it is cut off, fetch it again")
        yield rest


def _object(source: Source, body: bytes, kind: str, kept: frozenset[str]) -> Object:
    if b"\0" in body:
        raise source.wrong("holds a NUL byte; it is in another encoding (UTF-16?) or damaged")
    text = (body.decode("ascii") if body.isascii() else _decoded(body)).lstrip("\n")
    if not text.startswith(f"{kind}:"):
        first = clean(text.partition("\n")[0][:40])
        raise source.wrong(f"{first!r} begins an object of a dump of {kind}; it is reordered or cut off")
    found = _attributes(text, kept)
    if "source" not in found:
        raise source.wrong(f"the object {found[kind][:60]!r} has no source:, it is cut off")
    return found


def _attributes(text: str, kept: frozenset[str]) -> Object:
    """The first values of attributes that are kept, without comments, continuation lines joined."""
    found: Object = {}
    goes_on = None
    for line in text.split("\n"):
        name, _, value = line.partition(":")
        if name in kept and name not in found:
            goes_on = name
            found[name] = value.strip() if "#" not in value else value.partition("#")[0].strip()
        elif goes_on is not None and line[:1] in _CONTINUES and line:
            found[goes_on] += " " + line[1:].partition("#")[0].strip()
        else:
            goes_on = None
    for name, value in found.items():
        if len(value) > _PLAIN or not value.isprintable() or "  " in value:
            found[name] = clean(value)
    return found


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
