"""The servers that misbehave on purpose, and what has to come of each."""

from __future__ import annotations

import gzip
import ssl
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import brotli
import zstandard

from crawler.fetch.limits import FetchLimits

from .certificates import HOST, Authority
from .rawserver import Script
from .scripts import (
    DEFLATED,
    OK,
    PICTURE,
    PIXEL,
    ZEROS,
    alerts,
    closes_after_hello,
    closes_at_once,
    drips,
    floods,
    gzipped,
    layers,
    leads_on,
    packed,
    poisons,
    raw_deflate,
    resets_at_once,
    says,
    silent,
    sized,
    speaks_first,
)

LIMITS = FetchLimits(
    connect=0.9,
    idle=0.9,
    tls=1.4,
    rate_grace=1.9,
    header=2.4,
    total=2.9,
    min_rate=500,
    max_image_bytes=4_000_000,
    max_page_bytes=1_000_000,
    keep_alive=5.0,
)
ALLOWANCE = 0.4
"""Seconds on top of a deadline: less than lies between any two that one server could meet."""


@dataclass(frozen=True)
class Hostile:
    """One server.

    expect: the failure class, or "" for an answer, which must be like the fields from `status` on.
    deadline: the limit that ends it; None: what it did says enough, and nothing is waited for.
    context: makes the TLS side of the server; None: plain HTTP.  tls_client: the client speaks TLS all the same.
    """

    name: str
    script: Script
    expect: str = ""
    deadline: str | None = None
    context: Callable[[Authority], ssl.SSLContext] | None = None
    tls_client: bool = False
    status: int = 200
    body: bytes | None = None
    location: str | None = None
    skipped: str | None = None
    problem: str | None = None

    @property
    def seconds(self) -> float:
        """How long it is waited for."""
        return 0.0 if self.deadline is None else float(getattr(LIMITS, self.deadline))


def _expired(authority: Authority) -> ssl.SSLContext:
    return authority.server(days=(-90, -1))


def _mismatched(authority: Authority) -> ssl.SSLContext:
    return authority.server(("other.example",))


def _self_signed(authority: Authority) -> ssl.SSLContext:
    return authority.server(self_signed=True)


def _old_protocol(authority: Authority) -> ssl.SSLContext:
    context = authority.server()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


GZIPPED = gzipped(DEFLATED, ZEROS)

