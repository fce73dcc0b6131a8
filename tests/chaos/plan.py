"""The synthetic web of the chaos tests, made from a few numbers, and what a crawl must make of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tests.servers.pictures import encoded, picture
from tests.servers.web import Answer, html, image

NETWORK = "127.20.7."
ROBOTS = (200, {"Content-Type": "text/plain"}, b"User-agent: *\nDisallow: /secret/\n")
GONE = (404, {"Content-Type": "text/plain"}, b"not here")
_HARMLESS, _LISTED = 12, 6
_SIZE = (120, 90)


@dataclass(frozen=True)
class Plan:
    """addresses: how many, each a host of its own.  pages: on each.  images: on each page.

    Every address also has its start page, one URL that is gone, and one that its robots.txt forbids.
    """

    port: int
    addresses: int = 12
    pages: int = 20
    images: int = 8

    @property
    def hosts(self) -> list[str]:
        return [f"{NETWORK}{number + 1}" for number in range(self.addresses)]

    @property
    def seed(self) -> str:
        """The one URL that leads to all others."""
        return self._url(0, "/")

    @property
    def asked(self) -> dict[str, set[str]]:
        """Address -> paths that a whole crawl asks for there: all but what robots.txt forbids."""
        pages = {f"/p/{page}" for page in range(self.pages)}
        images = {f"/i/{page}-{number}.jpg" for page in range(self.pages) for number in range(self.images)}
        return {host: {"/", "/robots.txt", "/gone", *pages, *images} for host in self.hosts}

    @property
    def urls(self) -> dict[str, object]:
        """What the summary of a finished crawl must say: every URL has one outcome, and it is the right one."""
        fetched = self.addresses * (1 + self.pages + self.pages * self.images) + len(self.shared)
        return {
            "discovered": fetched + 2 * self.addresses,
            "fetched": fetched,
            "failed": {"http-404": self.addresses},
            "skipped": {"robots": self.addresses},
            "pending": 0,
        }

    @property
    def size(self) -> int:
        """How many URLs there are."""
        return int(str(self.urls["discovered"]))

    @cached_property
    def shared(self) -> frozenset[str]:
        """Images that a page of another host shows too: those are two URLs, for what a host serves may depend on it."""
        last = self.images - 1
        return frozenset(
            self._url(host, f"/i/{page}-{last}.jpg") for host in range(self.addresses) for page in range(self.pages)
        )

    def times(self, url: str) -> int:
        """How often a URL is asked for when nothing goes wrong."""
        return 2 if url in self.shared else 1

    @cached_property
    def planted(self) -> frozenset[str]:
        """The URLs of listed pictures."""
        return frozenset(
            self._url(host, f"/i/{page}-{number}.jpg")
            for host in range(self.addresses)
            for page in range(self.pages)
            for number in range(self.images)
            if self._listed(host, page, number)
        )

    @property
    def hashes(self) -> list[str]:
        """Lines of the hash list."""
        return [f"sha256 {hashlib.sha256(body).hexdigest()}" for body in self._bodies[_HARMLESS:]]

    def answer(self, host: int, path: str) -> Answer:
        """What address number `host` answers."""
        if path == "/robots.txt":
            return ROBOTS
        if path == "/":
            return html("".join(self._start(host)))
        kind, _, rest = path[1:].partition("/")
        if kind == "p" and rest.isdecimal() and int(rest) < self.pages:
            return html("".join(self._page(host, int(rest))))
        if kind == "i" and rest.endswith(".jpg"):
            page, number = map(int, rest.removesuffix(".jpg").split("-"))
            if page < self.pages and number < self.images:
                return image(self._bodies[self._body(host, page, number)])
        return GONE

    def _start(self, host: int) -> Iterator[str]:
        yield f'<a href="{self._url((host + 1) % self.addresses, "/")}">next</a>'
        yield f'<a href="{self._url((host + self.addresses // 2) % self.addresses, "/")}">far</a>'
        yield '<a href="/gone">gone</a><a href="/secret/x">secret</a>'
        # Half of the pages hang on the start page, the others on each other.
        yield from (f'<a href="/p/{page}">page</a>' for page in range(0, self.pages, 2))

    def _page(self, host: int, page: int) -> Iterator[str]:
        yield f'<a href="/p/{(page + 1) % self.pages}">on</a><a href="/">home</a>'
        yield from (f'<img src="/i/{page}-{number}.jpg">' for number in range(self.images))
        # The same picture is shown by two pages of two hosts, so that two admitters meet it at once.
        yield f'<img src="{self._url((host + 1) % self.addresses, f"/i/{page}-{self.images - 1}.jpg")}">'

    def _url(self, host: int, path: str) -> str:
        return f"http://{self.hosts[host]}:{self.port}{path}"

    def _listed(self, host: int, page: int, number: int) -> bool:
        return number == (host + page) % self.images and page % 4 == host % 4

    def _body(self, host: int, page: int, number: int) -> int:
        n = host + 7 * page + number
        return _HARMLESS + n % _LISTED if self._listed(host, page, number) else n % _HARMLESS

    @cached_property
    def _bodies(self) -> list[bytes]:
        return [encoded(picture(number, _SIZE)) for number in range(_HARMLESS + _LISTED)]
