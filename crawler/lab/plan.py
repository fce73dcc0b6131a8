"""The plan of a lab: its names, pages, files and truth. A pure function of the port and of the sites chosen, so that
the process that serves it and the process that judges have the same one without sending it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from importlib import import_module
from pkgutil import iter_modules

from crawler.lab import html, sites
from crawler.lab.images import Derivative, File, Picture, media_type, steady_number
from crawler.lab.listed import LISTED
from crawler.lab.truth import Expect, Planted, Truth
from crawler.lab.web import FORBIDDEN, NOT_FOUND, Gate, Reply, Request, Route
from crawler.lab.world import excluded, in_scope
from crawler.urls import canonical, parts

PLACEHOLDER = Reply(File(Picture(steady_number("verwijderd"), 480, 360)), content_type="image/jpeg")
"""What a hoster shows in place of what it removed."""
SIZES = ((480, 360), (360, 480), (448, 336), (400, 400), (640, 480))


@dataclass(frozen=True, slots=True)
class Answer:
    """What the lab's DNS says of a name. cname: the name that it is an alias of.  rcode: as in RFC 1035, 0 is none.

    addresses: of both families.  ttl: seconds.
    """

    addresses: tuple[str, ...] = ()
    cname: str | None = None
    rcode: int = 0
    ttl: int = 60


@dataclass
class Plan:
    """seeds: URLs to start from.  names: DNS.  listening: addresses of web servers.  watched: (address, port) that
    nobody can listen on: attempts to connect are looked for in the kernel's table.  files: every picture's file.
    sites: host -> name of its site."""

    port: int
    names: dict[str, Answer] = field(default_factory=dict)
    routes: dict[tuple[str, str], Route] = field(default_factory=dict)
    seeds: list[str] = field(default_factory=list)
    truth: Truth = field(default_factory=Truth)
    listening: set[str] = field(default_factory=set)
    watched: set[tuple[str, int]] = field(default_factory=set)
    files: list[File] = field(default_factory=list)
    sites: dict[str, str] = field(default_factory=dict)
    _site: str = ""

    def host(self, name: str, *addresses: str, cname: str | None = None) -> Host:
        """A host that the lab serves. cname: an alias in DNS, whose own addresses are then `addresses`."""
        if cname is None:
            self.names[name] = Answer(addresses)
        else:
            self.names[name] = Answer(cname=cname)
            self.names[cname] = Answer(addresses)
        self.listening.update(addresses)
        self.sites[name] = self._site
        return Host(self, name, addresses)

    def begin(self, site: str) -> None:
        """What is added from now on belongs to this site."""
        self._site = site

    def reply(self, request: Request) -> Reply:
        """The answer to a request; 404 for what no site has."""
        route = self.routes.get((request.host, request.target), NOT_FOUND)
        return route if isinstance(route, Reply) else route(request)

    def remove(self, urls: Iterable[str], leave: str) -> int:
        """Answer canonical URLs differently from now on; how many of them were served. leave: see `Lab.remove`."""
        keys = [(where.host, where.target) for where in map(parts, urls)]
        served = [key for key in keys if key in self.routes]
        if leave == "another name":
            for host, target in served:
                self._rename(host, target)
        self.routes |= dict.fromkeys(served, PLACEHOLDER if leave == "placeholder" else NOT_FOUND)
        return len(served)

    def _rename(self, host: str, target: str) -> None:
        """Serve a file under another name too, and have the pages of its host that show it show it under that."""
        renamed = f"/anders{target}"
        self.routes[host, renamed] = self.routes[host, target]
        for key, route in list(self.routes.items()):
            if key[0] == host and isinstance(route, Reply) and isinstance(route.body, bytes):
                named = rb"(?<=[\"\s])" + re.escape(target.encode()) + rb"(?=[\"\s])"
                self.routes[key] = replace(route, body=re.sub(named, renamed.encode(), route.body))


@dataclass(frozen=True, slots=True)
class Host:
    """One host under construction. Methods that add something return its absolute URL."""

    plan: Plan
    name: str
    addresses: tuple[str, ...]

    def url(self, target: str) -> str:
        """The absolute URL of a target (path and query, percent-encoded)."""
        return f"http://{self.name}:{self.plan.port}{target}"

    def add(self, target: str, route: Route, expect: Expect = Expect.FETCHED) -> str:
        """Answer `target` with `route`. What is out of scope is expected to stay alone, whatever `expect` says."""
        url = self.url(target)
        form = canonical(url)
        assert isinstance(form, str), f"{url} has no canonical form"
        self.plan.routes[self.name, parts(form).target] = route
        if isinstance(route, Reply) and isinstance(route.body, File):
            self.plan.files.append(route.body)
        outside = excluded(self.name) or not all(map(in_scope, self.addresses))
        self.plan.truth.expected[form] = Expect.OUTSIDE if outside else expect
        return url

    def page(self, target: str, title: str, *body: str, seed: bool = False, head: str = "") -> str:
        """An HTML page that the crawl reaches."""
        url = self.add(target, Reply(html.document(title, *body, head=head)))
        if seed:
            self.plan.seeds.append(url)
        return url

    def file(self, target: str, file: File, expect: Expect = Expect.FETCHED, content_type: str | None = None) -> str:
        """A picture's file, with its true Content-Type unless another is given."""
        return self.add(target, Reply(file, content_type=content_type or media_type(file.format)), expect)

    def photo(self, target: str, format: str = "JPEG", expect: Expect = Expect.FETCHED) -> str:
        """A picture that is on no list and resembles none; another one for every URL."""
        number = steady_number(self.name + target)
        return self.file(target, File(Picture(number, *SIZES[number % len(SIZES)]), format), expect)

    def lookalike(self, target: str, key: str) -> str:
        """A picture that resembles a listed one and must not match."""
        original = LISTED[key].picture
        number = steady_number(self.name + target)
        return self.file(target, File(Picture(number, original.width, original.height, original.seed)))

    def plant(
        self,
        target: str,
        key: str,
        derivative: Derivative = Derivative.AS_IS,
        *,
        format: str | None = None,
        quality: int = 88,
        scale: float = 1.0,
        expect: Expect = Expect.FETCHED,
        content_type: str | None = None,
    ) -> str:
        """A listed image. It counts as planted when it is in scope, expected to be fetched or to fail as an image, and
        of a kind that its entry matches; elsewhere a hit on it is false."""
        entry = LISTED[key]
        if derivative is Derivative.AS_IS and format is None:
            body, true_type = entry.source, "image/jpeg"
        else:
            body = File(entry.picture, format or "JPEG", derivative, quality, scale)
        if isinstance(body, File):
            true_type = media_type(body.format)
        url = self.add(target, Reply(body, content_type=content_type or true_type), expect)
        kind = derivative if format is None else Derivative.RECOMPRESSED
        if entry.matches(kind):
            self.mark(target, key, kind)
        return url

    def guard(self, url: str, admits: Callable[[Request], bool], outside: Reply = FORBIDDEN) -> str:
        """Show what was added at one of this host's URLs to those only whom `admits` lets in."""
        key = self.name, parts(url).target
        inside = self.plan.routes[key]
        assert isinstance(inside, Reply), f"{url} has no answer of its own"
        self.plan.routes[key] = Gate(admits, inside, outside)
        return url

    def mark(
        self, target: str, key: str, derivative: Derivative = Derivative.AS_IS, *, data: int | None = None
    ) -> None:
        """Count the URL as a placement, unless it must not be asked for.  data: number of the page's `data:` image."""
        form = canonical(self.url(target))
        assert isinstance(form, str)
        truth = self.plan.truth
        if truth.expected[form] in (Expect.FETCHED, Expect.FAILED):
            url = form if data is None else f"{form}#data-{data}"
            truth.planted[url] = Planted(url, key, derivative)


def site_names() -> tuple[str, ...]:
    """The modules of `crawler.lab.sites`, in order."""
    return tuple(sorted(module.name for module in iter_modules(sites.__path__)))


def build_plan(port: int, chosen: Iterable[str] | None = None) -> Plan:
    """The plan of a lab on `port`. chosen: names of site modules, None for all.

    A site module has one function, `build(plan: Plan) -> None`.
    """
    plan = Plan(port)
    for name in site_names() if chosen is None else chosen:
        plan.begin(name)
        import_module(f"crawler.lab.sites.{name}").build(plan)
    return plan
