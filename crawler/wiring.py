"""The composition root of a worker: options and home become live objects, a Scrapy extension gives them to the engine.

A worker holds no database. It needs REDIS_URL, its own home (keys, kernels), and the index file that the run names.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
from scrapy import Spider, signals
from scrapy.crawler import Crawler
from scrapy.exceptions import CloseSpider, DontCloseSpider

from crawler.bridge.admitter import Admitter
from crawler.bridge.claimer import Claimer
from crawler.bridge.completer import Completer
from crawler.bridge.courier import Courier
from crawler.bridge.digging import Digger
from crawler.bridge.ending import Ending
from crawler.bridge.errands import Errands
from crawler.bridge.images import ImageLane
from crawler.bridge.lanes import LeasedRequest, PageLane
from crawler.bridge.pages import PageJudge
from crawler.bridge.places import Places
from crawler.bridge.rendering import Renderer, RenderSettings
from crawler.bridge.revisiting import Revisiting
from crawler.bridge.runs import RunBook
from crawler.bridge.sizes import SizeBoard
from crawler.bridge.spider import LeaseSpider
from crawler.bridge.sweeping import Sweeper
from crawler.bridge.sweeplane import SweepLane
from crawler.bridge.worker import Worker, attach
from crawler.bus.client import Client, connect
from crawler.bus.control import Control
from crawler.bus.hosts import HostBook
from crawler.bus.joining import Joining, host_name
from crawler.bus.lists import ListFeed
from crawler.bus.membership import Membership
from crawler.bus.names import SharedDnsCache
from crawler.bus.revisits import Revisits
from crawler.bus.sizes import SizeBook
from crawler.bus.sweeps import SweepBook
from crawler.bus.traps import TrapBook
from crawler.collector import spare_collector
from crawler.errors import OptionInvalid, RedisUnavailable, VangnetError
from crawler.fetch.budget import ByteBudget
from crawler.fetch.dnscache import DnsCache
from crawler.home import Home, open_home
from crawler.making import RunMaker
from crawler.options import Options, options_from
from crawler.parts import frontier_of, process_name
from crawler.records import Lease
from crawler.render.machine import MEMORY
from crawler.render.page import Bounds
from crawler.store.keys import key_file

_log = structlog.get_logger()
_SUPERVISE = 0.5
_CHECK = 2.0
_DRAIN = 30.0


def membership_of(client: Client, options: Options, home: Home) -> Membership:
    """The standing of this home's workers in a deployment."""
    control, joining = Control(client, options.key_prefix), Joining(client, options.key_prefix)
    return Membership(control, joining, key_file(home.keys, "worker"), host_name(socket.gethostname()))


@dataclass(frozen=True, slots=True)
class Built:
    """A worker, and what is asked again and again while it works; check raises VangnetError when it has to end."""

    worker: Worker
    check: Callable[[], Awaitable[None]]


def _rendering(options: Options) -> RenderSettings:
    bounds = Bounds(
        # The lease of a page has to outlive its rendering.
        seconds=min(options.render_seconds, options.lease_seconds / 2),
        dom_chars=options.max_page_bytes,
        memory=options.render_memory_mib << 20,
    )
    return RenderSettings(
        options.render_processes, Path(options.render_directory or MEMORY), bounds, options.max_discoveries
    )


