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
from collections.abc import Iterator, Sequence
from typing import Final

from crawler.attribute.formats.source import Source, clean

MAX_OBJECT: Final = 4_194_304
CLASSES: Final = ("inetnum", "inet6num", "aut-num", "organisation", "role", "person")
FIRST: Final = re.compile(rb"(?:[#%][^\n]*\n|[ \t]*\n)*(inetnum|inet6num|aut-num|organisation|role|person):[ \t]")
_CONTINUED: Final = re.compile(rb"\n[ \t+]")
_PLAIN: Final = 200
_LEAD: Final = re.compile(rb"(?:[#%][^\n]*\n?|[ \t]*\n)*")

Object = dict[bytes, bytes]
"""Attribute -> its first value as it stands in the dump (see `value`), for the attributes that were asked for."""


def objects(source: Source, wanted: Sequence[str]) -> Iterator[Object]:
    """The objects of a dump, with their attributes `wanted`, the first of which is the class; "last-modified" too.

    `source.line` is the object's first line. Raises AddressDataInvalid for an object that begins otherwise, is longer
    than 4 MiB or lacks `source:`, which every object ends with; for NUL bytes, and a file that is cut off.
    """
    names = {name.encode() for name in (*wanted, "last-modified", "source")}
    attributes = re.compile(rb"\n(" + b"|".join(sorted(names)) + rb"):([^\n]*(?:\n[ \t+][^\n]*)*+)").findall
    start = f"\n{wanted[0]}:".encode()
    line = 1
    for piece in _pieces(source):
        source.line = line
        line += piece.count(b"\n") + 2
        body = piece
        if not piece.startswith(start[1:]):
            body = piece[_skipped(piece) :]
            if not body:
                continue
            source.line += piece.count(b"\n", 0, len(piece) - len(body))
        if b"\0" in body:
            raise source.wrong("holds a NUL byte; it is in another encoding (UTF-16?) or damaged")
        body = b"\n" + body
        if not body.startswith(start):
            first = value(body[1:].partition(b"\n")[0][:40])
            raise source.wrong(f"{first!r} begins an object of a dump of {wanted[0]}; it is reordered or cut off")
        found = dict(reversed(attributes(body)))
        if b"source" not in found:
            whose = value(found[wanted[0].encode()])[:60]
            raise source.wrong(f"the object {whose!r} has no source:, it is cut off")
        yield found
    source.line = 0


def value(raw: bytes) -> str:
    """What an attribute says: without comments, continuation lines joined, one line of at most 200 characters."""
    if b"\n" in raw or b"#" in raw:
        raw = b" ".join(line.partition(b"#")[0].strip() for line in _CONTINUED.split(raw))
    try:
        text = raw.strip().decode("utf-8")
    except UnicodeDecodeError:
        text = raw.strip().decode("latin-1")
    return text if len(text) <= _PLAIN and text.isprintable() and "  " not in text else clean(text)


def _skipped(piece: bytes) -> int:
    """How long the comments and empty lines before an object are."""
    found = _LEAD.match(piece)
    end = found.end() if found else 0
    return len(piece) if not piece[end:].strip() else end


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
