"""The cookies of one host: kept and sent back as a browser does, in a jar small enough for a record in Redis.

A jar belongs to one origin in one run, so a cookie goes back to the host that set it and to no other, whatever its
`Domain` says: a hoster's customers below one domain are strangers to each other, and a session that a host shares with
its siblings would have to be looked up for each of them. `Domain` only decides whether a cookie is taken at all.
`HttpOnly` and `SameSite` are about scripts and forms, of which there are none here.

Source: RFC 6265 as its successor draft-ietf-httpbis-rfc6265bis has it (5.6 to 5.8); the bounds are ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import msgpack

from crawler.errors import RecordCorrupt
from crawler.fetch.cookiedate import cookie_date
from crawler.packing import packed
from crawler.urls import UrlParts, parts

MAX_COOKIES: Final = 20
MAX_COOKIE: Final = 1_024
"""Bytes of a cookie's name, value and path together, as UTF-8; a larger one is not taken."""
MAX_JAR: Final = 4_096
"""Bytes of a packed jar; the oldest cookies leave it first."""
MAX_AGE: Final = 400 * 86_400.0
"""Seconds; a cookie that asks for a longer life gets this (RFC 6265bis, 5.5)."""

_VERSION: Final = 1
_MAX_LINE: Final = 4_096
_MAX_LINES: Final = 100
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_UNSENDABLE: Final = re.compile(r"[\x00-\x1f\x7f;\ud800-\udfff]")
_DELTA: Final = re.compile(r"(-?)0*([0-9]{1,12})[0-9]*\Z")
_SPACE: Final = " \t"


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie. name: may be empty.  expires: epoch seconds; None: as long as the jar."""

    name: str = field(repr=False)
    value: str = field(repr=False)
    path: str = field(default="/", repr=False)
    secure: bool = False
    expires: int | None = None

    def over(self, now: float) -> bool:
        return self.expires is not None and self.expires <= now

    def fits(self, where: UrlParts) -> bool:
        """Whether a request for this URL carries it (path matching: RFC 6265, 5.1.4)."""
        if self.secure and where.scheme != "https":
            return False
        path = self.path
        return where.path.startswith(path) and (
            where.path == path or path.endswith("/") or where.path[len(path)] == "/"
        )


Jar = tuple[Cookie, ...]
"""The cookies of one host, oldest first. `()` is the empty jar."""


def kept(jar: Jar, lines: Iterable[str], url: str, now: float) -> Jar:
    """The jar after an answer for a canonical `url` with these Set-Cookie headers; the same object if nothing changed.

    now: epoch seconds.  Lines that are no cookie, or none that this host may set, are passed over. A cookie that is
    only set again is left as it is while half of its new life remains, so that a host which renews its cookies with
    every answer does not have the jar written with every answer.
    """
    where = parts(url)
    cookies = {(cookie.name, cookie.path): cookie for cookie in jar if not cookie.over(now)}
    for _, line in zip(range(_MAX_LINES), lines, strict=False):
        cookie = _parsed(line, where, now)
        if cookie is None:
            continue
        key = cookie.name, cookie.path
        if cookie.over(now):
            cookies.pop(key, None)
        elif key not in cookies or not _stands_for(cookies[key], cookie, now):
            cookies[key] = cookie
    found = _bounded(tuple(cookies.values()))
    return jar if found == jar else found


def sendable(jar: Jar, url: str, now: float) -> tuple[tuple[str, str], ...]:
    """(name, value) of the cookies for a request for a canonical `url`: longer paths first, then older ones."""
    if not jar:
        return ()
    where = parts(url)
    found = [cookie for cookie in jar if cookie.fits(where) and not cookie.over(now)]
    return tuple((cookie.name, cookie.value) for cookie in sorted(found, key=lambda cookie: -len(cookie.path)))


def pack_jar(jar: Jar) -> bytes:
    """For the frontier, at most MAX_JAR bytes for a jar that `kept` made."""
    rows = [(cookie.name, cookie.value, cookie.path, cookie.secure, cookie.expires) for cookie in jar]
    return packed((_VERSION, rows))


def unpack_jar(data: bytes) -> Jar:
    """The jar that `pack_jar` packed. Raises RecordCorrupt for anything else."""
    try:
        version, rows = msgpack.unpackb(data) if len(data) <= MAX_JAR else (None, ())
        jar = tuple(Cookie(*row) for row in rows)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise RecordCorrupt("the session of a host is damaged") from error
    if version != _VERSION or len(jar) > MAX_COOKIES or not all(map(_sound, jar)):
        raise RecordCorrupt("the session of a host is damaged, or of another version")
    return jar


def _parsed(line: str, where: UrlParts, now: float) -> Cookie | None:
    if len(line) > _MAX_LINE or _CONTROL.search(line):
        return None
    pair, _, rest = line.partition(";")
    name, equals, value = pair.partition("=")
    name, value = (name, value) if equals else ("", pair)
    attributes = _attributes(rest)
    path = attributes.get("path", "")
    cookie = Cookie(
        name=name.strip(_SPACE),
        value=value.strip(_SPACE),
        path=path if path.startswith("/") else _default_path(where.path),
        secure="secure" in attributes,
        expires=_expiry(attributes, now),
    )
    return cookie if _sound(cookie) and _permitted(cookie, attributes, where) else None


def _attributes(text: str) -> dict[str, str]:
    """By name in lower case; of several with one name the last counts."""
    found = {}
    for part in text.split(";"):
        name, _, value = part.partition("=")
        found[name.strip(_SPACE).lower()] = value.strip(_SPACE)
    return found


def _default_path(path: str) -> str:
    """RFC 6265, 5.1.4: the directory of the URL that set the cookie, without its last slash."""
    return path[: path.rfind("/")] or "/"


def _expiry(attributes: dict[str, str], now: float) -> int | None:
    """Epoch seconds, 0 for what is over; None without a usable attribute. Max-Age wins over Expires."""
    delta = _DELTA.match(attributes.get("max-age", ""))
    if delta is not None:
        seconds = min(float(delta[2]), MAX_AGE)
        return 0 if delta[1] or seconds == 0 else int(now + seconds)
    when = cookie_date(attributes.get("expires", ""))
    return None if when is None else int(min(max(when, 0.0), now + MAX_AGE))


def _permitted(cookie: Cookie, attributes: dict[str, str], where: UrlParts) -> bool:
    """Whether this host may set it: its domain, its secrecy, and the promises of its name (RFC 6265bis, 5.7)."""
    domain = attributes.get("domain", "").lower().removeprefix(".")
    if domain and domain != where.host and (where.is_address or not where.host.endswith(f".{domain}")):
        return False
    if cookie.secure and where.scheme != "https":
        return False
    promise = (cookie.name or cookie.value).lower()
    if promise.startswith("__host-"):
        return bool(cookie.name) and cookie.secure and attributes.get("path") == "/" and not domain
    return not promise.startswith("__secure-") or (bool(cookie.name) and cookie.secure)


def _sound(cookie: Cookie) -> bool:
    """Whether the fields are what they should be, and nothing in them could break a request."""
    texts: tuple[Any, ...] = cookie.name, cookie.value, cookie.path
    if not all(isinstance(text, str) and not _UNSENDABLE.search(text) for text in texts):
        return False
    if not (cookie.name or cookie.value) or "=" in cookie.name or not cookie.path.startswith("/"):
        return False
    if type(cookie.secure) is not bool or type(cookie.expires) not in (int, type(None)):
        return False
    return sum(len(text.encode()) for text in texts) <= MAX_COOKIE


def _stands_for(old: Cookie, new: Cookie, now: float) -> bool:
    """Whether `old` may stay in place of `new`, which differs from it in nothing but a somewhat later end."""
    if (old.value, old.secure) != (new.value, new.secure):
        return False
    if old.expires is None or new.expires is None:
        return old.expires is new.expires
    return old.expires <= new.expires and 2 * (old.expires - now) >= new.expires - now


def _bounded(jar: Jar) -> Jar:
    jar = jar[-MAX_COOKIES:]
    while len(pack_jar(jar)) > MAX_JAR:
        jar = jar[1:]
    return jar
