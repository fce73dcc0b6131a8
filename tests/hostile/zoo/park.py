"""The zoo's keeper: hosts whose pages are made when they are asked for, served by the lab's servers in one process.

Every animal has a name under `zoo.test`, an address of its own, and one picture that a crawl has to find.
"""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from urllib.parse import parse_qsl, urlsplit

from crawler.lab.html import document, img, link
from crawler.lab.plan import Answer, Plan
from crawler.lab.web import NOT_FOUND, Reply, Request
from tests.servers.pictures import encoded, picture

DOMAIN = "zoo.test"
LOOPBACK = "127.0.0.1"
_ROOT = Path(__file__).parents[3]
PICTURE = "/schat/plaat.jpg"


@dataclass(frozen=True)
class Ask:
    """A request for a page of an animal. pairs: the query.  word: makes words and numbers that only this URL has."""

    host: str
    path: str
    query: str
    pairs: dict[str, str]
    cookie: str
    number: int
    port: int

    @property
    def random(self) -> Random:
        return Random(f"{self.host}{self.path}?{self.query}")

    def url(self, host: str, path: str = "/") -> str:
        return f"http://{host}:{self.port}{path}"


Animal = Callable[[Ask], Reply | None]
"""Answers a request; None: there is no such page."""

ANIMALS: dict[str, Animal] = {}
SEEDS: dict[str, str] = {}
WILD: dict[str, str] = {}
"""Suffix of host names -> the animal that all of them are."""
MUST_NOT: dict[str, tuple[str, ...]] = {}
"""Animal -> beginnings of paths that nobody may ask for."""


def animal(*, seed: str = "/", wild: str | None = None, must_not: tuple[str, ...] = ()) -> Callable[[Animal], Animal]:
    """Put a function into the zoo, under its name. wild: a suffix; all names below it are this animal's too."""

    def put(function: Animal) -> Animal:
        name = function.__name__.replace("_", "-")
        ANIMALS[name], SEEDS[name] = function, seed
        if wild is not None:
            WILD[wild] = name
        if must_not:
            MUST_NOT[name] = must_not
        return function

    return put


def page(title: str, *links: str, show: bool = False, text: str = "", head: str = "") -> Reply:
    """An HTML page. links: hrefs.  show: it shows the animal's picture."""
    parts = [f"<p>{text}</p>" if text else "", *(link(each, f"naar {n}") for n, each in enumerate(links))]
    return Reply(document(title, *parts, *([img(PICTURE)] if show else []), head=head))


@cache
def planted(name: str) -> bytes:
    """The picture of an animal."""
    return encoded(picture(sum(map(ord, name)) * 7919 + len(name), (160, 120)))


class _Names(dict[str, Answer]):
    """The zoo's DNS: wild names lie where their animal does."""

    def get(self, name: str, default: object = None) -> Answer | None:
        known = super().get(name)
        if known is None:
            for suffix, owner in WILD.items():
                if name.endswith(suffix):
                    return super().get(f"{owner}.{DOMAIN}")
        return known


@dataclass
class Zoo(Plan):
    """A plan whose answers are made by animals."""

    chosen: tuple[str, ...] = ()
    asked: Counter[str] = field(default_factory=Counter)
    trespasses: list[str] = field(default_factory=list)

    def open(self) -> None:
        self.names = _Names()
        for number, name in enumerate(self.chosen):
            address = f"127.10.{71 + number // 200}.{1 + number % 200}"
            self.names[f"{name}.{DOMAIN}"] = Answer((address,))
            self.listening.add(address)

    def owner(self, host: str) -> str | None:
        name = host.removesuffix(f".{DOMAIN}")
        if name in self.chosen:
            return name
        return next((owner for suffix, owner in WILD.items() if host.endswith(suffix) and owner in self.chosen), None)

    def reply(self, request: Request) -> Reply:
        name = self.owner(request.host)
        if name is None:
            return NOT_FOUND
        self.asked[name] += 1
        parts = urlsplit(request.target)
        if parts.path.startswith(MUST_NOT.get(name, ())) if name in MUST_NOT else False:
            self.trespasses.append(f"{name}{request.target}")
        if parts.path == PICTURE:
            return Reply(planted(name), content_type="image/jpeg")
        cookie = request.headers.get("cookie", "")
        pairs = dict(parse_qsl(parts.query))
        ask = Ask(request.host, parts.path, parts.query, pairs, cookie, request.number, self.port)
        return ANIMALS[name](ask) or NOT_FOUND

    @property
    def hashes(self) -> list[str]:
        return [f"sha256 {hashlib.sha256(planted(name)).hexdigest()}" for name in self.chosen]

    @property
    def start(self) -> list[str]:
        return [f"http://{name}.{DOMAIN}:{self.port}{SEEDS[name]}" for name in self.chosen]


@dataclass(frozen=True)
class Seen:
    """What the animals saw. asked: requests by animal.  trespasses: what nobody may ask for."""

    asked: dict[str, int]
    trespasses: list[str]


@dataclass
class Open:
    """An open zoo. seen: once it is closed."""

    zoo: Zoo
    nameserver: str
    seen: Seen | None = None


@contextmanager
def opened(*chosen: str) -> Iterator[Open]:
    """The zoo with these animals (all, when none is named), in one process of its own, until the block ends."""
    names = chosen or tuple(ANIMALS)
    ours, theirs = socket.socketpair()
    ours.settimeout(60)
    command = [sys.executable, "-m", "tests.hostile.zoo.serve", str(theirs.fileno()), *names]
    with ours, ours.makefile("rb") as lines:
        with theirs:
            process = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=_ROOT, stdin=subprocess.DEVNULL)
        try:
            port, dns = json.loads(lines.readline())
            found = Open(zoo_at(port, names), f"{LOOPBACK}:{dns}")
            yield found
            ours.shutdown(socket.SHUT_WR)
            found.seen = Seen(**json.loads(lines.readline()))
        finally:
            process.kill()
            process.wait()


def zoo_at(port: int, names: tuple[str, ...]) -> Zoo:
    """The zoo as it is served at a port."""
    zoo = Zoo(port, chosen=names)
    zoo.open()
    return zoo
