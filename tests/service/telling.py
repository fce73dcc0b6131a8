"""A keeper of the hash lists with a run of two lists, and what a worker of that run hears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256

from redis.asyncio import Redis

from crawler.bus.control import Control, RunControl
from crawler.bus.envelope import public_key, verify_key
from crawler.bus.lists import ListFeed, Published, Unread
from crawler.match.live import ListState, unpack_state
from crawler.records import RunId
from crawler.service.deployment import Deployment
from crawler.service.indexing import ensure_index
from crawler.service.listkeeper import ListKeeper
from crawler.store import campaigns
from crawler.store.database import Database
from tests.service.frontiers import CAMPAIGN, Frontier, keep
from tests.store.factories import ANNA, add_list, digest_entry

SECRET, SEED = b"r" * 32, b"w" * 32
KEY = verify_key(SEED)


@dataclass
class Told:
    """A keeper, its run, and what a worker of that run hears."""

    db: Database
    control: Control
    frontier: Frontier
    feed: ListFeed
    keeper: ListKeeper
    run: RunId

    async def state(self, seed: bytes = SEED) -> ListState:
        """After one step of the keeper, what stands there."""
        await self.keeper.step()
        return await self.published_state(seed)

    async def published_state(self, seed: bytes = SEED) -> ListState:
        published = await self.published(seed)
        assert isinstance(published, Published)
        return unpack_state(published.packed)

    async def published(self, seed: bytes = SEED) -> Published | Unread:
        found = await self.feed.read(self.run, b"0-0", seed, public_key(SECRET))
        assert found is not None
        return found[1]

    async def index(self) -> str:
        return (await self.control.require(self.run)).index

    async def new_file(self, old: str) -> ListState:
        """The state after the marker names another file."""
        for _ in range(100):
            state = await self.state()
            if await self.index() != old:
                return state
            await asyncio.sleep(0.05)
        raise AssertionError("no new file")

    def entry(self, text: str) -> int:
        return int(self.db.value("SELECT max(id) FROM hash_entries WHERE value = ?", sha256(text.encode()).digest()))


@asynccontextmanager
async def telling(db: Database, server: str) -> AsyncIterator[Told]:
    """Lists "tulips" (a, b) and "roses" (c), and a run that matches against both."""
    client: Redis = Redis.from_url(server)
    await client.flushall()
    control, frontier, feed = Control(client, "t"), Frontier(), ListFeed(client, "t")
    keep(db)
    run = campaigns.start_run(db, ANNA, "nightly")
    add_list(db, [digest_entry("a"), digest_entry("b")], "tulips")
    add_list(db, [digest_entry("c")], "roses")
    index = ensure_index(db.home, db).sha256
    await control.announce(RunControl(run, CAMPAIGN.to_json(), index, public_key(SECRET), 1.0, workers=(KEY,)))
    yield Told(db, control, frontier, feed, ListKeeper(db, Deployment(control, frontier), feed, SECRET), run)
    await client.aclose()
