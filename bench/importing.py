"""Importing hash lists: every format, against the standard library's reader of it and one plain SQLite table.

Ours is the whole of `vangnet hashes import` in a fresh home: reading in bounded memory, guards, staging, slices of
entries that nobody sees yet, the transaction that makes them a version, and the audit event. The peer (csv, json or
xml.etree, then sqlite3 with the same unique index, in one transaction) checks nothing, keeps no versions, and where it
has to reads the whole file into memory. Each side runs in a process of its own, so that its peak of memory is its own.
Values are random and stand for no image.

How long others wait is the longest that a process needed for a transaction of one row, one after the other for as long
as a list was imported, imported with every value exchanged, and dropped.
"""

from __future__ import annotations

import csv
import json
import random
import resource
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

from bench.report import Result, Row, main, progress, row
from crawler.home import open_home
from crawler.match.entries import ImportOptions
from crawler.match.importers.synthetic import WRITERS, Picture
from crawler.service.dropping import drop
from crawler.service.imports import import_list
from crawler.store.actors import Actor, Role
from crawler.store.database import open_store

ENTRIES, QUICK = 1_400_000, 40_000
MOST_SECONDS = 60.0
GROWTH = 3
"""Times more entries, where SQLite's cache and the sorter of an import (500,000 entries) are full in both."""

MOST_GROWTH = 1.1
MOST_WAIT = 1.0
"""Seconds for which another writer may wait."""

