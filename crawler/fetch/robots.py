"""robots.txt after RFC 9309, parsed by protego."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import msgpack
from protego import Protego

from crawler.errors import RecordCorrupt

MAX_ROBOTS_BYTES: Final = 500 * 1024  # RFC 9309, 2.5: a crawler parses at least this much, and may stop there
_MAX_LINES: Final = 20_000  # each rule is tried for each URL
_MAX_SITEMAPS: Final = 1000
_MAX_DELAY: Final = 3600
_VERSION: Final = 1
_ALLOW: Final = "allow"
_DENY: Final = "deny"
_RULES: Final = "rules"


@dataclass(frozen=True)
class RobotsRules:
    """What a host's robots.txt permits.

    verdict: "allow" (everything: there is no robots.txt), "deny" (nothing for now: the server could not say), or
    "rules" (as `text` says).  text: at most 500 KiB.
    """

    verdict: str
    text: str = field(default="", repr=False)

    def allows(self, url: str, user_agent: str) -> bool:
        """Whether `user_agent` (a product token such as "Vangnet", no whole User-Agent line) may fetch `url`.

        robots.txt itself is always allowed.
        """
        if self.verdict == _RULES:
            return bool(self._parsed.can_fetch(url, user_agent))
        return self.verdict == _ALLOW

    def crawl_delay(self, user_agent: str) -> float | None:
        """Seconds between two requests that the host asks for, at most an hour; None when it asks for nothing.

        Crawl-delay is no part of RFC 9309, but hosters write it and mean it. Request-rate counts as well.
        """
        if self.verdict != _RULES:
            return None
        asked = [float(delay)] if (delay := self._parsed.crawl_delay(user_agent)) is not None else []
        rate = self._parsed.request_rate(user_agent)
        if rate is not None:
            # Both may be integers beyond any float.
            asked.append(min(rate.seconds, _MAX_DELAY * rate.requests) / rate.requests)
        return min(max(asked), float(_MAX_DELAY)) if asked else None

    @property
    def sitemaps(self) -> tuple[str, ...]:
        """The sitemaps that it names, as they stand there (relative ones too), at most a thousand."""
        if self.verdict != _RULES:
            return ()
        return tuple(list(self._parsed.sitemaps)[:_MAX_SITEMAPS])

    def to_bytes(self) -> bytes:
        """For a shared cache. The parsed form is made again from the text."""
        packed: bytes = msgpack.packb((_VERSION, self.verdict, self.text))
        return packed

    @classmethod
    def from_bytes(cls, data: bytes) -> RobotsRules:
        """The rules that `to_bytes` packed. Raises RecordCorrupt for anything else."""
        try:
            version, verdict, text = msgpack.unpackb(data, max_str_len=4 * MAX_ROBOTS_BYTES)
        except (ValueError, TypeError, msgpack.UnpackException) as exc:
            raise RecordCorrupt("a cached robots.txt is no record of ours: clear the robots cache") from exc
        if version != _VERSION or verdict not in (_ALLOW, _DENY, _RULES) or not isinstance(text, str):
            raise RecordCorrupt("a cached robots.txt has another version: clear the robots cache")
        return cls(verdict, text)

    @cached_property
    def _parsed(self) -> Protego:
        return Protego.parse(self.text)


ALLOW_ALL: Final = RobotsRules(_ALLOW)
DENY_ALL: Final = RobotsRules(_DENY)


def parse_robots(body: bytes, status: int) -> RobotsRules:
    """The rules in an answer to a request for robots.txt (redirects followed by the caller, at most five).

    2xx: what it says.  4xx: no rules, everything is allowed (RFC 9309, 2.3.1.3), but 429 is "later".  Anything else:
    the server could not say, so nothing is allowed for now; the caller asks again later (2.3.1.4).
    """
    if 200 <= status < 300:
        return RobotsRules(_RULES, _decoded(body[:MAX_ROBOTS_BYTES]))
    if 400 <= status < 500 and status != 429:
        return ALLOW_ALL
    return DENY_ALL


def _decoded(body: bytes) -> str:
    """UTF-8 as the RFC wants it; a byte order mark of another encoding is believed, other bytes are replaced."""
    encoding = "utf-16" if body[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = body.decode(encoding, errors="replace").replace("\x00", "")
    return "\n".join(text.splitlines()[:_MAX_LINES])
