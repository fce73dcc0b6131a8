"""How long until two running workers follow what people do to a governed list of a million entries.

The product as an installation runs it: `vangnet recorder` and two `vangnet worker` on a Redis server, a crawl of a
loopback server under way, and a list that two persons bring into service. An act is over when both workers have said
that they follow: that they mask what counts no longer, or that their sandboxes use the new index. Seconds count from
the commit of the act, and there is no peer: the goal is the 10 seconds that people are promised. The index file of a
version that waits is made before it is enabled, which has rows of its own. Values are random and stand for no image.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from statistics import median
from subprocess import Popen
from tempfile import TemporaryDirectory
from threading import Thread

from bench.processes import Account
from bench.product import Product, product, stopped
from bench.report import Result, Row, main, progress, row
from bench.serving import addresses, synthetic
from crawler.home import Home
from crawler.match.entries import Entry
from crawler.service.dropping import drop
from crawler.service.enabling import enable
from crawler.service.lists import set_enabled
from crawler.service.trial import Trial
from crawler.store import arrivals, lists
from crawler.store.actors import Actor, Role
from crawler.store.database import Database, open_store
from crawler.store.staging import Staging

MOST = 10.0
ANNA, BERT = (Actor(name, frozenset(Role), "bench") for name in ("anna", "bert"))
NAME = "million"
CHANGED, RENEWED = "the hash lists changed", "a new index is in use"
PATIENCE = 300.0
BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Sizes:
    """entries: of the list.  few, many: entries that the next versions exchange.  turns: of what can be undone."""

    entries: int
    few: int
    many: int
    turns: int


FULL = Sizes(1_000_000, 1_000, 200_000, 5)
QUICK = Sizes(50_000, 1_000, 20_000, 1)


def values(first: int, last: int) -> Iterator[Entry]:
    """The entries of these numbers, the same whenever they are asked for: PDQ codes and sha256 digests in turn."""
    for number in range(first, last):
        yield Entry("pdq" if number % 2 else "sha256", random.Random(number).randbytes(32))


@dataclass(slots=True)
class Crawl:
    """A crawl that goes on. logs: of its workers.  processes, account: of recorder and workers.

    took, spent: what was measured, in seconds of the clock, and of processor time of all three with what they crawl.
    """

    db: Database
    ours: Product
    logs: tuple[Path, ...]
    processes: tuple[Popen[str], ...]
    account: Account
    took: dict[str, list[float]] = field(default_factory=dict)
    spent: dict[str, list[float]] = field(default_factory=dict)

    def follows(self, what: str, sign: str, act: Callable[[], object]) -> None:
        """Do it, and measure how long until both workers have given the sign once more."""
        before = [said(log, sign) for log in self.logs]
        act()
        self._measure(what, lambda: all(said(log, sign) > n for log, n in zip(self.logs, before, strict=True)))

    def prepared(self, what: str, act: Callable[[], object]) -> None:
        """Do it, and measure how long until the index file of what waits is there."""
        before = set(self.ours.home.index.glob("*.vgx"))
        act()
        self._measure(what, lambda: set(self.ours.home.index.glob("*.vgx")) - before)

    def _measure(self, what: str, over: Callable[[], object]) -> None:
        start, used = time.monotonic(), sum(self.account.spent().values())
        self.until(over, what)
        self.took.setdefault(what, []).append(time.monotonic() - start)
        self.spent.setdefault(what, []).append(sum(self.account.spent().values()) - used)
        progress(f"{what}: {self.took[what][-1]:.2f} s, {self.spent[what][-1]:.2f} s of processor time")
        time.sleep(1.0)  # what else that brings on its way should not be taken for an answer to the next act

    def until(self, true: Callable[[], object], what: str) -> None:
        """Wait for it, while everybody is there and the run goes on."""
        deadline = time.monotonic() + PATIENCE
        while not true():
            ended = [process.args for process in self.processes if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                why = f"ended: {ended}" if ended else f"the run: {self.ours.look('changing')}"
                said = [log.read_text()[-1_000:] for log in self.ours.home.root.parent.glob("*.log")]
                raise SystemExit("\n".join([f"waited in vain for: {what}; {why}", *said]))
            time.sleep(0.05)

    def imported(self, first: int, last: int) -> None:
        """The next version of the list, by one person; it waits."""
        with Staging(self.db) as staging:
            for start in range(first, last, BATCH):
                staging.add(values(start, min(start + BATCH, last)))
            staging.attach()
            with arrivals.importing(self.db):
                change = arrivals.difference(self.db, staging, NAME, "block", replaces=True)
                with arrivals.arriving(self.db, NAME, "block", "assess", change) as arrival, self.db.write():
                    how = {"kind": "block", "format_name": "lines", "skipped": {}}
                    version = lists.add_version(self.db, arrival, ANNA, governed=True, **how).list.version
                    self.db.execute("INSERT OR IGNORE INTO owner_keys VALUES ('owner', zeroblob(32), 0, 'anna', NULL)")
                    manifest = MANIFEST, b"", "owner"
                    sql = "INSERT INTO list_manifests VALUES (?, ?, ?, ?, ?)"
                    self.db.execute(sql, arrival.list_id, version, *manifest)

    def row(self) -> lists.HashList:
        found = lists.find(self.db, NAME)
        if found is None:
            raise SystemExit("the list is gone")
        return found

    def enabled(self) -> None:
        """By another person. The trial on harmless images is not what is measured."""
        enable(self.db, BERT, NAME, trial=Trial(self.row().id, self.row().version, 1, ()))


MANIFEST = f"""
[list]
name = "{NAME}"
owner = "none"
purpose = "benchmark"
legal_basis = "none needed: random values"
expires = 2099-12-31
[categories]
"*" = "random values"
"""


def said(log: Path, sign: str) -> int:
    return log.read_text().count(sign)


@contextmanager
def crawling(root: Path) -> Iterator[Crawl]:
    """Two workers at work on one short list."""
    with ExitStack() as stack:
        port, _ = stack.enter_context(synthetic())
        # A re-visit brings an index file and sandboxes of its own, which would be taken for the answer to an act.
        ours = stack.enter_context(product(root, revisit_spacing=0))
        ours.hash_list("short", [f"sha256 {sha256(b'short').hexdigest()}"])
        # Most of an hour at this rate: there is work to the end.
        pages = [f"http://{addresses(1)[0]}:{port}/p/{number}" for number in range(6_000)]
        ours.campaign("changing", pages, rate=20)
        ours.run("campaign", "start", "changing")
        logs = tuple(root / f"worker-{number}.log" for number in range(2))
        started = [stack.enter_context(logged(ours, "recorder", root / "recorder.log"))]
        started += [stack.enter_context(logged(ours, "worker", log)) for log in logs]
        with open_store(ours.home) as db:
            crawl = Crawl(db, ours, logs, tuple(started), Account(process.pid for process in started))
            crawl.until(lambda: all("serving a run" in log.read_text() for log in logs), "both workers")
            yield crawl


@contextmanager
def logged(ours: Product, command: str, log: Path) -> Iterator[Popen[str]]:
    """A process of the product whose stderr is a file."""
    with log.open("w") as file, stopped(ours.start(command, log=file)) as process:
        yield process


def dropped(home: Home) -> None:
    """By the second person."""
    with open_store(home) as db:
        drop(db, BERT, NAME)


def run(quick: bool) -> Result:
    sizes = QUICK if quick else FULL
    with TemporaryDirectory(prefix="vangnet-changing-") as name, crawling(Path(name)) as crawl:
        many = f"{sizes.entries:,} entries"
        crawl.prepared(f"{many}: the file of a version that waits is made", lambda: crawl.imported(0, sizes.entries))
        crawl.follows(f"{many}: enabled by the second person", RENEWED, crawl.enabled)
        for _ in range(sizes.turns):
            crawl.follows(f"{many}: disabled", CHANGED, lambda: set_enabled(crawl.db, ANNA, NAME, False))
            crawl.follows(f"{many}: enabled again", CHANGED, lambda: set_enabled(crawl.db, ANNA, NAME, True))
        crawl.imported(sizes.few, sizes.entries + sizes.few)
        crawl.follows(f"{sizes.few:,} withdrawn, as many new", CHANGED, crawl.enabled)
        last = sizes.entries + sizes.few + sizes.many
        what = f"{sizes.many:,} exchanged: the file is made"
        crawl.prepared(what, lambda: crawl.imported(sizes.few + sizes.many, last))
        crawl.follows(f"{sizes.many:,} withdrawn, as many new", RENEWED, crawl.enabled)
        drop(crawl.db, ANNA, NAME)
        # It returns when the entries are deleted, by when everybody has followed.
        dropping = Thread(target=dropped, args=(crawl.ours.home,))
        crawl.follows(f"{many}: dropped by the second person", CHANGED, dropping.start)
        dropping.join()
        return Result(tuple(_row(crawl, what) for what in crawl.took), LIMITED_BY)


LIMITED_BY = "the look at the lists twice a second, and the start of sandboxes on a new file"


def _row(crawl: Crawl, what: str) -> Row:
    took, spent = crawl.took[what], crawl.spent[what]
    said = f"{what}; {median(spent):.2f} s of processor time"
    if len(took) > 1:
        said += f"; median of {len(took)}, worst {max(took):.2f}"
    return row(said, median(took), "s", at_most=None if what.endswith("made") else MOST)


if __name__ == "__main__":
    main(run)