async def build_worker(options: Options, home: Home, crawler: Crawler) -> Built:
    """All parts of a worker, connected. The deployment says how many partitions there are. Raises VangnetError."""
    if not options.redis_url:
        raise OptionInvalid("a worker needs a server: set REDIS_URL to that of the crawl it joins")
    client = await connect(options.redis_url)
    control = Control(client, options.key_prefix)
    options = replace(options, partitions=await control.agree_partitions(options.partitions))
    number_key = await control.number_key()
    membership = membership_of(client, options, home)
    frontier = frontier_of(client, options)
    ending = Ending()

    def names(nameservers: Sequence[str]) -> DnsCache:
        return SharedDnsCache(client, options.key_prefix, number_key, nameservers)

    maker = RunMaker(options, home, membership, names, ListFeed(client, options.key_prefix))
    runs = RunBook(control, maker.prepare)
    watch = asyncio.create_task(maker.tables.watch())

    async def close() -> None:
        watch.cancel()
        await renderer.close()
        await client.aclose()

    def busy() -> bool:
        return not images.hungry

    completer = Completer(frontier, busy)
    revisits = Revisits(client, options.key_prefix, options.unchanged_mib << 20, options.unchanged_ttl)
    revisiting = Revisiting(revisits, number_key)
    book = HostBook(
        client, options.key_prefix, number_key, sticky=options.host_sticky, doubted_sticky=options.host_doubted
    )
    places = Places(frontier, book)
    courier = Courier(frontier, runs, places, options.max_page_bytes, revisiting)
    memory = ByteBudget(options.image_memory_mib << 20)
    traps = TrapBook(client, options.key_prefix, number_key)
    admitter = Admitter(frontier, runs, places, number_key, patience=options.dns_patience, traps=traps, busy=busy)
    digger, bell = Digger(frontier, runs), admitter.admitted
    pages = PageLane(completer, digger, bell=bell, concurrency=options.page_concurrency, memory=memory)
    sizes = SizeBoard(SizeBook(client, options.key_prefix, number_key))
    images = ImageLane(
        courier,
        completer,
        digger,
        runs,
        ending,
        bell=bell,
        concurrency=options.image_concurrency,
        memory=memory,
        revisiting=revisiting,
        sizes=sizes,
    )
    errands = Errands(frontier, courier, places)
    renderer = Renderer(frontier, runs, errands, sizes, _rendering(options))
    judge = PageJudge(runs, options.max_discoveries, traps, renderer, errands)
    sweeps = SweepLane(
        courier, completer, judge, runs, ending, bell=bell, concurrency=options.sweep_concurrency, memory=memory
    )

    def request(lease: Lease) -> LeasedRequest:
        spider = crawler.spider
        assert isinstance(spider, LeaseSpider)
        return LeasedRequest(lease, callback=spider.parse, errback=spider.failed)

    worker = Worker(
        frontier=frontier,
        runs=runs,
        courier=courier,
        completer=completer,
        pages=pages,
        images=images,
        judge=judge,
        admitter=admitter,
        claimer=Claimer(
            frontier,
            runs,
            pages,
            images,
            bell=bell,
            request=request,
            backlog_limit=options.backlog_limit,
            sweeps=sweeps,
        ),
        close=close,
        ending=ending,
        sweeper=Sweeper(frontier, runs, SweepBook(client, options.key_prefix, process_name())),
        sweeps=sweeps,
        renderer=renderer,
    )
    return Built(worker, lambda: membership.check(number_key, lambda run: runs.get(run) is not None))


class WorkerExtension:
    """Starts the worker with the spider, keeps the spider open while there is a run, drains before it closes."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._worker: Worker | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._drained = False
        self.failure: VangnetError | None = None
        crawler.signals.connect(self._opened, signals.spider_opened)
        crawler.signals.connect(self._idle, signals.spider_idle)
        crawler.signals.connect(self._closed, signals.spider_closed)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> WorkerExtension:
        return cls(crawler)

    async def _opened(self, spider: Spider) -> None:
        del spider
        settings = self._crawler.settings
        try:
            options = options_from(settings.copy_to_dict())
            home = open_home(Path(settings.get("VANGNET_HOME", "var")), lab=options.lab)
            built = await build_worker(options, home, self._crawler)
            self._worker = built.worker
            attach(self._crawler, self._worker)
            assert self._crawler.engine is not None
            self._worker.pages.open(self._crawler.engine)
            await self._worker.start()
        except Exception as error:
            told = f"the worker cannot start: {type(error).__name__}: {error}"
            self.failure = error if isinstance(error, VangnetError) else VangnetError(told)
            self._drained = True
            raise CloseSpider("cannot start") from error
        spare_collector()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._worker.ending.ask)
        self._supervisor = asyncio.create_task(self._supervise(built, settings.getint("VANGNET_PARENT")))

    async def _supervise(self, built: Built, parent: int) -> None:
        """Ends the worker when it is asked to, when there is no run any more, when it is no longer wanted or the
        server lost its data, or when its parent is gone."""
        worker = built.worker
        while not worker.ending.near:
            orphaned = bool(parent) and os.getppid() != parent
            # Looked at before the check: of runs that are gone because the server was emptied, the check knows.
            over = not worker.runs.any
            sound = await self._sound(built)
            if orphaned or (over and sound):
                worker.ending.ask()
            with suppress(TimeoutError):
                await asyncio.wait_for(worker.ending.wait(), _SUPERVISE)
        try:
            await asyncio.wait_for(worker.drain(), _DRAIN)
        except TimeoutError:
            _log.warning("leases left behind; they run out and their URLs come back")
        self.failure = worker.ending.failure
        self._drained = True
        # Scrapy ignores a stop that comes before its engine runs.
        assert self._crawler.engine is not None
        for _ in range(100):
            if self._crawler.engine.running or not self._crawler.crawling:
                break
            await asyncio.sleep(_SUPERVISE / 10)
        await self._crawler.stop_async()

    @staticmethod
    async def _sound(built: Built) -> bool:
        """Whether all is as it was when the worker joined; what is not ends it, but for a server that is away."""
        try:
            await asyncio.wait_for(built.check(), _CHECK)
        except (RedisUnavailable, TimeoutError):
            return False
        except VangnetError as error:
            built.worker.ending.fail(error)
            return False
        return True

    def _idle(self, spider: Spider) -> None:
        del spider
        if not self._drained:
            raise DontCloseSpider

    async def _closed(self, spider: Spider, reason: str) -> None:
        del spider, reason
        if self._worker is not None:
            await self._worker.runs.close()
            await self._worker.close()
