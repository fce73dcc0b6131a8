"""Homes, databases and made-up reports for the tests of store, service and command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from hashlib import md5, sha256
from pathlib import Path
from shutil import copytree

from crawler.home import Home, open_home
from crawler.match.entries import Entry
from crawler.records import AddressFacts, Attribution, Evidence, FoundImage, HitReport, RowMatch, RunId
from crawler.store import arrivals, lists
from crawler.store.actors import Actor, Role
from crawler.store.database import Database, open_store
from crawler.store.lists import ListVersion
from crawler.store.staging import Staging

ANNA = Actor("anna", frozenset(Role), "cli")
RUN = RunId("nightly", 1)
IMAGE_URL = "https://img.gallery.example/holiday/secret-name.jpg"
PAGE_URL = "https://gallery.example/album?page=4"
FACTS = AddressFacts(
    country="NL",
    prefix="192.0.2.0/24",
    asn=64496,
    as_name="TULIP-AS",
    network="TULIP-NET",
    holder="Tulip Hosting B.V.",
    abuse_contact="abuse@tulip.example",
    evidence=(Evidence("country NL", "lab", "2026-06-17", "192.0.2.0/24"),),
)
ATTRIBUTION = Attribution("gallery.example", "gallery.example", "192.0.2.7", FACTS)


def home_at(root: Path, *, lab: bool = True) -> Home:
    return open_home(root / "home", lab=lab)


NEW_HOMES: dict[bool, Path] = {}
"""For the lab or not -> a home as its first command leaves it, with a database, keys and tables: a copy of it costs a
sixth of what making another does. Filled by `make_new_homes`."""


def make_new_homes(root: Path) -> None:
    for lab in (False, True):
        with store_at(root / str(lab), lab=lab) as db:
            home = db.home.root
        NEW_HOMES[lab] = home


@contextmanager
def store_at(root: Path, *, lab: bool = True) -> Iterator[Database]:
    """The database of the home below `root`, which is made if there is none. All that are made have the same keys."""
    if lab in NEW_HOMES and not (root / "home").exists():
        copytree(NEW_HOMES[lab], root / "home")
    with open_store(home_at(root, lab=lab), busy_seconds=0.2) as db:
        yield db


def image(text: str = "an image", *matches: RowMatch) -> FoundImage:
    digest = sha256(text.encode()).digest()
    return FoundImage(digest, md5(text.encode()).digest(), 4_321, 640, 480, 88, matches or (RowMatch(1, "sha256"),))


def report(serial: str = "s1", **changes: object) -> HitReport:
    made = HitReport(
        serial=serial,
        run=RUN,
        image_url=IMAGE_URL,
        page_url=PAGE_URL,
        redirects=("https://gallery.example/r/1",),
        found_at=1_780_000_000.5,
        address="192.0.2.7",
        index="ab" * 32,
        found=image(),
    )
    return replace(made, **changes)


def add_list(db: Database, entries: Sequence[Entry], name: str = "tulips", **changes: object) -> ListVersion:
    """Import entries as the next version of a list, without a file."""
    options = {"kind": "block", "format_name": "lines", "skipped": {}} | changes
    kind, near, replaces = options["kind"], options.pop("near", "confirm"), options.pop("replaces", True)
    tombstones = options.pop("tombstones", ())
    with Staging(db) as staging:
        staging.add(entries)
        staging.bury(tombstones)
        staging.attach()
        with arrivals.importing(db):
            change = arrivals.difference(db, staging, name, kind, replaces=replaces)
            with arrivals.arriving(db, name, kind, near, change) as arrival, db.write():
                return lists.add_version(db, arrival, ANNA, **options)


def digest_entry(text: str, algorithm: str = "sha256", **more: object) -> Entry:
    value = md5(text.encode()).digest() if algorithm == "md5" else sha256(text.encode()).digest()
    return Entry(algorithm, value, **more)


def code_entry(number: int = 1, algorithm: str = "pdq", **more: object) -> Entry:
    value = sha256(f"code {number}".encode()).digest()
    return Entry(algorithm, value[:8] if algorithm == "phash" else value, **more)
