"""The headers of a request: what a browser would send, under our own name.

Accept names neither AVIF nor WebP: image CDNs would transcode, and an exact digest then misses.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from crawler.fetch.decompress import ACCEPT_ENCODING
from crawler.fetch.validators import NOTHING, Validators
from crawler.records import Kind

_ACCEPT: Final = {
    Kind.PAGE: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    Kind.IMAGE: "image/apng,image/svg+xml,image/*,*/*;q=0.8",
    Kind.RECHECK: "image/apng,image/svg+xml,image/*,*/*;q=0.8",
    Kind.ROBOTS: "text/plain,*/*;q=0.8",
    Kind.SHEET: "text/css,*/*;q=0.1",
    Kind.PART: "*/*",
    Kind.FEED: "application/rss+xml,application/atom+xml,application/xml;q=0.9,text/xml;q=0.9,*/*;q=0.8",
}
_IMAGE: Final = ("image", "no-cors")
_DESTINATION: Final = {
    Kind.IMAGE: _IMAGE,
    Kind.RECHECK: _IMAGE,
    Kind.SHEET: ("style", "no-cors"),
    Kind.PART: ("empty", "cors"),
}
_LANGUAGE: Final = "nl-NL,nl;q=0.9,en;q=0.5"
_UNSENDABLE: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_MAILBOX: Final = re.compile(r"[^\s@<>]+@[^\s@<>]+\Z")
_MAX_COOKIES: Final = 8192  # bytes; what common servers take as one header
_DEFAULT_PORT: Final = {"http": 80, "https": 443}
_DEFAULT_ENDINGS: Final = (":80/", ":443/")


def request_headers(
    kind: Kind,
    url: str,
    *,
    user_agent: str,
    contact: str | None = None,
    referrer: str | None = None,
    full_referrer: bool = False,
    cookies: tuple[tuple[str, str], ...] = (),
    validators: Validators = NOTHING,
) -> tuple[tuple[str, str], ...]:
    """All headers of a request but Host and the connection's own, in the order in which they are sent.

    contact: goes into From when it is a mail address (RFC 9110, 10.1.2).  referrer: the page that showed `url`; what
    of it is sent is said by `referer`.  full_referrer: send all of it even to another site, for servers that ask so.
    cookies: (name, value), sent as they are while they fit into 8 KiB.
    validators: (ETag, Last-Modified) of the copy that was seen before, for a conditional request.
    """
    headers = [("User-Agent", user_agent), ("Accept", _ACCEPT.get(kind, _ACCEPT[Kind.PAGE]))]
    headers += [("Accept-Language", _LANGUAGE), ("Accept-Encoding", ACCEPT_ENCODING)]
    if contact is not None and _MAILBOX.match(contact):
        headers.append(("From", contact))
    shown = None if referrer is None else referer(referrer, url, full=full_referrer)
    if shown is not None:
        headers.append(("Referer", shown))
        if kind is Kind.PART and not _same_origin_at_sight(shown, url) and _origin(shown) != _origin(url):
            # Servers that let scripts of other sites read an answer look for who asks (Fetch Standard, 3.2).
            headers.append(("Origin", shown.removesuffix("/")))
    if url.startswith("https:"):  # browsers send these over secure connections only
        destination, mode = _DESTINATION.get(kind, ("document", "navigate"))
        headers += [("Sec-Fetch-Dest", destination), ("Sec-Fetch-Mode", mode)]
        headers.append(("Sec-Fetch-Site", _relation(referrer, url)))
    crumbs = _cookie_header(cookies)
    if crumbs:
        headers.append(("Cookie", crumbs))
    tag, modified = validators
    if tag is not None:
        headers.append(("If-None-Match", tag))
    if modified is not None:
        headers.append(("If-Modified-Since", modified))
    return tuple((name, value) for name, value in headers if not _UNSENDABLE.search(value))


def referer(page: str, url: str, *, full: bool = False) -> str | None:
    """What a browser sends as Referer when `page` shows `url`; None for nothing.

    The default policy of browsers, strict-origin-when-cross-origin (W3C Referrer Policy, 3.7): all of the page's URL
    within an origin, its origin to another, nothing from https to http. With `full`, all of it in both first cases.
    Credentials and fragment are never sent.
    """
    if _same_origin_at_sight(page, url):
        return page
    source = _origin(page)
    target = _origin(url)
    if source is None or target is None or (source[0] == "https" and target[0] == "http"):
        return None
    scheme, host, port = source
    authority = f"[{host}]" if ":" in host else host
    if port != _DEFAULT_PORT[scheme]:
        authority = f"{authority}:{port}"
    if not full and source != target:
        return f"{scheme}://{authority}/"
    parts = urlsplit(page)
    query = f"?{parts.query}" if parts.query else ""
    return f"{scheme}://{authority}{parts.path or '/'}{query}"


def retry_after(value: str | None, now: float, ceiling: float = 86_400.0) -> float | None:
    """Seconds that a Retry-After header asks to wait (RFC 9110, 10.2.3), 0 to `ceiling`; None without a usable one.

    now: seconds since the epoch, for the form with a date.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), ceiling)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return min(max(0.0, (when - datetime.fromtimestamp(now, UTC)).total_seconds()), ceiling)


def _same_origin_at_sight(page: str, url: str) -> bool:
    """Whether both begin with one origin in its usual form, and all of the page's URL may be sent. False: look closely.

    Most images lie beside their page, and taking two URLs apart costs as much as all other headers together.
    """
    origin = page[: page.find("/", 8) + 1]
    usual = origin.startswith(("http://", "https://")) and origin.islower() and not origin.endswith(_DEFAULT_ENDINGS)
    return usual and "?" not in origin and "@" not in page and "#" not in page and url.startswith(origin)


def _origin(url: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORT or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or _DEFAULT_PORT[parts.scheme]


def _relation(referrer: str | None, url: str) -> str:
    """Sec-Fetch-Site. Hosts that share a registered domain count as cross-site here; nobody is known to mind."""
    if referrer is None:
        return "none"
    return "same-origin" if _origin(referrer) == _origin(url) else "cross-site"


def _cookie_header(cookies: tuple[tuple[str, str], ...]) -> str:
    crumbs: list[str] = []
    size = 0
    for name, value in cookies:
        crumb = f"{name}={value}" if name else value
        size += len(crumb) + 2
        if size > _MAX_COOKIES:
            break
        if not _UNSENDABLE.search(crumb) and ";" not in crumb:
            crumbs.append(crumb)
    return "; ".join(crumbs)
