"""How long a server may take and how much it may send."""

from __future__ import annotations

from dataclasses import dataclass, fields

from crawler.errors import OptionInvalid

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """Durations in seconds, sizes in bytes after decompression, all > 0 (but min_rate: 0 switches it off).

    connect: until TCP stands.  tls: from there until TLS stands.  header: from sending until the headers end.
    idle: longest silence within the body.  total: everything, waiting for a free socket included.
    min_rate: bytes a second that the body must reach in every window of `rate_grace` seconds.
    max_*_bytes: cap on a body of that kind; the order's own `max_bytes` applies as well.  max_digest_bytes: cap on a
    body that is only hashed.  max_header_bytes: cap on everything up to the end of the headers, 1xx answers included.
    max_ratio: unpacked to packed size beyond which a compressed body is a bomb (looked at from 1 MiB unpacked on).
    keep_alive: how long an idle connection is kept.  Servers commonly close after 5 s, so we are earlier.
    """

    connect: float = 10.0
    tls: float = 10.0
    header: float = 20.0
    idle: float = 15.0
    total: float = 120.0
    min_rate: float = 1024.0
    rate_grace: float = 20.0
    max_page_bytes: int = 8 * _MIB
    max_image_bytes: int = 32 * _MIB
    max_feed_bytes: int = 50 * _MIB
    max_sheet_bytes: int = 4 * _MIB
    max_other_bytes: int = 8 * _MIB
    max_digest_bytes: int = 1024 * _MIB
    max_header_bytes: int = 256 * 1024
    max_ratio: int = 250
    keep_alive: float = 4.0

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value < 0 or (value == 0 and each.name != "min_rate"):
                raise OptionInvalid(f"fetch limit {each.name} is {value}: give a number above 0")

    def cap(self, kind: str) -> int:
        """The cap on a body of this kind, bytes after decompression. Sitemaps may have 50 MiB (sitemaps.org)."""
        match kind:
            case "html":
                return self.max_page_bytes
            case "image":
                return self.max_image_bytes
            case "feed":
                return self.max_feed_bytes
            case "css":
                return self.max_sheet_bytes
        return self.max_other_bytes

    @property
    def tick(self) -> float:
        """The shortest of the durations: the first moment at which any of them can be over."""
        return min(self.connect, self.tls, self.header, self.idle, self.rate_grace, self.total)