MIB = 1024
ALGORITHMS = ("md5", "sha1")
OPERATOR = Actor("bench", frozenset(Role), "cli")
Values = Iterator[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Measured:
    """wall, processor: seconds.  peak: of memory, in MiB."""

    wall: float
    processor: float
    peak: float

    def __str__(self) -> str:
        return f"{self.wall:.1f} s, {self.processor:.1f} s of processor time, {self.peak:.0f} MiB"


def write(path: Path, format_name: str, entries: int) -> None:
    """A list of so many entries, two of each image."""
    rng = random.Random(format_name)
    images = (
        Picture(str(number + 1), "1", 4_096, {"md5": rng.randbytes(16), "sha1": rng.randbytes(20)})
        for number in range(entries // len(ALGORITHMS))
    )
    with path.open("w", encoding="utf-8") as file:
        file.writelines(WRITERS[format_name](images))


def ours(path: Path, home: Path) -> None:
    with open_store(open_home(home, lab=True)) as db:
        import_list(db, OPERATOR, path, name="bench", options=ImportOptions())


def plain_lines(path: Path) -> Values:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if not line.startswith("#"):
                name, value = line.split()
                yield name, bytes.fromhex(value)


def plain_csv(path: Path, separator: str = ",", names: tuple[str, str] = ALGORITHMS) -> Values:
    with path.open(encoding="utf-8", newline="") as file:
        for image in csv.DictReader(file, delimiter=separator):
            yield from ((name.lower(), bytes.fromhex(image[name])) for name in names if image[name])


def plain_vics(path: Path) -> Values:
    for image in json.loads(path.read_text("utf-8-sig"))["value"]:
        yield from ((name, bytes.fromhex(image[name.upper()])) for name in ALGORITHMS)


def plain_ncmec(path: Path) -> Values:
    for _, element in ElementTree.iterparse(path):
        name = element.tag.rpartition("}")[2]
        if name in ALGORITHMS:
            yield name, bytes.fromhex(element.text or "")
        elif name == "image":
            element.clear()


READERS = {
    "lines": ("plain split", plain_lines),
    "csv": ("csv.DictReader", plain_csv),
    "vics": ("json.loads", plain_vics),
    "ncmec": ("ElementTree.iterparse", plain_ncmec),
    "interpol": ("csv.DictReader", partial(plain_csv, separator=";", names=("MD5", "SHA1"))),
}


def peer(path: Path, home: Path, format_name: str) -> None:
    home.mkdir()
    connection = sqlite3.connect(home / "plain.sqlite")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE entries (id INTEGER PRIMARY KEY, algorithm TEXT, value BLOB)")
    connection.execute("CREATE UNIQUE INDEX by_value ON entries (algorithm, value)")
    with connection:
        found = READERS[format_name][1](path)
        connection.executemany("INSERT OR IGNORE INTO entries (algorithm, value) VALUES (?, ?)", found)
    connection.close()


def work(path: Path, home: Path, format_name: str | None, answer: object) -> None:
    """In a process of its own. format_name: the peer's, None for ours."""
    started = time.perf_counter()
    if format_name is None:
        ours(path, home)
    else:
        peer(path, home, format_name)
    used = resource.getrusage(resource.RUSAGE_SELF)
    answer.send(Measured(time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / MIB))


def measure(path: Path, home: Path, format_name: str | None = None) -> Measured:
    context = get_context("spawn")
    ear, mouth = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(path, home, format_name, mouth))
    process.start()
    mouth.close()
    found = ear.recv()
    process.join()
    return found


def compare(directory: Path, format_name: str, entries: int) -> tuple[Row, float]:
    path = directory / f"{format_name}.list"
    write(path, format_name, entries)
    mine = measure(path, directory / f"{format_name}-ours")
    theirs = measure(path, directory / f"{format_name}-peer", format_name)
    progress(f"{format_name}: {mine}; peer {theirs}")
    path.unlink()
    made = row(
        f"{format_name}, {entries} entries, seconds to import ({mine})",
        mine.wall,
        "s",
        peer=theirs.wall,
        peer_name=f"{READERS[format_name][0]} and sqlite3 ({theirs})",
        # Of few entries, most of the time is that of starting.
        at_most=MOST_SECONDS if entries == ENTRIES else None,
    )
    return made, mine.peak


def writing(home: Path, ended: object, answer: object) -> None:
    """In a process of its own: the longest of many small transactions."""
    longest = 0.0
    with open_store(open_home(home, lab=True)) as db:
        answer.send(None)
        while not ended.is_set():
            started = time.monotonic()
            with db.write():
                db.execute("INSERT OR REPLACE INTO thresholds_noted VALUES ('bench', '', ?)", started)
            longest = max(longest, time.monotonic() - started)
            time.sleep(0.005)
    answer.send(longest)


def waited(home: Path, act: Callable[[], object]) -> float:
    """How long another writer waited at the most while this was done."""
    context = get_context("spawn")
    ear, mouth = context.Pipe(duplex=False)
    ended = context.Event()
    process = context.Process(target=writing, args=(home, ended, mouth))
    process.start()
    ear.recv()
    act()
    ended.set()
    longest = ear.recv()
    process.join()
    return longest


def waits(directory: Path, entries: int) -> Iterator[Row]:
    """The rows of who writes meanwhile."""
    home, one, two = (directory / name for name in ("waits", "one.list", "two.list"))
    write(one, "lines", entries)
    write(two, "interpol", entries)  # other values
    with open_store(open_home(home, lab=True)) as db:

        def import_it(path: Path) -> None:
            import_list(db, OPERATOR, path, name="bench", options=ImportOptions(), replace=True)

        acts = {
            "imported": partial(import_it, one),
            "imported with every value exchanged": partial(import_it, two),
            "dropped, twice as many": partial(drop, db, OPERATOR, "bench"),
        }
        for what, act in acts.items():
            started = time.monotonic()
            longest = waited(home, act)
            progress(f"{what}: {time.monotonic() - started:.1f} s; another writer waited {longest:.2f} s at the most")
            said = f"{entries} entries {what}: another writer's longest wait"
            yield row(said, longest, "s", at_most=MOST_WAIT)
    one.unlink()
    two.unlink()


def run(quick: bool) -> Result:
    entries = QUICK if quick else ENTRIES
    rows, peaks = [], {}
    with TemporaryDirectory(prefix="vangnet-importing-") as name:
        directory = Path(name)
        for format_name in READERS:
            made, peaks[format_name] = compare(directory, format_name, entries)
            rows.append(made)
        rows += waits(directory, entries)
        for format_name in ("lines", "vics"):
            large = directory / "large.list"
            write(large, format_name, entries * GROWTH)
            peak = measure(large, directory / f"{format_name}-large").peak
            what = f"{format_name}, memory at {entries * GROWTH} entries against {entries}"
            ratio = peak / peaks[format_name]
            rows.append(
                row(
                    what,
                    peak,
                    "MiB",
                    peer=peaks[format_name],
                    peer_name="the smaller",
                    ratio=ratio,
                    at_most=MOST_GROWTH,
                )
            )
    return Result(tuple(rows), "SQLite's index of values, and Python's parsing of each entry")


if __name__ == "__main__":
    main(run)
