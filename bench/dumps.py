"""Split dumps of the RIPE database: processor time and memory of loading them, by size.

The dumps are made here in the syntax of the real ones, gzip: allocations with customers' networks in them, in no order
of addresses, a third with an organisation, many descriptions that no other object has, Latin-1 bytes, and the seven
lines of remarks that the RIPE NCC puts below each object. Every load is a process of its own; the kernel tells its peak
of memory. Peers in processes of their own: what one would write first (a dict an object, rows into SQLite with an
index), and the floor, which expands the dump and looks at every line, and does nothing with it.
"""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.report import Result, Row, main, progress, row

SIZES, QUICK_SIZES = (250_000, 1_000_000, 2_000_000), (50_000, 200_000)
_ALLOCATION = 1_024
_REMARKS = """remarks:        ****************************
remarks:        * THIS OBJECT IS MODIFIED
remarks:        * Please note that all data that is generally regarded as personal
remarks:        * data has been removed from this object.
remarks:        * To view the original object, please query the RIPE Database at:
remarks:        * http://www.ripe.net/whois
remarks:        ****************************

"""
_MEASURE = """
import json, os, sys, time
def peak(kind="VmHWM"):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(kind)) / 1024
idle, began = peak(), time.perf_counter()
path, place = sys.argv[1:]
{work}
used = os.times()
print(json.dumps(dict(wall=time.perf_counter() - began, cpu=used.user + used.system, peak=peak(), idle=idle)))
"""
_OURS = """
import datetime
from pathlib import Path
from crawler.attribute.load import Incoming, Stated, load_files
idle = peak()
now = datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC)
load_files(Path(place), [Incoming(Path(path), "dump")], Stated(), now=now)
"""
_SQLITE = """
import gzip, ipaddress, sqlite3
db = sqlite3.connect(place + "/peer.db")
db.execute("create table networks (first integer, last integer, netname, country, org, abuse, descr, status)")
def objects():
    found = {}
    for line in gzip.open(path, "rt", encoding="latin-1"):
        if line == "\\n":
            if "inetnum" in found:
                yield found
            found = {}
        elif line[0] not in "#% \\t+":
            name, _, value = line.partition(":")
            found.setdefault(name, value.strip())
def rows():
    for each in objects():
        first, last = (int(ipaddress.IPv4Address(end.strip())) for end in each["inetnum"].split("-"))
        yield (first, last, *(each.get(name) for name in ("netname", "country", "org", "abuse-c", "descr", "status")))
db.executemany("insert into networks values (?, ?, ?, ?, ?, ?, ?, ?)", rows())
db.execute("create index ranges on networks (first, last)")
db.commit()
"""
_FLOOR = """
import gzip
lines = sum(1 for line in gzip.open(path) if line.startswith(b"inetnum"))
"""


def run(quick: bool) -> Result:
    rows: list[Row] = []
    peaks: list[float] = []
    sizes = QUICK_SIZES if quick else SIZES
    with tempfile.TemporaryDirectory() as place:
        for size in sizes:
            dump = Path(place) / f"{size}.gz"
            progress(f"writing {size:,} networks")
            write(dump, size)
            found = {
                name: _measured(work, dump) for name, work in (("ours", _OURS), ("plain", _SQLITE), ("floor", _FLOOR))
            }
            progress(f"{size:,}: {found}")
            peaks.append(found["ours"]["peak"])
            rows += _rows(size, found)
            dump.unlink()
    grown = peaks[-1] / peaks[0]
    rows.append(row(f"peak of memory, {sizes[-1]:,} against {sizes[0]:,}", grown, "times", at_most=1.1))
    return Result(tuple(rows), "Python for every object: its attributes, its texts, the sweep over nested ranges")


def _rows(size: int, found: dict[str, dict[str, float]]) -> list[Row]:
    ours, plain, floor = found["ours"], found["plain"], found["floor"]
    what = f"{size:,} networks, "
    return [
        row(what + "processor", ours["cpu"], "s", at_most=60 * size / 1e6),
        row(
            what + "processor, against a dict an object and SQLite",
            ours["cpu"],
            "s",
            peer=plain["cpu"],
            peer_name="dict and SQLite",
            ratio=plain["cpu"] / ours["cpu"],
            at_least=1.0,
        ),
        row(
            what + "processor, times the floor",
            ours["cpu"],
            "s",
            peer=floor["cpu"],
            peer_name="gzip and readline",
            ratio=ours["cpu"] / floor["cpu"],
        ),
        row(what + "wall", ours["wall"], "s", peer=plain["wall"], peer_name="dict and SQLite", at_most=60 * size / 1e6),
        row(what + "peak of memory", ours["peak"], "MiB", peer=plain["peak"], peer_name="dict and SQLite"),
        row(what + "memory above that of the imported modules", ours["peak"] - ours["idle"], "MiB", at_most=64),
    ]


def _measured(work: str, dump: Path) -> dict[str, float]:
    with tempfile.TemporaryDirectory(dir=dump.parent) as place:
        command = [sys.executable, "-c", _MEASURE.format(work=work), str(dump), place]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    measured: dict[str, float] = json.loads(printed)
    return measured


def write(path: Path, count: int) -> None:
    """A dump of `count` networks, about 0.9 kB each before gzip."""
    chance = random.Random(1)
    with gzip.open(path, "wb", compresslevel=1) as out:
        out.write(b"#\n# The contents of this file are subject to\n# RIPE Database Terms and Conditions\n#\n\n")
        for number, network in zip(range(count), _networks(chance), strict=False):
            out.write(_object(number, *network, chance).encode("latin-1"))


def _networks(chance: random.Random) -> Iterator[tuple[int, int, str]]:
    while True:
        base = chance.randrange(0x02000000, 0xDF000000) & -_ALLOCATION
        yield base, base + _ALLOCATION - 1, "ALLOCATED PA"
        for _ in range(chance.randrange(24)):
            length = chance.choice((8, 8, 16, 32, 64, 256))
            first = base + chance.randrange(_ALLOCATION // length) * length
            yield first, first + length - 1, "ASSIGNED PA"


def _object(number: int, first: int, last: int, status: str, chance: random.Random) -> str:
    own = f"org:            ORG-N{number % 50_000}-RIPE\n" if status.startswith("ALLOC") or number % 3 == 0 else ""
    if number % 2:
        own += f"descr:          Klantnetwerk {number}\ndescr:          Kantoor aan de gracht\n"
    else:
        own += "descr:          Müller & Söhne\n"
    return (
        f"inetnum:        {_text(first)} - {_text(last)}\nnetname:        NET-{number}\n{own}"
        f"country:        {chance.choice(('NL', 'NL', 'DE', 'EU', 'FR'))}\nadmin-c:        DUMY-RIPE\n"
        f"tech-c:         DUMY-RIPE\nstatus:         {status}\nmnt-by:         MNT-{number % 9_000}\n"
        f"created:        2012-03-04T11:22:33Z\nlast-modified:  2026-0{1 + number % 6}-1{number % 10}T11:22:33Z\n"
        f"source:         RIPE\n{_REMARKS}"
    )


def _text(number: int) -> str:
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


if __name__ == "__main__":
    main(run)
