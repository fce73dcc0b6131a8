"""URLs: the canonical form that is requested and counted, and the keys that say what is the same.

Parsing is the WHATWG URL Standard's (https://url.spec.whatwg.org/, by ada-url), so a URL here is what a browser makes
of it: every notation of an IP address ends as one, host names are IDNA-encoded and lower case, dot segments are
resolved. What is dropped beyond that is said in `url_rules.toml`, which may be edited.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv6Address
from typing import Final

import ada_url

from crawler.errors import InvalidInput
from crawler.records import Rejected
from crawler.url_rules import RULES, Rules

MAX_URL: Final = 2048  # characters of the canonical form
_MAX_RAW: Final = 8 * MAX_URL  # beyond this no amount of cleaning makes a URL short enough to be worth the work

_HTML_SPACE = " \t\n\r\x0c"
# C0 but for tab and line ends (which the standard removes), DEL, C1, bidirectional controls, lone surrogates.
_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]|%00"
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_CANONICAL = re.compile(r"(https?)://(\[[0-9a-f:]+\]|[^/:@\[\]?#]+)(?::([0-9]+))?(/[^?#]*)(?:\?([^#]*))?\Z")
_AUTHORITY = re.compile(r"(?:[A-Za-z]+:)?[/\\]*([^/\\?#]*)")
_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\Z")
_IPV4 = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+\Z")
_DEFAULT_PORT: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class UrlParts:
    """A canonical URL, taken apart.

    host: a DNS name in lower case, or an IP address as text (IPv6 without brackets).  port: never 0, the scheme's when
    the URL names none.  path: starts with "/".  query: without "?", None when there is none.
    origin: as the WHATWG writes it, "https://example.nl" (a default port is left out).
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str | None
    origin: str

    @property
    def is_address(self) -> bool:
        """Whether the host is an IP address and no name."""
        return ":" in self.host or _IPV4.match(self.host) is not None

    @property
    def target(self) -> str:
        """Path and query, as they stand in a request line."""
        return self.path if self.query is None else f"{self.path}?{self.query}"


def canonical(url: str, base: str | None = None) -> str | Rejected:
    """The form of `url` under which it is requested and counted; `base` makes a relative one absolute.

    Absolute http or https, at most MAX_URL characters, ASCII; no fragment, default port, trailing dot of the host,
    empty query or tracking parameter. The order of the query stays. An IPv4 address written as mapped IPv6 becomes the
    IPv4 address that it reaches. canonical(canonical(x)) == canonical(x). Never raises; a Rejected has one of the
    reasons "control-characters", "credentials", "host", "idna", "port", "relative", "scheme", "too-long".
    """
    text = url.strip(_HTML_SPACE)
    if len(text) > _MAX_RAW:
        return Rejected(_other_scheme(text) or "too-long")
    # The plain test is the quick one; only what fails it, or is in another script, needs the pattern.
    if ("%00" in text or not (text.isascii() and text.isprintable())) and _CONTROL.search(text):
        return Rejected(_other_scheme(text) or "control-characters")
    href = _resolve(text, base)
    if href is None:
        return Rejected(_why_unparsable(text, base))
    if base and "%00" in href:
        return Rejected("control-characters")  # the base's own, which was not looked at
    match = _CANONICAL.match(href)
    return Rejected(_why_unusable(href)) if match is None else _rebuilt(*match.groups())


def parts(url: str) -> UrlParts:
    """A canonical URL, taken apart. Raises InvalidInput when `url` is not in canonical form."""
    scheme, host, port, path, query = _split(url)
    number = int(port) if port else _DEFAULT_PORT[scheme]
    origin = f"{scheme}://{host}:{port}" if port else f"{scheme}://{host}"
    return UrlParts(scheme, host.strip("[]"), number, path, query, origin)


def host_key(url: str) -> str:
    """The server that a canonical URL is asked of, as queues and budgets name it: "https://example.nl:443".

    The port always stands there. Raises InvalidInput when `url` is not in canonical form.
    """
    scheme, host, port, _, _ = _split(url)
    return f"{scheme}://{host}:{port or _DEFAULT_PORT[scheme]}"


def resource_key(url: str, rules: Rules = RULES) -> str:
    """A canonical URL without the parts that servers change by themselves: one resource, one key.

    Left out: expiring signatures, session numbers, cache busters, as `rules` lists them. Percent-encoding is normalised
    (RFC 3986, 6.2.2). Not for requests: the server may refuse it. Raises InvalidInput when `url` is not canonical.
    """
    scheme, host, port, path, query = _split(url)
    shown = f"{scheme}://{host}{':' + port if port else ''}{_plain(_SESSION_IN_PATH.sub('', path))}"
    if not query:
        return shown
    kept = rules.without_volatile(query, behind_file=bool(_FILE.search(path)))
    return f"{shown}?{_plain(kept)}" if kept else shown


def url_number(url: str, context: int, key: bytes) -> int:
    """The number that stands for (url, context) where no URL text may be kept; -2**63 to 2**63 - 1.

    Signed, so that Redis holds it in an intset.  context: 0 to 255.  key: 1 to 64 secret bytes of the deployment;
    without it, nobody can try whether a URL is among the numbers. BLAKE2b with an 8-byte digest (RFC 7693).
    """
    digest = blake2b(url.encode(), digest_size=8, key=key, person=b"url", salt=context.to_bytes(1, "big"))
    return int.from_bytes(digest.digest(), "big", signed=True)


