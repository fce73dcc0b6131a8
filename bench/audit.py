"""Seconds to verify an audit chain: `vangnet audit verify`'s walk, against a plain checker over the same rows.

The peer is what somebody writes in ten lines: fetch the rows, parse each event and write it anew as canonical JSON,
hash it with the hash before, compare. It takes no notice of gaps, of the signed head, or of heads that were kept
elsewhere; ours checks those too, here with one head for every day of three years. Processor time of this process.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from statistics import median

from bench.report import Result, main, progress, row
from crawler.home import open_home
from crawler.store import audit
from crawler.store.actors import Actor, Role
from crawler.store.database import Database, open_store

EVENTS, QUICK_EVENTS = 1_000_000, 100_000
DAYS = 1_096
ROUNDS = 3
LIMIT = 10.0
ACTOR = Actor("anna", frozenset(Role), "web:192.0.2.7")
_ACTS = ("hits.confirm", "hits.reject", "cases.claim", "notices.approve", "hits.reveal")


def bodies(count: int) -> Iterator[str]:
    """Events as acts of people write them."""
    for number in range(count):
        event = {
            "act": _ACTS[number % len(_ACTS)],
            "actor": "anna",
            "at": f"2026-06-17T{number % 24:02}:00:00.000Z",
            "detail": {"after": "confirmed", "before": "claimed", "case": f"{number:016x}"},
            "object": f"{number * 2_654_435_761 % 2**64:016x}",
            "origin": ACTOR.origin,
            "result": "done",
        }
        yield json.dumps(event, sort_keys=True, separators=(",", ":"))


@contextmanager
def chain(count: int) -> Iterator[tuple[Database, list[audit.Head]]]:
    """A database with so many events, the last of which was written as the product does, and heads kept elsewhere."""
    with tempfile.TemporaryDirectory() as directory:
        home = open_home(Path(directory), lab=True)
        with open_store(home):
            progress("an empty store")
        heads = fill(home.database, count - 1)
        with open_store(home) as db:
            with db.write():
                audit.append(db, ACTOR, "hits.confirm", "the last one")
            yield db, heads


def fill(path: Path, count: int) -> list[audit.Head]:
    """Write so many events at once, as the product would one by one; every so many, a head."""
    before, heads, every = bytes(32), [], max(count // DAYS, 1)

    def rows() -> Iterator[tuple[int, str, bytes]]:
        nonlocal before
        for serial, body in enumerate(bodies(count), 1):
            before = audit.chained(before, serial, body)
            if serial % every == 0:
                heads.append(audit.Head(serial, before, b""))
            yield serial, body, before

    with sqlite3.connect(path) as connection:
        # Nothing to come back to when this is broken off, so that nothing is written twice either.
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = OFF").fetchall()
        connection.execute("DROP TRIGGER audit_events_in_order")
        # Made row by row, the index of objects would be written all over the file, once for nearly every event.
        (index,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'audit_events_object'").fetchone()
        connection.execute("DROP INDEX audit_events_object")
        connection.executemany("INSERT INTO audit_events VALUES (?, ?, ?)", rows())
        connection.execute(index)
        connection.execute("INSERT OR REPLACE INTO audit_head VALUES (1, ?, ?, ?)", (count, before, b""))
    connection.close()
    return heads


def plain(path: Path) -> bool:
    """The peer."""
    before = bytes(32)
    with sqlite3.connect(path) as connection:
        for serial, body, digest in connection.execute("SELECT serial, body, hash FROM audit_events ORDER BY serial"):
            event = json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"))
            before = sha256(before + serial.to_bytes(8, "big") + event.encode()).digest()
            if before != digest:
                return False
    return True


def taken(work: Callable[[], bool]) -> float:
    """Seconds of processor time."""
    began = time.process_time()
    assert work(), "the chain holds"
    return time.process_time() - began


def run(quick: bool) -> Result:
    count = QUICK_EVENTS if quick else EVENTS
    with chain(count) as (db, heads):
        progress(f"{count} events, {len(heads)} heads")
        pairs = [
            (taken(lambda: audit.verify(db, heads).intact), taken(lambda: plain(db.home.database)))
            for _ in range(ROUNDS)
        ]
        ours, peer = (median(column) for column in zip(*pairs, strict=True))
        bound = LIMIT * count / EVENTS
        rows = (
            row(f"verify {count} events", ours, "s", peer=peer, peer_name="json.dumps and sha256", ratio=peer / ours),
            row(f"verify {count} events, in so many seconds", ours, "s", at_most=bound),
        )
    return Result(
        rows, "four tenths are reading rows out of SQLite one at a time, the rest hashing and comparing them in Python"
    )


if __name__ == "__main__":
    main(run)
