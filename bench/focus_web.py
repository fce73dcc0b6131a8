"""A web made from a seed, for `bench.focus`: hits cluster by host and by gallery, and lie alone here and there.

Hosts have sizes after a power law and share addresses. A front page leads to sections, a section (ten galleries a page,
a cover of each) to galleries, a gallery to its pages with 12 to 24 images each, to related galleries, and now and then
to another host. Links between hosts know nothing of hits, but where `Shape.kinship` says so.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

STYLES = {"folders": 0.5, "flat": 0.2, "image-host": 0.15, "image-shards": 0.15}
"""How a host names its URLs, and what share of the hosts does. folders: a gallery's pages and images lie below a
directory of its own.  flat: `/view.php?id=7&page=2` and `/images/91c2….jpg`, no directory says anything.  image-host:
images lie on another host, in a directory of the gallery.  image-shards: on another host, under hashes."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a web is made of. Shares are of 1.

    galleries: the most that a host has; hosts have 2 at least.  pages: the most that a gallery has.
    hot_hosts: share of hosts that hold galleries of hits, but two hosts at least.  hot_galleries: of the galleries of
    these hosts, from and to.
    share: of the images of such a gallery that are hits, from and to.  near: of the images in other galleries of such
    hosts.  stray: of all others.  noisy_hosts, noise: share of the other hosts where so many images are hits instead,
    spread evenly.
    related: of the galleries that a page calls related, where it is one of hits, those that are too.
    kinship: of the links that leave a host with hits, those that go to another such host.
    scattered: so many times as many hits, but anywhere; 0: where the above has them.
    """

    hosts: int = 400
    addresses: int = 150
    galleries: int = 60
    pages: int = 3
    seeds: float = 0.05
    hot_hosts: float = 0.03
    hot_galleries: tuple[float, float] = (0.05, 0.2)
    share: tuple[float, float] = (0.6, 0.9)
    near: float = 0.005
    stray: float = 0.0002
    noisy_hosts: float = 0.0
    noise: float = 0.0
    related: float = 0.6
    kinship: float = 0.0
    scattered: int = 0
    styles: tuple[str, ...] = tuple(STYLES)


@dataclass(slots=True, eq=False)
class Gallery:
    """pages: its URLs.  share: of its images that are hits.  hot: whether that is most of them."""

    section: int
    pages: list[int]
    share: float
    hot: bool


@dataclass(slots=True, eq=False)
class Site:
    """One host, and where its images lie. sections: the pages of each."""

    name: str
    images: str
    style: str
    hot: bool
    front: int = 0
    sections: list[list[int]] = field(default_factory=list)
    galleries: list[Gallery] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Web:
    """URLs have numbers, from 0. links: (number, source as discovery names it) of all that a page names, in its order.

    hits: images that match.  clustered: those of them that lie in galleries of hits, and their covers.  addresses: of
    hosts.
    """

    urls: list[str] = field(default_factory=list)
    links: dict[int, list[tuple[int, str]]] = field(default_factory=dict)
    hits: set[int] = field(default_factory=set)
    clustered: set[int] = field(default_factory=set)
    seeds: list[int] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)

    def host(self, number: int) -> str:
        """The host of a URL."""
        return self.urls[number].split("/", 3)[2]


def breadth_first(web: Web) -> list[int]:
    """Every URL in the order of discovery, each once: one queue, first in first out."""
    seen, waiting, order = set(web.seeds), deque(web.seeds), []
    while waiting:
        number = waiting.popleft()
        order.append(number)
        for target, _ in web.links.get(number, ()):
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    return order


def make_web(shape: Shape, seed: int) -> Web:
    """The web of a seed; the same one every time. Every URL can be reached from the seeds."""
    return _Maker(shape, seed).made()


class _Maker:
    def __init__(self, shape: Shape, seed: int) -> None:
        self._shape = shape
        self._random = random.Random(seed)
        self._web = Web()
        self._sites: list[Site] = []

    def made(self) -> Web:
        shape, web = self._shape, self._web
        self._make_sites()
        for site in self._sites:
            self._fill(site)
        self._link_hosts()
        web.seeds = [site.front for site in self._sites[: max(1, round(shape.seeds * shape.hosts))]]
        if shape.scattered:
            images = [number for number in range(len(web.urls)) if number not in web.links]
            web.hits = set(self._random.sample(images, shape.scattered * len(web.hits)))
            web.clustered = set()
        return web

    # ------------------------------------------------------------ hosts and their pages

    def _make_sites(self) -> None:
        shape, pick = self._shape, self._random
        sizes = [min(int(2 * pick.paretovariate(1.1)), shape.galleries) for _ in range(shape.hosts)]
        # A host with galleries of hits has other galleries too.
        eligible = [n for n, size in enumerate(sizes) if size >= 4]
        hot = set(pick.sample(eligible, max(2, round(shape.hot_hosts * shape.hosts))))
        noisy = set(pick.sample(range(shape.hosts), round(shape.noisy_hosts * shape.hosts))) - hot
        weights = [STYLES[style] for style in shape.styles]
        for n, size in enumerate(sizes):
            name, style = f"www.site{n}.example", pick.choices(shape.styles, weights)[0]
            images = f"img.site{n}.example" if style.startswith("image-") else name
            site = Site(name, images, style, n in hot)
            for host in {name: None, images: None}:
                self._web.addresses[host] = self._address()
            self._make_pages(site, size, shape.noise if n in noisy else shape.stray)
            self._sites.append(site)

    def _address(self) -> str:
        """Some addresses hold many hosts, most hold few."""
        place = int(self._shape.addresses * self._random.random() ** 1.5)
        return f"10.0.{place // 256}.{place % 256}"

    def _make_pages(self, site: Site, size: int, stray: float) -> None:
        shape, pick = self._shape, self._random
        site.front = self._page(f"https://{site.name}/")
        sections = max(1, round(math.sqrt(size) / 1.5))
        hot = (
            set(pick.sample(range(size), max(1, round(pick.uniform(*shape.hot_galleries) * size)))) if site.hot else ()
        )
        for n in range(size):
            section = n % sections
            share = pick.uniform(*shape.share) if n in hot else shape.near if site.hot else stray
            pages = [
                self._page(self._gallery_url(site, section, n, page))
                for page in range(1, pick.randint(1, shape.pages) + 1)
            ]
            site.galleries.append(Gallery(section, pages, share, n in hot))
        for section in range(sections):
            count = math.ceil(sum(gallery.section == section for gallery in site.galleries) / 10)
            name = f"list.php?s={section}&page=" if site.style == "flat" else f"section{section}/?page="
            site.sections.append([self._page(f"https://{site.name}/{name}{page}") for page in range(1, count + 1)])

    @staticmethod
    def _gallery_url(site: Site, section: int, gallery: int, page: int) -> str:
        if site.style == "flat":
            return f"https://{site.name}/view.php?id={gallery}&page={page}"
        return f"https://{site.name}/section{section}/gallery{gallery}/{page}.html"

    def _page(self, url: str) -> int:
        number = self._add(url)
        self._web.links[number] = []
        return number

    def _add(self, url: str) -> int:
        self._web.urls.append(url)
        return len(self._web.urls) - 1

    # ------------------------------------------------------------ images and links

    def _fill(self, site: Site) -> None:
        """Everything that the pages of a host name, but for other hosts."""
        self._name(site.front, (section[0] for section in site.sections), "a")
        for gallery in self._random.sample(site.galleries, min(4, len(site.galleries))):
            self._name(site.front, gallery.pages[:1], "a")
            self._picture(site, site.front, gallery, f"front/{gallery.pages[0]}")
        for number, pages in enumerate(site.sections):
            listed = [gallery for gallery in site.galleries if gallery.section == number]
            for n, page in enumerate(pages):
                for gallery in listed[10 * n : 10 * n + 10]:
                    self._picture(site, page, gallery, f"covers/{gallery.pages[0]}")
                    self._name(page, gallery.pages[:1], "a")
                self._name(page, pages[n + 1 : n + 2], "next")
                self._name(page, [site.front], "a")
        for number, gallery in enumerate(site.galleries):
            self._fill_gallery(site, number, gallery)

    def _fill_gallery(self, site: Site, number: int, gallery: Gallery) -> None:
        for n, page in enumerate(gallery.pages):
            for k in range(self._random.randint(12, 24)):
                self._picture(site, page, gallery, f"gallery{number}/{n}-{k}")
            self._name(page, gallery.pages[n + 1 : n + 2], "next")
            self._name(page, (each.pages[0] for each in self._related(site, gallery)), "a")
            self._name(page, (site.front, site.sections[gallery.section][0]), "a")

    def _related(self, site: Site, gallery: Gallery) -> Iterable[Gallery]:
        """Four others, without regard to what they show, but where this one is of hits."""
        hot = [each for each in site.galleries if each.hot]
        for _ in range(4):
            alike = gallery.hot and self._random.random() < self._shape.related
            yield self._random.choice(hot if alike else site.galleries)

    def _picture(self, site: Site, page: int, gallery: Gallery, name: str) -> None:
        """One image of a gallery, shown by a page."""
        section = f"section{gallery.section}/" if site.style == "folders" and name.startswith("gallery") else ""
        if site.style in ("flat", "image-shards"):
            digest = blake2b(name.encode(), digest_size=8, key=site.name.encode()).hexdigest()
            name = f"images/{digest}" if site.style == "flat" else f"{digest[:2]}/{digest[2:4]}/{digest[4:]}"
        number = self._add(f"https://{site.images}/{section}{name}.jpg")
        self._name(page, [number], "img")
        if self._random.random() < gallery.share:
            self._web.hits.add(number)
            if gallery.hot:
                self._web.clustered.add(number)

    def _link_hosts(self) -> None:
        """Every host is named by one that was found before it, and some pages name a host at random."""
        pick, sites = self._random, self._sites
        pick.shuffle(sites)
        hot = [site for site in sites if site.hot]
        for n, site in enumerate(sites[1:], 1):
            self._name(self._some_page(sites[pick.randrange(n)]), [site.front], "a")
        for site in sites:
            pages = [site.front] * 4 + [page for gallery in site.galleries for page in gallery.pages]
            for page in pages:
                if page == site.front or pick.random() < 0.1:
                    kin = site.hot and pick.random() < self._shape.kinship
                    self._name(page, [pick.choice(hot if kin else sites).front], "a")

    def _some_page(self, site: Site) -> int:
        return self._random.choice([site.front, *self._random.choice(site.galleries).pages])

    def _name(self, page: int, targets: Iterable[int], source: str) -> None:
        self._web.links[page] += [(target, source) for target in targets if target != page]
