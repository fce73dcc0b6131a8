"""What the frontier's scripts are given and what they return, as plain values: no I/O here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgpack

from crawler.errors import RecordCorrupt
from crawler.frontier.base import MAX_CRAWL_DELAY, Admission, Completion, Judged
from crawler.frontier.codec import ROBOTS_BAND, band_of, pack_candidate, pack_discovered, pack_url, shortened
from crawler.frontier.figures import RunCounts
from crawler.packing import packed_raw
from crawler.records import Candidate, Discovered, Done, Failed, FrontierUrl, Kind, Rekind, Retry, Skipped
from crawler.urls import parts

CHUNK = 500
"""Candidates in one entry of the discoveries stream, so that no entry is large and admission is spread."""

INDEXES = tuple(index.to_bytes(2, "little") for index in range(2048))
"""Indexes of leases within a batch, as `lease:BATCH` has them."""

_ROBOTS = ("robots_queued", "robots_leased", "robots_delayed")
_WAITING = ("queued", "leased", "delayed", "disc", "res", "later", *_ROBOTS)


def completion_op(completion: Completion) -> dict[str, Any]:
    """The operation that `complete.lua` expects for one completion."""
    outcome = completion.outcome
    op = _beside(completion)
    match outcome:
        case None:
            op["o"] = "back"
        case Done():
            op["o"] = "done"
            op |= _carried(outcome)
            if outcome.discovered is not None:
                op["d"] = [pack_discovered(part) for part in chunks(outcome.discovered)]
        case Failed():
            op |= {"o": "failed", "n": outcome.reason} | _carried(outcome)
        case Skipped():
            op |= {"o": "skipped", "n": outcome.reason, "c": outcome.tally}
        case Retry():
            op |= {"o": "retry", "n": outcome.reason, "a": round(1000 * outcome.after)}
        case Rekind():
            op |= {"o": "rekind"} | _rekinded(completion.lease.item, outcome)
    return op


def packed_op(completion: Completion) -> bytes:
    """The operation, packed. Most leases end with nothing but a tally, of which there are few."""
    outcome = completion.outcome
    if type(outcome) is Done and outcome.discovered is None and not outcome.results:
        c = completion
        if c.robots is None and c.session is None and not (c.block or c.park or c.unsent):
            return _done_op(tuple(outcome.tally.items()))
    return packed_raw(completion_op(completion))


@lru_cache(256)
def _done_op(tally: tuple[tuple[str, int], ...]) -> bytes:
    return packed_raw({"o": "done"} | ({"c": dict(tally)} if tally else {}))


def packed_ends(batches: Iterable[tuple[int, Iterable[int], Sequence[bytes], Sequence[int]]]) -> bytes:
    """What `complete.lua` expects for batches of leases: number, indexes, packed operations, latencies (ms or -1).

    Equal operations travel once: most images end the same way.
    """
    numbers: dict[bytes, int] = {}
    packer = msgpack.Packer(use_bin_type=False, autoreset=False, buf_size=4_096)
    rows = 0
    for batch, indexes, ops, latencies in batches:
        rows += 1
        packer.pack(str(batch))
        packer.pack([INDEXES[index] for index in indexes])
        packer.pack([numbers.setdefault(op, len(numbers) + 1) for op in ops])
        packer.pack(latencies)
    packed_rows: bytes = packer.bytes()
    packer.reset()
    packer.pack_array_header(1 + 4 * rows)
    packer.pack_array_header(len(numbers))
    head: bytes = packer.bytes()
    return head + b"".join(numbers) + packed_rows


def _beside(completion: Completion) -> dict[str, Any]:
    """What an operation says beside its outcome."""
    op: dict[str, Any] = {}
    if completion.block > 0:
        op["w"] = round(1000 * completion.block)
    if completion.park > 0:
        op["k"] = round(1000 * completion.park)
    if completion.robots is not None:
        op["x"] = completion.robots
        if completion.delay > 0:
            op["y"] = round(1000 * min(completion.delay, MAX_CRAWL_DELAY))
    if completion.session is not None:
        op["s"] = completion.session
    if completion.unsent:
        op["u"] = 1
    return op


def _carried(outcome: Done | Failed) -> dict[str, Any]:
    """Results and tally, where there are any."""
    carried: dict[str, Any] = {}
    if outcome.results:
        carried["r"] = outcome.results
    if outcome.tally:
        carried["c"] = outcome.tally
    return carried


def _rekinded(item: FrontierUrl, outcome: Rekind) -> dict[str, Any]:
    moved = item._replace(kind=outcome.kind)
    if outcome.url is not None:
        moved = moved._replace(url=outcome.url, via=(*item.via, item.url))
    band = ROBOTS_BAND if outcome.kind is Kind.ROBOTS else band_of(item.priority, item.depth)
    # The queue is that of the lease, whose origin a redirected robots.txt need not share.
    origin = parts(item.via[0] if item.via and outcome.kind is Kind.ROBOTS else item.url).origin
    return {"l": _lane(outcome.kind), "b": band, "e": pack_url(moved, origin)}


def chunks(found: Discovered) -> Iterable[Discovered]:
    """The same, in parts of at most CHUNK candidates."""
    for first in range(0, len(found.candidates), CHUNK):
        part: tuple[Candidate, ...] = found.candidates[first : first + CHUNK]
        yield Discovered(part, found.depth, found.referrer, found.via)


def enqueue_groups(admission: Admission, urls: Iterable[Judged]) -> list[dict[str, Any]]:
    """The admitted URLs of one entry, by queue, as `enqueue.lua` expects them."""
    found = admission.discovered
    groups: dict[tuple[str, str, str], dict[tuple[str, int], list[bytes]]] = {}
    # Both are the same for most URLs of a page.
    places: dict[tuple[Kind, int], tuple[str, int]] = {}
    referrers: dict[str, str | None] = {}
    for url in urls:
        assert url.address is not None
        assert url.politeness is not None
        candidate = url.candidate
        origin = _origin(candidate.url)
        kind = candidate.kind, candidate.priority
        place = places.get(kind)
        if place is None:
            place = places[kind] = _lane(candidate.kind), band_of(candidate.priority, found.depth)
        if origin not in referrers:
            referrers[origin] = shortened(found.referrer, origin)
        element = pack_candidate(candidate, found, origin, referrers[origin], url.context)
        group = groups.setdefault((origin, url.politeness, url.address), {})
        if place in group:
            group[place].append(element)
        else:
            group[place] = [element]
    return [_group(admission, *names, queued) for names, queued in groups.items()]


def _group(
    admission: Admission, origin: str, politeness: str, address: str, queued: dict[tuple[str, int], list[bytes]]
) -> dict[str, Any]:
    limits = admission.limits(politeness)
    return {
        "o": origin,
        "k": politeness,
        "a": address,
        "s": limits.requests_per_second,
        "c": limits.concurrency,
        "t": _robots_element(admission, origin, address) if admission.robots else b"",
        "u": [[lane, band, elements] for (lane, band), elements in queued.items()],
    }


def _origin(url: str) -> str:
    """What `parts` calls the origin of a canonical URL, in which a slash always follows it."""
    return url[: url.find("/", url.find("://") + 3)]


def _robots_element(admission: Admission, origin: str, address: str) -> bytes:
    item = FrontierUrl(f"{origin}/robots.txt", admission.entry.run, Kind.ROBOTS, address)
    return b"\0" + pack_url(item, origin)


def _lane(kind: Kind) -> str:
    return "i" if kind.on_image_lane else "p"


def counts_of(rows: Iterable[Mapping[bytes, bytes]]) -> RunCounts:
    """The counters of a run from the hashes of its partitions. Raises RecordCorrupt for a counter that is no number."""
    totals: dict[str, int] = defaultdict(int)
    for row in rows:
        for name, value in row.items():
            try:
                totals[name.decode()] += int(value)
            except ValueError as error:
                raise RecordCorrupt("a counter of the frontier is not a number") from error

    def named(mark: str) -> dict[str, int]:
        return {name[2:]: n for name, n in sorted(totals.items()) if name.startswith(mark) and n}

    return RunCounts(
        discovered=totals["discovered"],
        fetched=totals["fetched"],
        failed=named("f:"),
        skipped=named("s:"),
        retried=named("r:"),
        tally=named("t:"),
        waiting={name: totals[name] for name in _WAITING if totals[name]},
    )
