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
_LEAD: Final = re.compile(rb"(?:[#%][^\n]*\n?)*")

Object = dict[str, str]
"""Attribute -> its first value, for the attributes that were asked for."""


def objects(source: Source, wanted: tuple[str, ...]) -> Iterator[Object]:
    """The objects of a dump, with their attributes `wanted`, the first of which is the class; "last-modified" too.

    `source.line` is the object's first line. Raises AddressDataInvalid for an object that begins otherwise, is longer
    than 4 MiB or lacks `source:`, which every object ends with; for NUL bytes, and a file that is cut off.
    """
    names = "|".join(map(re.escape, (*wanted, "last-modified", "source")))
    attributes = re.compile(rf"^({names}):[ \t]*([^\n]*(?:\n[ \t+][^\n]*)*)".encode(), re.MULTILINE)
    begins = f"{wanted[0]}:".encode()
    line = 1
    for text in _pieces(source):
        source.line = line
        body = _LEAD.sub(b"", text, count=1)
        if body.strip():
            source.line += text.count(b"\n", 0, len(text) - len(body))
            yield _object(source, body, begins, attributes)
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


def _object(source: Source, body: bytes, begins: bytes, attributes: re.Pattern[bytes]) -> Object:
    if b"\0" in body:
        raise source.wrong("holds a NUL byte; it is in another encoding (UTF-16?) or damaged")
    body = body.lstrip(b"\n")
    if not body.startswith(begins):
        first = clean(body.partition(b"\n")[0][:40].decode("latin-1"))
        raise source.wrong(f"{first!r} begins an object of a dump of {begins[:-1].decode()}; it is reordered or cut")
    found: Object = {}
    for name, value in attributes.findall(body):
        key = name.decode()
        if key not in found:
            found[key] = _value(value)
    if "source" not in found:
        raise source.wrong(f"the object {found[begins[:-1].decode()][:60]!r} has no source:, it is cut off")
    return found


def _value(raw: bytes) -> str:
    """A value without its comment, continuation lines joined."""
    text = raw.decode("ascii") if raw.isascii() else _decoded(raw)
    if "\n" in text:
        text = re.sub(r"\n[ \t+]", " ", text)
    return clean(text.partition("#")[0])


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
