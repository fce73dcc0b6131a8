"""Frontier records as bytes: a version byte, then msgpack. Compact, because a nightly frontier holds millions.

A queued element is one byte of attempts (the scripts count them there) and the record. The origin stands in the queue,
so a record holds only what follows it; a referrer of the same origin is shortened the same way.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgpack

from crawler.errors import InvalidInput, RecordCorrupt
from crawler.packing import packed
from crawler.records import Candidate, Discovered, FrontierUrl, Kind, RunId
from crawler.urls import parts

VERSION = 4
_MARK = bytes([VERSION])
_NEW = b"\0" + _MARK
"""What an element begins with of which nothing was attempted yet."""
MOVED = bytes([VERSION | 0x80])
"""Before a queued URL in the discoveries, which lost its place there: length of its origin in two bytes, little-endian,
the origin, the record. The scripts write it too."""
_KINDS = (Kind.PAGE, Kind.IMAGE, Kind.ROBOTS, Kind.SHEET, Kind.FEED, Kind.SWEEP, Kind.RECHECK, Kind.PART)
_CODES = {kind: code for code, kind in enumerate(_KINDS)}
ROBOTS_BAND = 0
"""The band of robots.txt, which comes before all others and opens the gate for them."""
FIRST_BAND = 1
"""The band of priority 0 and depth 0: before all others but robots.txt."""


def band_of(priority: int, depth: int) -> int:
    """The band of a queue that a URL stands in: by priority, then by depth (63 and more share one)."""
    return FIRST_BAND + min(max(priority, 0), 9) * 64 + min(max(depth, 0), 63)


def pack_url(item: FrontierUrl, origin: str) -> bytes:
    """The record of a URL queued under `origin`, without attempts byte."""
    url, referrer = shortened(item.url, origin), shortened(item.referrer, origin)
    return _packed(_fields(url, _CODES[item.kind], item.depth, item.priority, referrer, item.via, item.context))


def _fields(url: str | None, code: int, depth: int, priority: int, referrer: str | None, *rest: Any) -> list[Any]:
    """What a record holds: via and context only where there is one, for hardly any URL has them."""
    return [url, code, depth, priority, referrer, *(rest if rest != ((), 0) else ())]


def pack_candidate(
    candidate: Candidate, found: Discovered, origin: str, referrer: str | None, context: int = 0
) -> bytes:
    """The queued element of one candidate of `found`, whose URL begins with `origin`, without making an item of it.

    referrer: that of `found`, `shortened` for the origin.
    """
    fields = [candidate.url[len(origin) :], _CODES[candidate.kind], found.depth, candidate.priority, referrer]
    if found.via or context:
        fields += [found.via, context]
    return _NEW + packed(fields)


def unpack_url(element: bytes, run: RunId, origin: str, address: str) -> FrontierUrl:
    """The URL of a queued element (attempts byte and record). Raises RecordCorrupt."""
    fields = _unpack(element[1:], 5, 7)
    suffix, code, depth, priority, referrer = fields[:5]
    try:
        via, context = ((), 0) if len(fields) == 5 else (tuple(map(_text, fields[5])), int(fields[6]))
        return FrontierUrl(
            origin + suffix if suffix.startswith("/") else _whole(suffix),
            run,
            _KINDS[code],
            address,
            int(depth),
            int(priority),
            origin + referrer if referrer is not None and referrer.startswith("/") else referrer,
            via,
            context,
            element[0],
        )
    except (TypeError, ValueError, IndexError, AttributeError, OverflowError, InvalidInput) as error:
        raise RecordCorrupt("a queued URL has fields of the wrong type") from error


def pack_discovered(found: Discovered) -> bytes:
    """A discoveries payload."""
    candidates = [[c.url, _CODES[c.kind], c.source, c.priority] for c in found.candidates]
    return _packed([found.depth, found.referrer, list(found.via), candidates, found.tries, found.moved])


def pack_moved(item: FrontierUrl, origin: str) -> bytes:
    """A discoveries payload for a URL that was queued under `origin` already: see MOVED."""
    return MOVED + len(origin).to_bytes(2, "little") + origin.encode() + pack_url(item, origin)


def _unpack_moved(payload: bytes) -> Discovered:
    end = 3 + int.from_bytes(payload[1:3], "little")
    try:
        item = unpack_url(b"\0" + payload[end:], RunId("", 1), payload[3:end].decode(), "")
    except UnicodeDecodeError as error:
        raise RecordCorrupt("a URL that moved has no readable origin") from error
    candidate = Candidate(item.url, item.kind, "moved", item.priority)
    return Discovered((candidate,), item.depth, item.referrer, item.via, moved=True)


def unpack_discovered(payload: bytes) -> Discovered:
    """The inverse of `pack_discovered` and `pack_moved`. Raises RecordCorrupt."""
    if payload[:1] == MOVED:
        return _unpack_moved(payload)
    depth, referrer, via, candidates, tries, moved = _unpack(payload, 6)
    try:
        return Discovered(
            tuple(
                Candidate(_text(url), _KINDS[code], _text(source), int(priority))
                for url, code, source, priority in candidates
            ),
            int(depth),
            None if referrer is None else _text(referrer),
            tuple(map(_text, via)),
            int(tries),
            bool(moved),
        )
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        raise RecordCorrupt("a discoveries entry has fields of the wrong type") from error


def _whole(url: str) -> str:
    """The URL, when it is one. Raises InvalidInput."""
    parts(url)
    return url


def _text(value: Any) -> str:
    """The value, when it is text. Raises TypeError."""
    if type(value) is not str:
        raise TypeError(f"{type(value).__name__} in place of text")
    return value


@lru_cache(64)
def parse_run(text: str) -> RunId:
    """The inverse of `str(RunId)`. Raises RecordCorrupt."""
    name, _, number = text.rpartition("#")
    if not name or not number.isdecimal():
        raise RecordCorrupt("a stream entry names no run")
    return RunId(name, int(number))


def shortened(url: str | None, origin: str) -> str | None:
    """As records hold it: without the origin, where that is the queue's."""
    if url is not None and url.startswith(origin + "/"):
        return url[len(origin) :]
    return url


def _packed(value: list[Any]) -> bytes:
    return _MARK + packed(value)


def _unpack(data: bytes, *lengths: int) -> list[Any]:
    if data[:1] != _MARK:
        raise RecordCorrupt(f"a record has version {data[:1].hex() or 'none'}, this is {VERSION:02x}")
    try:
        value = msgpack.unpackb(data[1:])
    except (ValueError, msgpack.UnpackException) as error:
        raise RecordCorrupt("a record is not msgpack") from error
    if not isinstance(value, list) or len(value) not in lengths:
        raise RecordCorrupt("a record has the wrong number of fields")
    return value