def masked(url: str, key: bytes = b"") -> str:
    """What people see where the URL itself may not be shown: enough to tell two apart, too little to visit one.

    "https://w….e….nl/…(3).jpg": scheme, first letters of the host's labels, its top-level domain, number of path
    segments, extension. With a `key` (1 to 64 bytes) a keyed tag follows, equal for equal URLs only: " [3f9a01]".
    Text that is no canonical URL becomes "(not a URL)".
    """
    match = _CANONICAL.match(url)
    if match is None:
        return "(not a URL)"
    scheme, host, _, path, query = match.groups()
    depth = len([segment for segment in path.split("/") if segment])
    file = _FILE.search(path)
    shown = f"{scheme}://{_masked_host(host)}/{f'…({depth})' if depth else ''}"
    shown += f"{file[0].lower() if file else ''}{'?…' if query else ''}"
    if not key:
        return shown
    return f"{shown} [{blake2b(url.encode(), digest_size=3, key=key, person=b'mask').hexdigest()}]"


_FILE = re.compile(r"\.(?:jpe?g|png|gif|webp|avif|bmp|svgz?|ico|hei[cf]|jxl|tiff?|css|js|mp4|webm)\Z", re.I)
_SESSION_IN_PATH = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/;]*", re.I)
_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def _split(url: str) -> tuple[str, str, str | None, str, str | None]:
    match = _CANONICAL.match(url)
    if match is None:
        raise InvalidInput("not a canonical http or https URL: pass it through crawler.urls.canonical first")
    scheme, host, port, path, query = match.groups()
    return scheme, host, port, path, query


def _resolve(text: str, base: str | None) -> str | None:
    """What the WHATWG parser makes of it, without the fragment where that comes for free; None when it fails."""
    try:
        # Resolving "" against a URL is its normal form without the fragment, in fewer calls than ada_url.URL takes.
        return ada_url.join_url(text, "") if base is None else ada_url.join_url(base, text).partition("#")[0]
    except ValueError:
        return _resolve(text, None) if base is not None and _SCHEME.match(text) else None


def _rebuilt(scheme: str, host: str, port: str | None, path: str, query: str | None) -> str | Rejected:
    """The canonical form from the groups of _CANONICAL."""
    plain_host = _checked_host(host)
    if plain_host is None:
        return Rejected("idna" if "xn--" in host else "host")
    if port == "0":
        return Rejected("port")
    kept = _without_tracking(query, RULES) if query else ""
    result = f"{scheme}://{plain_host}{':' + port if port else ''}{path}{'?' + kept if kept else ''}"
    return result if len(result) <= MAX_URL else Rejected("too-long")


@lru_cache(maxsize=8_192)
def _checked_host(host: str) -> str | None:
    """The host without its trailing dot, mapped IPv6 unwrapped; None when no resolver could know it."""
    if host.startswith("["):
        address = IPv6Address(host[1:-1])
        return str(address.ipv4_mapped) if address.ipv4_mapped else host
    name = host.removesuffix(".")
    if len(name) > 253 or not _NAME.match(name) or ("xn--" in name and not _all_decode(name)):
        return None
    return name


def _all_decode(name: str) -> bool:
    """Whether every IDNA label holds Punycode of something."""
    for label in name.split("."):
        if label.startswith("xn--"):
            try:
                if not label[4:].encode().decode("punycode"):
                    return False
            except (UnicodeError, OverflowError):
                return False
    return True


def _without_tracking(query: str, rules: Rules) -> str:
    if not rules.may_track(query):
        return query
    return "&".join(pair for pair in query.split("&") if not rules.is_tracking(pair.partition("=")[0]))


def _other_scheme(text: str) -> str | None:
    match = _SCHEME.match(text)
    return "scheme" if match and match[1].lower() not in _DEFAULT_PORT else None


def _why_unparsable(text: str, base: str | None) -> str:
    scheme = _SCHEME.match(text)
    if scheme is None and (base is None or not text.startswith(("//", "\\\\"))):
        return "relative"
    if _other_scheme(text):
        return "scheme"
    found = _AUTHORITY.match(text)
    authority = found[1] if found else ""
    if "@" in authority:
        return "credentials"
    name, colon, port = authority.rpartition(":")
    if colon and "]" not in port and not (port.isascii() and port.isdigit() and int(port[:6]) < 65_536):
        return "port"
    host = (name if colon else authority).lower()
    return "idna" if not host.isascii() or "xn--" in host or "%" in host else "host"


def _why_unusable(href: str) -> str:
    if _other_scheme(href):
        return "scheme"
    found = _AUTHORITY.match(href)
    return "credentials" if found and "@" in found[1] else "host"


def _plain(text: str) -> str:
    """Percent-encoding in its normal form: unreserved characters bare, hexadecimal digits upper case."""

    def one(match: re.Match[str]) -> str:
        character = chr(int(match[1], 16))
        return character if character in _UNRESERVED else f"%{match[1].upper()}"

    return _PERCENT.sub(one, text) if "%" in text else text


def _masked_host(host: str) -> str:
    if host.startswith("["):
        return f"{host[:3]}…]"
    labels = host.split(".")
    if _IPV4.match(host):
        return f"{labels[0]}.…"
    return ".".join([*(f"{label[0]}…" for label in labels[:-1]), labels[-1] if len(labels) > 1 else f"{host[0]}…"])
