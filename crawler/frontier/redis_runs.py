"""Runs in Redis: counters, pauses, dead letters, what is carried from night to night, and the frontier at a glance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import Any

import msgpack

from crawler.errors import RecordCorrupt
from crawler.frontier.base import CARRY_SHARE, HOT_SECONDS, LIFT_CAP, LIFT_SHARE, Find, Limits, Origin
from crawler.frontier.codec import unpack_url
from crawler.frontier.figures import Coverage, DeadLetter, FrontierState, RunCounts
from crawler.frontier.keys import partition_of
from crawler.frontier.ops import counts_of
from crawler.frontier.redis_link import RedisLink
from crawler.records import RunId
from crawler.urls import parts

_PER_CALL = 500
_DUG = 4_000
"""Queued elements of a host that are looked at for neighbours of a find."""


class Runs:
    """All partitions' sides of a run."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._partitions = range(len(link.prefixes))

    async def counts(self, run: RunId) -> RunCounts:
        """As in `Frontier.counts`."""
        return counts_of([await self._link.hash_values(f"{prefix}:cnt:{run}") for prefix in self._link.prefixes])

    async def hold(self, run: RunId, held: bool) -> None:
        """As in `Frontier.hold`."""
        for partition in self._partitions:
            cursor: Any = b"0"
            while True:
                state = "paused" if held else "running"
                cursor = await self._link.run("hold", partition, str(run), state, cursor, _PER_CALL)
                if cursor in (b"0", "0"):
                    break

    async def limit(self, run: RunId, limits: Callable[[str], Limits]) -> None:
        """As in `Frontier.limit`."""
        for partition in self._partitions:
            cursor: Any = b"0"
            while True:
                cursor, keys = await self._link.run("limited", partition, str(run), cursor, _PER_CALL)
                rows = [(key, *astuple(limits(key.decode()))) for key in keys]
                await self._link.run("limit", partition, str(run), msgpack.packb(rows, use_bin_type=False))
                if cursor in (b"0", "0"):
                    break

    async def dead_letters(self, run: RunId, n: int) -> list[DeadLetter]:
        """As in `Frontier.dead_letters`."""
        letters: list[tuple[float, DeadLetter]] = []
        for prefix in self._link.prefixes:
            letters += [_dead_letter(item, run) for item in await self._link.newest(f"{prefix}:dead:{run}", n)]
        letters.sort(key=lambda pair: pair[0])
        return [letter for _, letter in letters[-n:]]

    async def forget(self, run: RunId) -> None:
        """As in `Frontier.forget`."""
        for partition in self._partitions:
            while await self._link.run("forget", partition, str(run), _PER_CALL):
                pass

    async def retire(self, run: RunId, hosts: Sequence[Origin]) -> bool:
        """As in `Frontier.retire`."""
        places: dict[int, list[str]] = defaultdict(list)
        for origin, politeness in hosts:
            places[partition_of(politeness, len(self._partitions))].append(f"{origin}|{politeness}")
        return all([await self._link.run("retire", n, str(run), *names) for n, names in places.items()])

    async def carry_over(self, run: RunId, urls_per_host: int) -> int:
        """As in `Frontier.carry_over`."""
        share, offered = max(int(CARRY_SHARE * urls_per_host), 1), 0
        for partition in self._partitions:
            cursor: Any = b"0"
            while True:
                cursor, n = await self._link.run(
                    "carry_over", partition, run.campaign, str(run), share, cursor, _PER_CALL // 10
                )
                offered += n
                if cursor in (b"0", "0"):
                    break
        return offered

    async def coverage(self, campaign: str) -> list[Coverage]:
        """As in `Frontier.coverage`."""
        rows = []
        for prefix in self._link.prefixes:
            for host, record in (await self._link.hash_values(f"{prefix}:cover:{campaign}")).items():
                name = host.decode()
                waiting = await self._link.length(f"{prefix}:carried:{campaign}:{name}")
                if waiting:
                    rows.append(Coverage(name, _covered(record), waiting))
        return sorted(rows, key=lambda row: (-row.waiting, row.host))

    async def state(self) -> FrontierState:
        """As in `Frontier.state`."""
        rows = [await self._link.run("overview", partition) for partition in self._partitions]
        return FrontierState(*(sum(int(row[i]) for row in rows) for i in range(len(rows[0]))))

    async def boost(self, find: Find) -> None:
        """As in `Frontier.boost`."""
        digs = _digs(find)
        places: dict[int, list[Any]] = defaultdict(list)
        for address in find.addresses:
            partition = partition_of(address, len(self._partitions))
            places[partition] += [[address, origin, found] for origin, found in digs.items()]
        for partition, part in places.items():
            order = msgpack.packb([str(find.run), part, round(1000 * HOT_SECONDS)])
            await self._link.run("dig", partition, order, _DUG)
        by, most = round(LIFT_SHARE * find.urls_per_host), round(LIFT_CAP * find.urls_per_host)
        for domain, names in _lifted(find).items():
            await self._link.run("lift", partition_of(domain, len(self._partitions)), str(find.run), by, most, *names)


def _digs(find: Find) -> dict[str, list[tuple[str, str]]]:
    """For each origin of a find, the directories in it (without the origin) and the page, as records have them."""
    digs: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for url in (find.image_url, find.page_url):
        if url is not None:
            origin = parts(url).origin
            directory = url.removeprefix(origin).partition("?")[0].rpartition("/")[0] + "/"
            page = find.page_url or ""
            entry = (directory, page.removeprefix(origin) if page.startswith(origin + "/") else page)
            if entry not in digs[origin]:
                digs[origin].append(entry)
    return digs


def _lifted(find: Find) -> dict[str, list[str]]:
    """The names whose budgets are lifted, by the domain whose partition they lie in."""
    names: dict[str, list[str]] = {}
    hosts = {parts(url).host for url in (find.image_url, find.page_url) if url is not None}
    for host in sorted(hosts):
        domain = next((name for name in find.domains if host == name or host.endswith("." + name)), host)
        names.setdefault(domain, ["." + domain]).append(host)
    return names


def _covered(record: bytes) -> int:
    """0 for a damaged record: its round is begun anew at the next URL that is left out."""
    try:
        return int(msgpack.unpackb(record, raw=True)[0])
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, msgpack.UnpackException):
        return 0


def _dead_letter(packed: bytes, run: RunId) -> tuple[float, DeadLetter]:
    reason, fact, element, at = msgpack.unpackb(packed, raw=True)
    name = reason.decode(errors="replace")
    try:
        origin = msgpack.unpackb(fact, raw=True)[1] if fact else b""
        item = unpack_url(element, run, origin.decode(), "")
    except (RecordCorrupt, UnicodeDecodeError, ValueError, TypeError, msgpack.UnpackException):
        return at, DeadLetter(None, None, name)
    return at, DeadLetter(item.url, item.kind, name)
