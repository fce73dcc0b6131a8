"""The composition root of a worker: options and home become live objects, a Scrapy extension gives them to the engine.

A worker holds no database. It needs REDIS_URL, its own home (keys, kernels), and the index file that the run names.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
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
from crawler.bridge.following import Follower
from crawler.bridge.images import ImageLane
from crawler.bridge.indexfiles import IndexFiles
from crawler.bridge.lanes import LeasedRequest, PageLane
from crawler.bridge.pages import PageJudge
from crawler.bridge.places import Places
from crawler.bridge.revisiting import Revisiting
from crawler.bridge.runs import RunBook, ServedRun
from crawler.bridge.spider import LeaseSpider
from crawler.bridge.worker import Worker, attach
from crawler.bus.client import Client, connect
from crawler.bus.control import Control, RunControl
from crawler.bus.envelope import Sealer
from crawler.bus.hosts import HostBook
from crawler.bus.joining import Joining, host_name
from crawler.bus.lists import ListFeed
from crawler.bus.membership import Membership
from crawler.bus.revisits import Revisits
from crawler.campaign import Campaign, check_startable
from crawler.errors import OptionInvalid, RedisUnavailable, VangnetError
from crawler.fetch.budget import ByteBudget
from crawler.fetch.fetcher import Fetcher
from crawler.fetch.limits import FetchLimits
from crawler.fetch.resolver import DnsTimes, Resolver
from crawler.fingerprint.options import FingerprintOptions
from crawler.home import Home, open_home
from crawler.match.thresholds import Thresholds
from crawler.options import Options, options_from
from crawler.parts import frontier_of, tables_of
from crawler.records import Lease
from crawler.sandbox.settings import SandboxSettings
from crawler.scope import CachedScope
from crawler.store.keys import key_file

_log = structlog.get_logger()
_SUPERVISE = 0.5
_CHECK = 2.0
_DRAIN = 30.0


def membership_of(client: Client, options: Options, home: Home) -> Membership:
    """The standing of this home's workers in a deployment."""
    control, joining = Control(client, options.key_prefix), Joining(client, options.key_prefix)
    return Membership(control, joining, key_file(home.keys, "worker"), host_name(socket.gethostname()))


class RunMaker:
    """Makes a run ready to be served on this machine, once its recorder believes this worker."""

    def __init__(self, options: Options, home: Home, membership: Membership, feed: ListFeed) -> None:
        self._options = options
        self._home = home
        self._membership = membership
        self._feed = feed
        self._files = IndexFiles()
        self._tables = tables_of(home)
        self._signing = key_file(home.keys, "worker")

    async def prepare(self, control: RunControl) -> ServedRun:
        """Implements `crawler.bridge.runs.Prepare`."""
        campaign = Campaign.from_json(control.campaign)
        check_startable(campaign, datetime.now(UTC).date())
        await self._membership.join(control)
        scope = CachedScope(campaign, self._tables)
        follower = Follower(self._feed, self._signing, lambda marker: self._sandbox(marker, campaign))
        return ServedRun(
            control=control,
            campaign=campaign,
            scope=scope,
            resolver=Resolver(
                campaign.network.nameservers,
                # Shorter than the shortest wait of the admitter, or its second question would get the first answer.
                times=DnsTimes(trouble=self._options.dns_patience / 40),
            ),
            fetcher=Fetcher(
                permitted=lambda address: scope.judge(address).in_scope,
                limits=self._limits(campaign),
                max_sockets=2 * (self._options.page_concurrency + self._options.image_concurrency),
                source_addresses=campaign.identity.source_addresses,
            ),
            sandbox=await follower.begin(control),
            follower=follower,
            sealer=Sealer(control.recorder, self._signing),
        )

    async def _sandbox(self, control: RunControl, campaign: Campaign) -> SandboxSettings:
        index = self._home.index / f"{control.index}.vgx"
        await self._files.check(index, control.index)
        options, match = self._options, campaign.match
        return SandboxSettings(
            processes=options.sandbox_processes,
            index=index,
            index_sha256=control.index,
            cache_dir=Path(options.kernels) if options.kernels else self._home.kernels,
            thresholds=Thresholds(
                pdq_distance=match.pdq_distance,
                phash_distance=match.phash_distance,
                min_quality=match.min_quality,
                screen_margin=options.screen_margin,
            ),
            options=FingerprintOptions(orientations=match.orientations),
            memory_budget=options.sandbox_memory_mib << 20,
            image_deadline=options.image_deadline,
            recycle_after=options.recycle_after,
            max_bytes=campaign.limits.max_image_bytes,
        )

    def _limits(self, campaign: Campaign) -> FetchLimits:
        options = self._options
        return FetchLimits(
            connect=options.connect_timeout,
            tls=options.connect_timeout,
            header=options.header_timeout,
            idle=options.idle_timeout,
            total=options.total_timeout,
            min_rate=options.min_rate,
            max_page_bytes=options.max_page_bytes,
            max_image_bytes=campaign.limits.max_image_bytes,
            max_digest_bytes=campaign.limits.max_digest_bytes,
        )


@dataclass(frozen=True, slots=True)
class Built:
    """A worker, and what is asked again and again while it works; check raises VangnetError when it has to end."""

    worker: Worker
    check: Callable[[], Awaitable[None]]


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
    runs = RunBook(control, RunMaker(options, home, membership, ListFeed(client, options.key_prefix)).prepare)
    completer = Completer(frontier)
    revisits = Revisits(client, options.key_prefix, options.unchanged_mib << 20, options.unchanged_ttl)
    revisiting = Revisiting(revisits, number_key)
    places = Places(frontier, HostBook(client, options.key_prefix, number_key))
    courier = Courier(frontier, runs, places, options.max_page_bytes, revisiting)
    memory = ByteBudget(options.image_memory_mib << 20)
    admitter = Admitter(frontier, runs, places, number_key, patience=options.dns_patience)
    digger, bell = Digger(frontier, runs), admitter.admitted
    pages = PageLane(completer, digger, bell=bell, concurrency=options.page_concurrency, memory=memory)
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
        judge=PageJudge(runs, options.max_discoveries),
        admitter=admitter,
        claimer=Claimer(frontier, runs, pages, images, bell=bell, request=request, backlog_limit=options.backlog_limit),
        close=client.aclose,
        ending=ending,
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
