"""Address tables: verdicts and attributions a second, and the time to start, beside maxminddb, pyasn and bisect.

All read the same data, the snapshot of the package. The MaxMind database is written here from it. pyasn has to be
compiled, so it is no part of the development set-up: `uv run --with pyasn python -m bench.address` brings it along; the
rows against it are left out where it is missing.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from array import array
from bisect import bisect_right
from collections.abc import Callable
from importlib.util import find_spec
from ipaddress import IPv4Address, summarize_address_range
from pathlib import Path
from socket import inet_ntoa
from typing import Any

import numpy as np

from bench.report import Result, Row, main, progress, row
from crawler.attribute.book import Attributor, open_book
from crawler.attribute.rows import range_text
from crawler.attribute.scope_map import scope_map
from crawler.campaign import Campaign
from crawler.scope import CachedScope
from crawler.service.address import default_campaign
from tests.attribute.excerpts.mmdb import mmdb

_START = """
import time
from pathlib import Path
from crawler.attribute.book import Attributor, open_book
loaded, used = time.perf_counter(), time.process_time()
print(Attributor(open_book(Path({directory!r}))).lookup("145.97.39.155").country)
print(time.process_time() - used, time.perf_counter() - loaded)
"""
_UNIT = "addresses per s of CPU"
_LIMIT = (
    "batch verdicts: numpy's binary search over the pieces of the address space; single ones: a hash of the address's "
    "text; attributions: an object for every piece of the address space that is met for the first time"
)


def run(quick: bool) -> Result:
    directory = Path(tempfile.mkdtemp())
    progress("expanding the snapshot")
    open_book(directory)
    count = 200_000 if quick else 2_000_000
    random = np.random.default_rng(1)
    addresses = random.integers(0x01000000, 0xDFFFFFFF, count, dtype=np.uint32)
    rows = _start(directory)
    rows += _verdicts(directory, addresses)
    rows += _attributions(directory, addresses)
    return Result(tuple(rows), _LIMIT)


def _start(directory: Path) -> list[Row]:
    """A fresh process that has its modules: tables opened, one address attributed. The best of five by each clock."""
    progress("starting")
    command = [sys.executable, "-c", _START.format(directory=str(directory))]
    printed = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(5)]
    used, took = zip(*(map(float, each.split()[1:]) for each in printed), strict=True)
    what = "start: open the tables and answer once, "
    # On a shared machine the wall clock measures the others: ten times the processor time at a load of twelve.
    return [
        row(what + "processor", min(used), "s", at_most=0.3),
        row(what + "wall", min(took), "s", at_most=0.3),
    ]


def _verdicts(directory: Path, addresses: np.ndarray[Any, np.dtype[np.uint32]]) -> list[Row]:
    book, campaign = open_book(directory), default_campaign()
    began = time.process_time()
    drawn = scope_map(book.tables, countries=campaign.scope.countries)
    building = time.process_time() - began
    ours = _rate(lambda: drawn.judge(addresses), len(addresses))
    peer, name = _bisect(book.tables.tables[0], addresses[: len(addresses) // 4]), "stdlib bisect, a call an address"
    progress(f"the map of the scope has {drawn.count()} addresses, made in {building:.2f} s")
    agree = _agreement(campaign, book, drawn, addresses[:2_000])
    return [
        row("verdicts in batch", ours, _UNIT, peer=peer, peer_name=name, at_least=1e6),
        row("making the map for a batch", building, "s"),
        row("verdicts of the map equal to those of one address at a time", agree, "share", at_least=1.0),
    ]


def _agreement(campaign: Campaign, book: Any, drawn: Any, addresses: Any) -> float:
    scope = CachedScope(campaign, book)
    same = [scope.judge(str(IPv4Address(int(each)))).in_scope for each in addresses] == drawn.judge(addresses).tolist()
    return float(same)


def _attributions(directory: Path, addresses: np.ndarray[Any, np.dtype[np.uint32]]) -> list[Row]:
    """Of the whole world, where nearly every address lies in another network, and of the scope, as a crawl needs it."""
    book = open_book(directory)
    drawn = scope_map(book.tables, countries=["NL"])
    pieces = np.flatnonzero(drawn.admitted)
    sizes = np.diff(drawn.starts.astype(np.int64), append=2**32)[pieces]
    random = np.random.default_rng(2)
    ours = random.choice(pieces, len(addresses), p=sizes / sizes.sum())
    offsets = random.random(len(ours)) * np.diff(drawn.starts.astype(np.int64), append=2**32)[ours]
    within = drawn.starts[ours] + offsets.astype(np.uint32)
    dutch, world = (_texts(each) for each in (within, addresses[: len(addresses) // 10]))
    book.lookup("145.97.39.155")
    in_scope = _rate(lambda: Attributor(book).lookup_many(dutch), len(dutch), times=1)
    anywhere = _rate(lambda: Attributor(book).lookup_many(world), len(world), times=1)
    what = "attributions in batch, random addresses of the scope"
    peers = _peers(book, dutch)
    rows = [row(what, in_scope, _UNIT, peer=peer, peer_name=name, at_least=1e5) for name, peer in peers]
    what = "attributions in batch, nearly every address in another network"
    return [*rows, row(what, anywhere, _UNIT, peer=peers[0][1], peer_name=peers[0][0], at_least=1e5)]


def _texts(numbers: Any) -> list[str]:
    return [inet_ntoa(int(number).to_bytes(4, "big")) for number in numbers]


def _peers(book: Any, texts: list[str]) -> list[tuple[str, float]]:
    """The origin AS alone, which is a small part of an attribution."""
    origin = book.tables.tables[-1]
    starts = [*origin.starts[0].tolist(), 2**32]
    kept = range(0, len(starts) - 1, 20)
    progress("writing a MaxMind database of every twentieth range")
    networks: dict[str, Any] = {}
    for place in kept:
        values = origin.values(origin.row(4, place))
        if values.asn:
            record = {"autonomous_system_number": values.asn, "autonomous_system_organization": values.as_name or ""}
            for network in summarize_address_range(IPv4Address(starts[place]), IPv4Address(starts[place + 1] - 1)):
                networks[str(network)] = record
    found = []
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "asn.mmdb"
        path.write_bytes(mmdb("GeoLite2-ASN", networks))
        import maxminddb

        with maxminddb.open_database(path) as reader:
            found.append(("maxminddb, origin AS only", _rate(lambda: [reader.get(text) for text in texts], len(texts))))
    if find_spec("pyasn") is None:
        progress("pyasn is missing, its row is left out: uv run --with pyasn python -m bench.address")
    else:
        found.append(("pyasn, origin AS only", _pyasn(origin, texts)))
    return found


def _pyasn(origin: Any, texts: list[str]) -> float:
    import pyasn

    lines = []
    for place, start in enumerate(origin.starts[0].tolist()[:-1]):
        asn = origin.values(origin.row(4, place)).asn
        text = range_text(4, *origin.bounds(4, place)) if asn else "-"
        if "-" not in text and start:
            lines.append(f"{text}\t{asn}")
    with tempfile.NamedTemporaryFile("w", suffix=".dat") as file:
        file.write("\n".join(lines))
        file.flush()
        reader = pyasn.pyasn(file.name)
        return _rate(lambda: [reader.lookup(text) for text in texts], len(texts))


def _bisect(table: Any, addresses: Any) -> float:
    starts, rows = array("I", table.starts[0].tobytes()), table._row4
    numbers = addresses.tolist()
    return _rate(lambda: [rows[bisect_right(starts, number) - 1] for number in numbers], len(numbers))


def _rate(work: Callable[[], object], count: int, *, times: int = 3) -> float:
    """Calls per second of this process's CPU time, in the best of `times`: others may use the machine."""
    best = float("inf")
    for _ in range(times):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return count / best


if __name__ == "__main__":
    main(run)
