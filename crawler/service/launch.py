"""Putting runs of a campaign in motion: announced to every worker, seeded, taken up again, and forgotten."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import TextIO

from crawler.bus.control import RunControl
from crawler.bus.envelope import public_key, verify_key
from crawler.campaign import Campaign
from crawler.errors import Refused
from crawler.frontier.base import Limits
from crawler.home import Home
from crawler.records import Candidate, Discovered, Kind, RunId
from crawler.service.deployment import Deployment
from crawler.service.revisits import promising
from crawler.store import campaigns
from crawler.store.actors import Actor
from crawler.store.coverage import has_grown, note_index
from crawler.store.database import Database
from crawler.store.keys import key_file
from crawler.store.workers import add_key, verify_keys

_SEED_CHUNK = 500
_LOCK_POLL = 0.05
_FILL_POLL = 0.05


@contextmanager
def alone(home: Home, campaign: str, *, patience: float = 2.0) -> Iterator[None]:
    """One crawl of a campaign at a time; the kernel lets go of the lock even after `kill -9`. Raises Refused.

    patience: seconds to wait for the lock, longer than it takes to close a run that has ended.
    """
    name = hashlib.sha256(campaign.encode()).hexdigest()[:16]
    deadline = time.monotonic() + patience
    with (home.root / f"crawl-{name}.lock").open("w") as lock:
        while not locked(lock):
            if time.monotonic() >= deadline:
                raise Refused(f"campaign {campaign!r} is being crawled from this home; wait, or stop that crawl")
            time.sleep(_LOCK_POLL)
        yield


def locked(lock: TextIO) -> bool:
    """Whether this process holds the lock of an open file, which it takes now if it is free."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Launch:
    """What it takes to put a campaign in motion, everything checked. index: sha256 of the index file."""

    home: Home
    db: Database
    actor: Actor
    campaign: Campaign
    index: str
    deployment: Deployment

    async def begin(self) -> RunId:
        """The campaign's run in motion: the unfinished one when Redis still has it, else a new one.

        A new one begins with what the budgets of earlier runs left out.
        """
        run = await self.announce()
        if not (await self.deployment.control.require(run)).seeded:
            await self.fill(run)
        return run

    async def announce(self) -> RunId:
        """The same, but for the seeds, which `fill` brings."""
        await self._tidy()
        run = await self._resumed() or await self._fresh()
        with self.db.write():
            note_index(self.db, run, self.index)
        return run

    async def forget(self, run: RunId) -> None:
        """Remove a finished run from Redis."""
        await self.deployment.frontier.forget(run)
        await self.deployment.control.retire(run)

    async def _tidy(self) -> None:
        """Forget runs that were finished by a command that was killed before it could."""
        finished = {run.id for run in campaigns.runs(self.db, self.campaign.name) if run.finished_at is not None}
        for active in await self.deployment.control.active():
            if active.run in finished:
                await self.forget(active.run)

    async def _resumed(self) -> RunId | None:
        """The unfinished run, when Redis still has it."""
        unfinished = campaigns.unfinished_run(self.db, self.campaign.name)
        if unfinished is None:
            return None
        control = self.deployment.control
        found = await control.find(unfinished.id)
        if found is None:
            # Another server, or an emptied one: what was recorded stands, and the crawl starts again.
            campaigns.finish_run(self.db, self.actor, unfinished.id, {"lost": True})
            return None
        # What matches may have changed meanwhile, a replaced file may have another scope, keys may be others.
        marker = self._marker(found.run)
        # Another file may sweep other prefixes; where it does not, the feeder sees at once that all is done.
        swept = marker.swept or (found.swept and found.campaign == marker.campaign)
        await control.announce(replace(marker, started_at=found.started_at, seeded=found.seeded, swept=swept))
        await self.deployment.frontier.limit(found.run, lambda key: Limits(*self.campaign.limits_for(key)))
        await self.deployment.frontier.hold(found.run, False)
        return found.run

    async def _fresh(self) -> RunId:
        """A new run, announced."""
        run = campaigns.start_run(self.db, self.actor, self.campaign.name)
        await self.deployment.control.announce(self._marker(run))
        return run

    def _marker(self, run: RunId) -> RunControl:
        ours = verify_key(key_file(self.home.keys, "worker"))
        if ours not in verify_keys(self.db):
            add_key(self.db, self.actor, f"local-{ours.hex()[:8]}", ours)
        return RunControl(
            run=run,
            campaign=self.campaign.to_json(),
            index=self.index,
            recorder=public_key(key_file(self.home.keys, "recorder")),
            started_at=time.time(),
            workers=tuple(sorted(verify_keys(self.db))),
            swept=not self.campaign.seeds.sweep,
        )

    async def fill(self, run: RunId, *, most: int | None = None, told: Callable[[int], None] | None = None) -> None:
        """Put what earlier runs left out and the seeds into the frontier; a second time is harmless.

        What was left out comes first: it is older, and the seeds' pages must not use up the budgets before it. When a
        list has grown since the last run, the pages where most was found go before the seeds.
        most: unread entries of both streams while which nothing is added, where workers are at it; None: go on.
        told: how many seeds are there by now.
        """
        seeds = 0
        await self.deployment.frontier.carry_over(run, self.campaign.limits.max_urls_per_host)
        again = promising(self.db, self.campaign) if has_grown(self.db, run, self.index) else []
        pointers = (Candidate(url, Kind.PAGE, "pointer", 0) for url in self.campaign.seeds.pointers)
        named = (Candidate(url, Kind.PAGE, "seed", 0) for url in chain(again, self.campaign.seed_urls()))
        for chunk in _chunks(chain(named, pointers)):
            if most is not None:
                await self._read_up_to(most)
            found = Discovered(tuple(chunk))
            await self.deployment.frontier.offer(run, [found])
            seeds += len(chunk)
            if told is not None:
                told(seeds)
        await self.deployment.control.set_seeded(run)

    async def _read_up_to(self, most: int) -> None:
        """Wait until no more entries than that are unread."""
        while True:
            if await self.deployment.frontier.backlog() <= most:
                return
            await asyncio.sleep(_FILL_POLL)


def _chunks(seeds: Iterator[Candidate]) -> Iterator[list[Candidate]]:
    chunk: list[Candidate] = []
    for seed in seeds:
        chunk.append(seed)
        if len(chunk) == _SEED_CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
