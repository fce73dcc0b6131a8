"""Two frontiers that are given the same, and compared after every step.

What is compared does not depend on order: Redis visits partitions at random, and its clock runs by itself. So every
claim asks for all there is, and of what the two gave differently (places in flight are few, hosts take turns) each
returns its own. The lookahead is so long that a slot is always due, and streaks are as long as the other limits allow;
leases, blocks and waits last longer still, or not at all.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from crawler.frontier.base import Admission, Completion, Frontier, HostFacts, Limits, StreamEntry
from crawler.frontier.figures import RunCounts
from crawler.frontier.memory import MemoryFrontier
from crawler.records import Discovered, Done, Failed, FrontierUrl, Kind, Lease, Outcome, Retry, RunId, Skipped
from tests.contract.streaks import by_turn

ATTEMPTS = 3
RATE = 200_000.0
WINDOW = 0.001
FOREVER = 1e6
LOOKAHEAD = FOREVER / 10
RUNS = (RunId("c", 1), RunId("d", 1))
ALL = 10_000

Key = tuple[str, str, int, str]
"""Run, URL, context and address: what is leased at most once at a time."""


def key_of(lease: Lease) -> Key:
    return str(lease.item.run), lease.item.url, lease.item.context, lease.item.address


def _folded(waiting: dict[str, int]) -> dict[str, int]:
    """What is queued or delayed, under one name."""
    folded: Counter[str] = Counter()
    for name, n in waiting.items():
        folded["queued" if name in ("robots_queued", "delayed", "robots_delayed") else name] += n
    return dict(folded)


@dataclass(eq=False)
class Entry:
    """The same entry of a stream on both sides."""

    reference: StreamEntry
    other: StreamEntry
    admitted: bool = False


class Sides:
    """concurrency: the most that is in flight at an address. lasting: leases that never expire, else all at once."""

    def __init__(
        self, other: Frontier, run: Callable[[Coroutine[Any, Any, Any]], Any], concurrency: int, lasting: bool
    ) -> None:
        self.now = 0.0
        self.lasting = lasting
        self._concurrency = concurrency
        settings = {"lease_seconds": self.lease_seconds(lasting), "send_window": WINDOW, "lookahead": LOOKAHEAD}
        self.reference = MemoryFrontier(
            lambda: self.now, attempts=ATTEMPTS, robots_ttl=FOREVER, abandoned=FOREVER, **settings
        )
        self.other = other
        self._wait = run
        self.held: dict[Key, tuple[Lease, Lease]] = {}
        self.late: list[tuple[Lease, Lease]] = []
        self.entries: list[Entry] = []
        self.facts: dict[tuple[int, int, str], HostFacts] = {}
        self.ended: Counter[Key] = Counter()
        self.waiting: Counter[str] = Counter()
        self.looks = 0
        self.moves = 0
        self.streaks = [0, 0]

    @staticmethod
    def lease_seconds(lasting: bool) -> float:
        # Over at once, however far ahead the slot lies.
        return FOREVER if lasting else -FOREVER

    def both(self, name: str, *arguments: Any) -> tuple[Any, Any]:
        """What the two answer to the same."""
        self.now += 0.001
        answers = (getattr(side, name)(*arguments) for side in (self.reference, self.other))
        reference, other = (self._wait(answer) for answer in answers)
        return reference, other

    def same(self, name: str, *arguments: Any) -> Any:
        reference, other = self.both(name, *arguments)
        assert reference == other, f"{name}: {reference}, {other}"
        return reference

    def counts(self, run: RunId) -> RunCounts:
        """The counters of a run. When what was delayed is queued again is each side's own affair."""
        answers = self.both("counts", run)
        folded = [replace(answer, waiting=_folded(answer.waiting)) for answer in answers]
        assert folded[0] == folded[1], f"counts: {answers}"
        reference: RunCounts = answers[0]
        return reference

    def compare(self) -> None:
        """What can be asked of a frontier without changing it; all of it at every fifth look, for it takes its time."""
        states = [(s.queues, s.leases, s.discoveries, s.results) for s in self.both("state")]
        assert states[0] == states[1]
        self.waiting.clear()
        self.looks += 1
        for run in RUNS:
            counts = self.counts(run)
            self.waiting.update(counts.waiting)
            waiting = sum(counts.waiting.get(state, 0) for state in ("queued", "leased", "delayed"))
            # What moved waits in the discoveries, now or later.
            moved = sum(counts.waiting.get(state, 0) for state in ("disc", "later")) if self.moves else 0
            assert waiting <= counts.pending <= waiting + moved
            if self.looks % 5 == 0:
                self._compare_rest(run, sum(counts.failed.values()))

    def _compare_rest(self, run: RunId, failed: int) -> None:
        self.same("backlog")
        letters = [Counter(letters) for letters in self.both("dead_letters", run, ALL)]
        assert letters[0] == letters[1]
        assert letters[0].total() == failed
        self.same("coverage", run.campaign)

    # ------------------------------------------------------------ streams

    def _read(self, name: str, *arguments: Any) -> list[tuple[StreamEntry, StreamEntry]]:
        """What waits in a stream, in pairs. Redis makes its consumer group at the first look."""
        reference, other = (
            [*first, *second] for first, second in zip(*(self.both(name, *arguments) for _ in "12"), strict=True)
        )
        rows = [sorted(entries, key=lambda e: (str(e.run), e.payload)) for entries in (reference, other)]
        assert [(e.run, e.payload) for e in rows[0]] == [(e.run, e.payload) for e in rows[1]]
        return list(zip(*rows, strict=True))

    def read(self) -> None:
        # Redis looks for what waited long enough whenever discoveries are read, the reference at claims only.
        self._wait(self.reference.claim(0, 0))
        self.entries += [Entry(*pair) for pair in self._read("discoveries", ALL)]

    def admit(self, entries: Sequence[Entry], judge: Callable[[StreamEntry], Admission]) -> None:
        judged = [judge(entry.reference) for entry in entries]
        for side, place in ((self.reference, "reference"), (self.other, "other")):
            rows = [replace(row, entry=getattr(entry, place)) for row, entry in zip(judged, entries, strict=True)]
            self._wait(side.admit(rows))
        for entry in entries:
            entry.admitted = True
        # A few are kept, to be delivered again.
        self.entries = [*self.unadmitted(), *[entry for entry in self.entries if entry.admitted][-5:]]

    def unadmitted(self) -> list[Entry]:
        return [entry for entry in self.entries if not entry.admitted]

    def discard(self, entry: Entry) -> None:
        self._wait(self.reference.discard([entry.reference], "corrupt"))
        self._wait(self.other.discard([entry.other], "corrupt"))
        self.entries.remove(entry)

    def take_results(self, believed: bool) -> None:
        pairs = self._read("results", ALL, 0.0)
        for side, place in ((self.reference, 0), (self.other, 1)):
            entries = [pair[place] for pair in pairs]
            self._wait(side.ack_results(entries) if believed else side.refuse(entries, "unsigned"))
            self._wait(side.ack_results(entries))

    # ------------------------------------------------------------ leases

    def _slots_keep_distance(self, leases: Sequence[Lease]) -> None:
        by_address: dict[str, list[float]] = {}
        for lease in leases:
            by_address.setdefault(lease.item.address, []).append(lease.not_before)
        # Within one claim slots are told exactly but for the microseconds that they are rounded to.
        spacing = (1 + WINDOW) / RATE - 2e-6
        for slots in by_address.values():
            slots.sort()
            assert all(later - earlier >= spacing for earlier, later in pairwise(slots))

    def _turns_have_places(self, leases: Sequence[Lease], out: Counter[str]) -> int:
        """An address gives something while it has a place free, and a streak has as many as it had. out: leases at each
        address before the claim. Returns how many streaks there are."""
        out, streaks = out.copy(), 0
        for turn in by_turn(sorted(leases, key=lambda lease: (lease.partition, lease.token))):
            address, free = turn[0].item.address, self._concurrency - out[turn[0].item.address]
            assert free > 0
            assert len(turn) == 1 or turn[0].places == free
            queues = {(lease.queue, lease.item.kind.on_image_lane, lease.item.kind is Kind.ROBOTS) for lease in turn}
            assert len(queues) == 1
            out[address] += len(turn)
            streaks += len(turn) > 1
        return streaks

    def claim(self, pages: int, images: int) -> None:
        """Claim on both sides; what only one of them gave goes back there."""
        out = Counter(address.partition("~")[0] for *_, address in self.held)
        claimed = self.both("claim", pages, images)
        rows = [{key_of(lease): lease for lease in side.leases} for side in claimed]
        for place, (side, row) in enumerate(zip(claimed, rows, strict=True)):
            assert len(row) == len(side.leases), "leased twice in one claim"
            assert not row.keys() & self.held.keys(), "leased twice at once"
            assert not any(self.ended[key] for key in row), "leased after its outcome"
            assert sum(lease.item.kind.on_image_lane for lease in side.leases) <= images
            assert sum(not lease.item.kind.on_image_lane for lease in side.leases) <= pages
            self.streaks[place] += self._turns_have_places(side.leases, out)
            self._slots_keep_distance(side.leases)
        if {pages, images} <= {0, ALL}:
            # The same places, though perhaps not the same URLs in them; the last streak may have more.
            given = [Counter(a for *_, a in row) for row in rows]
            filled = [{a: min(n, self._concurrency - out[a]) for a, n in each.items()} for each in given]
            assert filled[0] == filled[1]
            if self._concurrency >= ALL:
                assert rows[0].keys() == rows[1].keys()
        elif min(pages, images) > 0:
            assert bool(rows[0]) == bool(rows[1])
        agreed = rows[0].keys() & rows[1].keys()
        for frontier, row in ((self.reference, rows[0]), (self.other, rows[1])):
            back = [lease for key, lease in row.items() if key not in agreed]
            assert self._wait(frontier.give_back(back)) == [True] * len(back)
        for key in sorted(agreed):
            pair = rows[0][key], rows[1][key]
            assert pair[0].item == pair[1].item
            self._facts_agree(pair)
            self.held[key] = pair

    def _facts_agree(self, pair: tuple[Lease, Lease]) -> None:
        """A new lease's facts are the same on both sides, and as they were for the last lease of the same name."""
        found = [
            self._wait(side.host_facts(lease)) for side, lease in zip((self.reference, self.other), pair, strict=True)
        ]
        assert found[0] == found[1]
        for place, lease in enumerate(pair):
            assert self.facts.setdefault((place, lease.partition, lease.queue), found[0]) == found[0]

    def complete(self, endings: Sequence[tuple[Key, Outcome | None]], **facts: Any) -> None:
        """Complete leases that are held; every one stands twice in the batch, and the second changes nothing.

        facts: what each completion says besides its outcome.
        """
        for place, side in enumerate((self.reference, self.other)):
            rows = [Completion(self.held[key][place], outcome, **facts) for key, outcome in endings]
            twice = [each for row in rows for each in (row, row._replace(outcome=Done(), session=b"twice"))]
            assert self._wait(side.complete(twice)) == [True, False] * len(rows)
        for key, outcome in endings:
            pair = self.held.pop(key)
            self.late.append(pair)
            self._end(key, pair[0], outcome)

    def _end(self, key: Key, lease: Lease, outcome: Outcome | None) -> None:
        last = isinstance(outcome, Retry) and lease.item.attempts + 1 >= ATTEMPTS
        if lease.item.kind is not Kind.ROBOTS and (last or isinstance(outcome, Done | Failed | Skipped)):
            self.ended[key] += 1
            assert self.ended[key] == 1

    def complete_late(self, pair: tuple[Lease, Lease]) -> None:
        """A worker that woke too late: nothing of what it says is done."""
        found = Discovered((), 1)
        for side, lease in zip((self.reference, self.other), pair, strict=True):
            late = Completion(
                lease, Done(found, (b"late",), {"late": 1}), b"late", FOREVER, park=FOREVER, session=b"late"
            )
            assert self._wait(side.complete([late])) == [False]
            assert self._wait(side.reslot(lease)) is None

    def reslot(self, key: Key) -> None:
        pair = self.held[key]
        again = tuple(
            self._wait(side.reslot(lease)) for side, lease in zip((self.reference, self.other), pair, strict=True)
        )
        assert [lease.token for lease in again] == [lease.token for lease in pair]
        self.held[key] = again[0], again[1]

    def visit(self, host: str, politeness: str, end: Outcome | None) -> None:
        """One request beside the queues: both sides have room for it or neither does, and it leaves nothing behind."""
        item = FrontierUrl(f"http://{host}/visited", RUNS[0], Kind.PAGE, politeness)
        limits = Limits(1000.0, 100)
        given = []
        for side in (self.reference, self.other):
            lease = self._wait(side.visit(item, politeness, limits, 10 * FOREVER))
            given.append(lease is not None)
            if lease is not None:
                assert self._wait(side.complete([Completion(lease, end, unsent=True)])) == [True]
        assert given[0] == given[1]

    def reap(self) -> None:
        """All leases come back when they do not last, else none."""
        self.now += 1.0
        expected = 0 if self.lasting else len(self.held)
        assert self._wait(self.reference.reap(ALL)) == expected
        reaped = self._wait(self.other.reap(ALL))
        for _ in range(1000):
            if reaped >= expected:
                break
            self._wait(asyncio.sleep(0.001))
            reaped += self._wait(self.other.reap(ALL))
        assert reaped == expected
        if not self.lasting:
            for key, pair in self.held.items():
                self.late.append(pair)
                self._end(key, pair[0], Retry("lease-expired", 0.0))
            self.held.clear()

    def relocate(self, host: str, politeness: str) -> None:
        self.moves += 1
        self.same("relocate", host, politeness)
        # The host's next queue asks for robots.txt itself, here at the same address and while this one is out still.
        for key in [key for key in self.held if key[1] == f"http://{host}/robots.txt" and key[3] == politeness]:
            self.held[(*key[:3], f"{politeness}~{self.moves}")] = self.held.pop(key)
        self.read()

    def forget(self, run: RunId) -> None:
        """End a run of which nothing is unacknowledged; leases that are out end without effect."""
        self.both("forget", run)
        out = [key for key in self.held if key[0] == str(run)]
        for place, side in enumerate((self.reference, self.other)):
            rows = [Completion(self.held[key][place], Done(results=(b"late",))) for key in out]
            assert self._wait(side.complete(rows)) == [True] * len(rows)
        for key in out:
            del self.held[key]
        self.entries = [entry for entry in self.entries if entry.reference.run != run]
        self.ended = Counter({key: n for key, n in self.ended.items() if key[0] != str(run)})

    def drain(self) -> None:
        """Let each side end on its own all that can be claimed; its order is its own, where that leads is not."""
        for key in list(self.held):
            self.complete([(key, Done())], robots=b"rules")
        for place, side in enumerate((self.reference, self.other)):
            ended: set[Key] = set()
            for _ in range(1000):
                self.now += 0.001
                leases = self._wait(side.claim(7, 3)).leases
                if not leases:
                    break
                urls = [key_of(lease) for lease in leases if lease.item.kind is not Kind.ROBOTS]
                assert len(set(urls)) == len(urls)
                assert not ended & set(urls)
                assert not any(self.ended[key] for key in urls)
                ended |= set(urls)
                done = [Completion(lease, Done(), b"rules") for lease in leases]
                assert self._wait(side.complete(done)) == [True] * len(done)
            else:
                raise AssertionError("there is no end of it")
            if place == 0:
                expected = ended
        assert ended == expected
        self.ended.update(ended)
