"""References of one document to canonical URLs: `urls.canonical`, with a short cut for the plain ones that abound."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from crawler.records import Rejected
from crawler.urls import MAX_URL, canonical

SPACE: Final = "".join(map(chr, range(0x21)))
"""What browsers take off both ends of a URL: C0 controls and the space (URL Standard, 4.4)."""
# A path that the URL standard leaves as it is: no dot segments, nothing to encode, no colon that could end a scheme.
_PLAIN: Final = r"(?:[A-Za-z0-9_-][A-Za-z0-9_.~-]*+/?+)"
_SHORT: Final = re.compile(rf"(?:(https?://[a-z][a-z0-9.-]*+(?=/))?+(/))?+{_PLAIN}++\Z")
_QUERY_SAFE: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in "\"#<>'")


class Resolver:
    """Makes the references of one document absolute. base: canonical.  codec: the document's encoding, in which the
    query part of a reference is percent-encoded; None for the Unicode ones, where that is UTF-8.

    folder, origin: of the base, with a slash at the end of the folder only."""

    def __init__(self, base: str, codec: str | None) -> None:
        self.base = base
        self._codec = codec
        path = base.partition("?")[0]
        self.folder = path[: path.rindex("/") + 1]
        self.origin = base[: base.index("/", 8)]

    def __call__(self, text: str) -> str | Rejected:
        """What `canonical(text, base)` says; text: without a fragment, white space and an empty string."""
        return self.plain(text) or self.full(text)

    def plain(self, text: str) -> str | None:
        """The same for a reference that the URL standard leaves as it is: a path, and perhaps a host, but no query.

        None: it is none of those, or too long.
        """
        match = _SHORT.match(text)
        if match is None or len(text) >= 1_024:
            return None
        origin, slash = match.groups()
        if origin is not None:
            return text if _is_canonical(origin) else None
        url = (self.origin if slash else self.folder) + text
        return url if len(url) <= MAX_URL else None

    def full(self, text: str) -> str | Rejected:
        """The same for any reference."""
        if self._codec is not None and not text.isascii():
            text = _query_in(text, self._codec)
        return canonical(text, self.base)


@lru_cache(maxsize=8_192)
def _is_canonical(origin: str) -> bool:
    return canonical(origin + "/") == origin + "/"


def _query_in(text: str, codec: str) -> str:
    """The reference with its query percent-encoded in the document's encoding, as the WHATWG URL Standard has it."""
    path, question, query = text.partition("?")
    if query.isascii():
        return text
    return path + question + "".join(_encoded(query, codec))


def _encoded(query: str, codec: str) -> Iterator[str]:
    """The query in the document's encoding; what that lacks as a reference to its number (URL Standard 1.3)."""
    while query:
        try:
            plain, lacking, rest = query.encode(codec), "", ""
        except UnicodeEncodeError as error:
            plain, lacking, rest = (
                query[: error.start].encode(codec),
                query[error.start : error.end],
                query[error.end :],
            )
        yield quote(plain, safe=_QUERY_SAFE)
        yield from (f"%26%23{ord(character)}%3B" for character in lacking)
        query = rest
