"""The recorder's process: what the workers found goes into the store, and who may be one of them is decided here."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import asdict, replace

import structlog

from crawler.attributing import Attributing
from crawler.bus.client import Client, connect_patiently
from crawler.bus.control import Control
from crawler.bus.envelope import public_key
from crawler.bus.joining import Joining
from crawler.bus.lists import ListFeed
from crawler.errors import RedisUnavailable, StoreUnavailable
from crawler.fetch.reverse import ReverseNames
from crawler.frontier.base import Frontier
from crawler.home import Home
from crawler.meters import FRONTIER
from crawler.options import Options
from crawler.parts import frontier_of, tables_of
from crawler.recorder import Recorder
from crawler.service.background import Revisitor
from crawler.service.deployment import Deployment
from crawler.service.enrol import Doorkeeper
from crawler.service.heads import keep_published
from crawler.service.listkeeper import ListKeeper
from crawler.service.settle import keep_settled
from crawler.service.watch import flood_rule, keep_watch
from crawler.store import arrivals
from crawler.store.database import open_store
from crawler.store.keys import key_file

_LOOK = 0.5
_log = structlog.get_logger()
_METER = 5.0


async def record(options: Options, home: Home, parent: int) -> None:
    """Record until SIGTERM, Ctrl-C, or the end of the process `parent` (0: none). Waits for a server that is away.

    Raises OptionInvalid for a REDIS_URL that cannot work, HomeUnusable, StoreUnavailable.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    watch = asyncio.create_task(_orphaned(parent, stop))
    try:
        client = await connect_patiently(options.redis_url, stop)
        if client is not None:
            await _record(client, options, home, stop, alone=not parent)
    finally:
        watch.cancel()


async def _record(client: Client, options: Options, home: Home, stop: asyncio.Event, *, alone: bool) -> None:
    """alone: no crawl started this process, and would close its own run."""
    secret = key_file(home.keys, "recorder")
    control, joining = Control(client, options.key_prefix), Joining(client, options.key_prefix)
    book, reverse = tables_of(home), ReverseNames()
    watch = asyncio.create_task(book.watch())
    try:
        options = replace(options, partitions=await control.agree_partitions(options.partitions))
        with open_store(home) as db:
            frontier = frontier_of(client, options)
            recorder = Recorder(
                frontier, db, Attributing(book, reverse), secret, flood_rule(options), spacing=options.recheck_spacing
            )
            keeper = Doorkeeper(db, control, joining, public_key(secret), options.worker_enrolment == "open")
            deployment = Deployment(control, frontier)
            lists = ListKeeper(db, deployment, ListFeed(client, options.key_prefix), secret)
            metering = [_meter(frontier, stop)] if options.metrics_port else []
            # A crawl that brings its own workers ends them with its run, and begins with what is promising itself.
            again = Revisitor(db, options, deployment, public_key(secret))
            settling = [keep_settled(db, deployment, stop), again.run(stop)] if alone else []
            standing = (keep_watch(db, options, stop), keep_published(db, options.audit_heads, stop))
            mending = asyncio.to_thread(_mend, home)
            await asyncio.gather(
                mending, recorder.run(stop), keeper.run(stop), lists.run(stop), *standing, *settling, *metering
            )
    finally:
        watch.cancel()
        await reverse.close()
        await client.aclose()


def _mend(home: Home) -> None:
    """Take back what a killed import left, and delete what a killed drop did not; the next import does so too."""
    try:
        with open_store(home) as db:
            arrivals.sweep(db)
    except StoreUnavailable as error:
        _log.warning("what an import left is not taken back yet", error=str(error))


async def _meter(frontier: Frontier, stop: asyncio.Event) -> None:
    """Keep the gauges of the frontier up to date until `stop` is set."""
    while not stop.is_set():
        with suppress(RedisUnavailable):
            for what, number in asdict(await frontier.state()).items():
                FRONTIER.labels(what).set(number)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _METER)


async def _orphaned(parent: int, stop: asyncio.Event) -> None:
    """Sets `stop` when the process that started this one is gone; the kernel has no event for that."""
    while not stop.is_set():
        if parent and os.getppid() != parent:
            stop.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _LOOK)