CATALOGUE = (
    # ------------------------------------------------ slowness
    Hostile("says nothing", silent, "header-timeout", "header"),
    Hostile("drips headers", drips(b"", OK + PICTURE * 20), "header-timeout", "header"),
    Hostile("stalls in headers", says(OK + b"Content-", then="stall"), "header-timeout", "header"),
    Hostile("stalls in the status line", says(b"HTT", then="stall"), "header-timeout", "header"),
    Hostile("stalls before the body", says(OK + b"Content-Length: 9\r\n\r\n", then="stall"), "idle-timeout", "idle"),
    Hostile(
        "stalls in the body",
        says(OK + PICTURE + b"Content-Length: 90000\r\n\r\n" + PIXEL * 300, then="stall"),
        "idle-timeout",
        "idle",
    ),
    Hostile(
        "drips the body", drips(OK + PICTURE + b"Content-Length: 9000\r\n\r\n", PIXEL * 300), "too-slow", "rate_grace"
    ),
    Hostile(
        "drips chunks",
        drips(OK + PICTURE + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 200, piece=6),
        "too-slow",
        "rate_grace",
    ),
    Hostile("never ends, at a fair rate", drips(OK + PICTURE + b"\r\n", PIXEL * 9999, piece=500), "deadline", "total"),
    # ------------------------------------------------ lengths and framing
    Hostile(
        "endless chunks",
        floods(OK + PICTURE + b"Transfer-Encoding: chunked\r\n\r\n", b"7000\r\n" + PIXEL * 1024 + b"\r\n"),
        "too-large",
    ),
    Hostile("endless body without a length", floods(OK + PICTURE + b"\r\n" + PIXEL, bytes(32768)), "too-large"),
    Hostile(
        "declares a huge length",
        says(OK + PICTURE + b"Content-Length: 5000000000\r\n\r\n" + PIXEL * 40, then="stall"),
        "too-large",
    ),
    Hostile("declares more than it sends", says(OK + PICTURE + b"Content-Length: 5000\r\n\r\n" + PIXEL), "truncated"),
    Hostile(
        "ends within a chunk", says(OK + PICTURE + b"Transfer-Encoding: chunked\r\n\r\n500\r\n" + PIXEL), "truncated"
    ),
    Hostile("declares less than it sends", says(OK + PICTURE + b"Content-Length: 6\r\n\r\n" + PIXEL), body=PIXEL[:6]),
    Hostile("negative length", says(OK + b"Content-Length: -5\r\n\r\nhello"), "malformed-http"),
    Hostile("length beyond 64 bits", says(OK + b"Content-Length: " + b"9" * 30 + b"\r\n\r\nhello"), "malformed-http"),
    Hostile("length in words", says(OK + b"Content-Length: five\r\n\r\nhello"), "malformed-http"),
    Hostile("two lengths", says(OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"), "malformed-http"),
    Hostile(
        "length and chunks",
        says(OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        "malformed-http",
    ),
    Hostile(
        "chunk size that is none",
        says(OK + PICTURE + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n"),
        "malformed-http",
    ),
    Hostile(
        "negative chunk size",
        says(OK + PICTURE + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n"),
        "malformed-http",
    ),
    Hostile(
        "endless chunk extension",
        floods(OK + PICTURE + b"Transfer-Encoding: chunked\r\n\r\n5;", b"x" * (1 << 19)),
        "malformed-http",
    ),
    Hostile(
        "endless trailers",
        floods(OK + PICTURE + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Trailer: y\r\n" * 100),
        "malformed-http",
    ),
    Hostile("rubbish after the body", says(sized(PIXEL) + b"\x00\xffrubbish" * 50), body=PIXEL),
    # ------------------------------------------------ headers
    Hostile(
        "header flood", says(OK + b"".join(b"X-%d: y\r\n" % n for n in range(9000)) + b"\r\n"), "headers-too-large"
    ),
    Hostile("endless headers", floods(OK, b"X-More: yes\r\n" * 500), "headers-too-large"),
    Hostile("one endless header", floods(OK + b"X-Long: ", b"y" * 16384), "headers-too-large"),
    Hostile("endless status line", floods(b"HTTP/1.1 200 ", b"O" * 16384), "headers-too-large"),
    Hostile(
        "duplicate headers",
        says(OK + PICTURE * 3 + b"ETag: a\r\nETag: b\r\nContent-Length: 6\r\n\r\n" + PIXEL[:6]),
        body=PIXEL[:6],
    ),
    Hostile(
        "huge cookies",
        says(sized(PIXEL, b"".join(b"Set-Cookie: c%d=%s\r\n" % (n, b"v" * 4000) for n in range(20)))),
        body=PIXEL,
    ),
    Hostile(
        "too huge cookies",
        says(sized(PIXEL, b"".join(b"Set-Cookie: c%d=%s\r\n" % (n, b"v" * 4000) for n in range(90)))),
        "headers-too-large",
    ),
    Hostile("zero byte in a header", says(OK + b"X: a\x00b\r\nContent-Length: 0\r\n\r\n"), "malformed-http"),
    Hostile("HTTP/0.9", says(b"<html>just the page</html>"), "malformed-http"),
    Hostile("HTTP/2 in the clear", says(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18)), "malformed-http"),
    Hostile("another protocol", says(b"220 mail.example ESMTP\r\n"), "malformed-http"),
    Hostile("a version of its own", says(b"HTTP/3.7 200 OK\r\nContent-Length: 0\r\n\r\n"), "malformed-http"),
    Hostile("interim flood", floods(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 50), "malformed-http"),
    Hostile("a few interim answers", says(b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + sized(PIXEL)), body=PIXEL),
    Hostile(
        "switches protocols",
        says(b"HTTP/1.1 101 Hi\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", then="stall"),
        "malformed-http",
    ),
    Hostile(
        "a range nobody asked for",
        says(b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-5/999\r\nContent-Length: 6\r\n\r\n" + PIXEL[:6]),
        "truncated",
    ),
    # ------------------------------------------------ ends
    Hostile("resets at once", resets_at_once, "reset"),
    Hostile("resets before the answer", says(then="reset"), "reset"),
    Hostile("resets in headers", says(OK + b"Content-", then="reset"), "reset"),
    Hostile(
        "resets in the body", says(OK + PICTURE + b"Content-Length: 90000\r\n\r\n" + PIXEL * 9, then="reset"), "reset"
    ),
    Hostile("resets a body without a length", says(OK + PICTURE + b"\r\n" + PIXEL * 9, then="reset"), "truncated"),
    Hostile("closes without an answer", closes_at_once, "disconnected"),
    Hostile("closes in headers", says(OK + b"Content-Ty"), "malformed-http"),
    # ------------------------------------------------ encodings
    Hostile("gzip bomb", says(packed(b"gzip", GZIPPED)), "decompression-bomb"),
    Hostile("deflate bomb", says(packed(b"deflate", DEFLATED)), "decompression-bomb"),
    Hostile("raw deflate bomb", says(packed(b"deflate", raw_deflate(DEFLATED))), "decompression-bomb"),
    Hostile("brotli bomb", says(packed(b"br", brotli.compress(ZEROS, quality=1))), "decompression-bomb"),
    Hostile("zstd bomb", says(packed(b"zstd", zstandard.compress(ZEROS))), "decompression-bomb"),
    Hostile("bomb in a bomb", says(packed(b"gzip, gzip", layers(GZIPPED, 1))), "decompression-bomb"),
    Hostile(
        "bombs of two kinds",
        says(packed(b"br, gzip", gzip.compress(brotli.compress(ZEROS, quality=1)))),
        "decompression-bomb",
    ),
    Hostile("too many layers", says(packed(b"gzip, gzip, gzip, gzip", layers(PIXEL, 4))), "decompression"),
    Hostile(
        "broken gzip", says(packed(b"gzip", gzip.compress(PIXEL * 9, mtime=0)[:-12] + b"\x00" * 12)), "decompression"
    ),
    Hostile("gzip that ends early", says(packed(b"gzip", gzip.compress(PIXEL * 9, mtime=0)[:-8])), "decompression"),
    Hostile("broken brotli", says(packed(b"br", b"\xff" * 100)), "decompression"),
    Hostile("broken zstd", says(packed(b"zstd", b"\xff" * 100)), "decompression"),
    Hostile("gzip that is none", says(packed(b"gzip", PIXEL)), body=PIXEL),
    Hostile("an encoding nobody knows", says(packed(b"shrink", PIXEL)), body=PIXEL),
    Hostile("two layers, honestly", says(packed(b"gzip, gzip", layers(PIXEL, 2))), body=PIXEL),
    # ------------------------------------------------ bodies nobody wants
    Hostile(
        "a film called image", floods(OK + PICTURE + b"\r\n\x00\x00\x00\x18ftypisom", bytes(32768)), skipped="video"
    ),
    Hostile(
        "an image called film",
        says(OK + b"Content-Type: video/mp4\r\nContent-Length: %d\r\n\r\n" % len(PIXEL) + PIXEL),
        body=PIXEL,
    ),
    Hostile("endless PDF", floods(OK + b"\r\n%PDF-1.4" + bytes(600), bytes(32768)), skipped="pdf"),
    # ------------------------------------------------ redirects
    Hostile(
        "redirects to itself",
        says(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"),
        status=302,
        body=b"",
        location="/",
    ),
    Hostile("redirects in an endless chain", leads_on, status=302, body=b"", location="/x"),
    Hostile(
        "redirects to a private address",
        says(b"HTTP/1.1 301 Moved\r\nLocation: http://169.254.169.254/latest/\r\nContent-Length: 0\r\n\r\n"),
        status=301,
        location="http://169.254.169.254/latest/",
    ),
    Hostile(
        "redirects to another scheme",
        says(b"HTTP/1.1 307 Moved\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"),
        status=307,
        location="file:///etc/passwd",
    ),
    Hostile(
        "redirects to nonsense",
        says(b"HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n"),
        status=302,
        location="",
    ),
    Hostile(
        "redirects with an endless body",
        floods(b"HTTP/1.1 302 Found\r\nLocation: /next\r\n\r\n", bytes(8192)),
        status=302,
        body=b"",
        location="/next",
    ),
    Hostile(
        "redirects, and stalls in the body",
        says(b"HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 9\r\n\r\n", then="stall"),
        deadline="idle",
        status=302,
        body=b"",
        location="/next",
    ),
    # ------------------------------------------------ TLS
    Hostile("TLS that stalls", silent, "tls-timeout", "tls", tls_client=True),
    Hostile("plain HTTP where TLS should be", speaks_first, "tls", tls_client=True),
    Hostile("resets in the handshake", resets_at_once, "reset", tls_client=True),
    Hostile("refuses every name", alerts(112), "tls", tls_client=True),
    Hostile("agrees to no cipher", alerts(40), "tls", tls_client=True),
    Hostile("closes in the handshake", closes_after_hello, "reset", tls_client=True),
    Hostile("expired certificate", says(sized(PIXEL)), context=_expired, body=PIXEL, problem="expired"),
    Hostile("certificate of another", says(sized(PIXEL)), context=_mismatched, body=PIXEL, problem="for another name"),
    Hostile("self-signed certificate", says(sized(PIXEL)), context=_self_signed, body=PIXEL, problem="self-signed"),
    Hostile("TLS 1.0 only", says(sized(PIXEL)), context=_old_protocol, body=PIXEL),
    Hostile(
        "TLS, then stalls in the body",
        says(OK + PICTURE + b"Content-Length: 90000\r\n\r\n" + PIXEL * 30, then="stall"),
        "idle-timeout",
        "idle",
        context=lambda a: a.server(),
    ),
    # ------------------------------------------------ connections that serve again
    Hostile("poisons the connection", poisons, body=PIXEL),
)

__all__ = ["ALLOWANCE", "CATALOGUE", "HOST", "LIMITS", "PIXEL", "Hostile"]
