"""What a server gave us to ask "has it changed?" with, as far as a yes can be believed (RFC 9110, 8.8 and 13.1).

Only strong validators count: the same ETag, or the same time of a change that lay a minute back when it was told, means
the same bytes. Packed they take at most 64 bytes.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from typing import Final

Validators = tuple[str | None, str | None]
"""(ETag, Last-Modified), as headers have them."""

NOTHING: Final[Validators] = (None, None)
LONGEST: Final = 64
"""Bytes of what `strong_validators` gives: a time in four, an ETag in the others."""

_TIME: Final = struct.Struct(">I")
_STRONG: Final = re.compile(r'"[!\x23-\x7e]{0,58}"\Z')
_SETTLED: Final = 60
"""Seconds between a change and its being told, from which on nobody can have changed it again unseen (8.8.2.2)."""


def strong_validators(headers: Sequence[tuple[str, str]]) -> bytes | None:
    """The validators of an answer with these headers, packed; None when there are none that can be relied on."""
    found = {name.lower(): value.strip() for name, value in headers}
    if found.get("vary") == "*":
        return None
    tag, modified = found.get("etag", ""), _seconds(found.get("last-modified"))
    if modified and (_seconds(found.get("date")) or 0) < modified + _SETTLED:
        modified = None
    if not _STRONG.match(tag):
        tag = ""
    return _TIME.pack(modified or 0) + tag.encode("ascii") if tag or modified else None


def unpack_validators(packed: bytes) -> Validators:
    """What `strong_validators` packed; `NOTHING` for anything else."""
    if not _TIME.size <= len(packed) <= LONGEST:
        return NOTHING
    (seconds,) = _TIME.unpack_from(packed)
    tag = packed[_TIME.size :].decode("latin-1")
    return tag if _STRONG.match(tag) else None, formatdate(seconds, usegmt=True) if seconds else None


@lru_cache(512)
def _seconds(date: str | None) -> int | None:
    """Seconds since the epoch of an HTTP date (5.6.7), None when it is none, or out of the range that is packed."""
    try:
        seconds = round(parsedate_to_datetime(date or "").timestamp())
    except (ValueError, OverflowError):
        return None
    return seconds if 0 < seconds < 2**32 else None
