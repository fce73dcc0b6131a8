"""Whether the frontier slows down as it grows: two of them in turn, one with 100 k URLs and one with 3 M.

To measure one frontier, fill it further and measure it again compares two times of day: minutes lie between them, in
which a shared machine changes by more than what is asked for (that gave 0.98, 0.71 and 0.78 of the same code). So both
are filled first, each in a server of its own, so that everything in the server differs in size; then each call to the
one is followed by the same call to the other, some 20 ms later, and the first of two calls is not always the same side.
The ratio is the median of those of all such pairs: what the machine does meets both, or spoils one pair of hundred.

As much is admitted as is claimed and completed. The queues so stay as long as they were; of seen URLs the small side
gains a sixth in all. Addresses answer slowly here, so that a claim takes one URL of each: streaks would be as long as
queues let them, and those of the small side are short.
"""

from __future__ import annotations

import time
from asyncio import Runner
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

import uvloop

from bench.preloaded import FULL, LINKS, QUICK, RUN, Ours, Sizes, Spent, own_server
from bench.report import Result, Row, main, progress, row
from crawler.bus.client import connect
from crawler.collector import spare_collector
from crawler.frontier.base import Admission, Completion
from crawler.records import Done

BATCH = 256
PAGES, CALLS = BATCH // LINKS, 8
"""Pages of a call, and calls of a round."""
SLOW = 0.4
"""Seconds until an answer."""
ROUNDS = 9
"""The first of them warms up: what a client asks of a host that it meets, and scripts that the server compiles."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The same call at either side, one right after the other."""

    small: Spent
    large: Spent


async def growth(small: Ours, large: Ours, sizes: Sizes) -> tuple[list[Row], str]:
    """Fill both and measure them; the rows, and what they say beside their median."""
    await small.fill(sizes.small)
    await large.fill(sizes.large)
    for side in (small, large):
        await slow_down(side)
    spare_collector()
    progress("calls to either side in turn")
    admits: list[Pair] = []
    pairs: list[Pair] = []
    for _ in range(ROUNDS):
        waiting = {side: await side.offered(PAGES * CALLS, LINKS) for side in (small, large)}
        admits += [await both(small, large, partial(admit, waiting), n) for n in range(CALLS)]
        pairs += [await both(small, large, lambda side: side.pairs(BATCH, BATCH, SLOW), n) for n in range(CALLS)]
    progress(f"the small side has {(await small.frontier.counts(RUN)).discovered:,} now")
    rows, said = [], []
    for what, found in (("admit", admits[CALLS:]), ("claim+complete", pairs[CALLS:])):
        rows.append(row_of(f"{what}, batches of {BATCH}", found, sizes))
        said.append(f"{what} {share(found)}")
    return rows, f"The server's processor for a URL at both sizes: {', '.join(said)}."


async def slow_down(side: Ours) -> None:
    """Let the addresses answer slowly from now on; returns when that is known of most, and claims give no streaks."""
    streaks = BATCH
    while streaks > BATCH // 20:
        claimed = await side.frontier.claim(BATCH // 2, BATCH // 2)
        streaks = sum(lease.streak > 0 for lease in claimed.leases)
        await side.frontier.complete([Completion(lease, Done(), latency=SLOW) for lease in claimed.leases])


async def admit(waiting: Mapping[Ours, list[Admission]], side: Ours) -> None:
    """Admit the next of what waits at a side."""
    taken, waiting[side][:PAGES] = waiting[side][:PAGES], []
    await side.frontier.admit(taken)


async def both(small: Ours, large: Ours, call: Callable[[Ours], Awaitable[object]], n: int) -> Pair:
    """The n-th call, at either side."""
    first, second = (small, large) if n % 2 else (large, small)
    spent = {first: await timed(first, call), second: await timed(second, call)}
    return Pair(spent[small], spent[large])


async def timed(side: Ours, call: Callable[[Ours], Awaitable[object]]) -> Spent:
    """What a call takes."""
    busy, started = await side.busy(), time.perf_counter()
    await call(side)
    clock = time.perf_counter() - started
    return Spent(clock / BATCH, (await side.busy() - busy) / BATCH)


def row_of(what: str, found: Sequence[Pair], sizes: Sizes) -> Row:
    """The rate at the large side, and its ratio."""
    rate = 1 / median(pair.large.clock for pair in found)
    ratio = median(pair.small.clock / pair.large.clock for pair in found)
    name = f"{what}, at {sizes.large:,} URLs; ratio to {sizes.small:,}"
    return row(name, rate, "URLs/s", ratio=ratio, at_least=0.9)


def share(found: Sequence[Pair]) -> str:
    """The server's processor time at either side, and the median of their ratios."""
    small, large = (
        1e6 * median(spent) for spent in zip(*((p.small.server, p.large.server) for p in found), strict=True)
    )
    ratio = median(pair.small.server / pair.large.server for pair in found)
    return f"{small:.1f} and {large:.1f} us ({ratio:.2f})"


async def measured(small: str, large: str, sizes: Sizes) -> tuple[list[Row], str]:
    """small, large: URLs of two empty servers."""
    async with await connect(small) as few, await connect(large) as many:
        return await growth(Ours(few, sizes), Ours(many, sizes), sizes)


def run(quick: bool) -> Result:
    """quick: a tenth of the URLs and hosts."""
    with own_server() as small, own_server() as large, Runner(loop_factory=uvloop.new_event_loop) as runner:
        rows, limit = runner.run(measured(small, large, QUICK if quick else FULL))
    return Result(tuple(rows), limit)


if __name__ == "__main__":
    main(run)
