"""What a worker needs for one run (resolver, fetchers, sandbox, what it follows), made of campaign and options."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from crawler.bridge.following import Follower
from crawler.bridge.indexfiles import IndexFiles
from crawler.bridge.pointers import Pointers
from crawler.bridge.runs import ServedRun
from crawler.bus.control import RunControl
from crawler.bus.envelope import Sealer
from crawler.bus.lists import ListFeed
from crawler.bus.membership import Membership
from crawler.campaign import Campaign, check_startable
from crawler.fetch.dnscache import DnsCache
from crawler.fetch.fetcher import Fetcher
from crawler.fetch.limits import FetchLimits
from crawler.fetch.resolver import DnsTimes, Resolver
from crawler.fetch.sockets import Sockets
from crawler.fetch.surroundings import most_sockets
from crawler.fingerprint.options import FingerprintOptions
from crawler.home import Home
from crawler.match.thresholds import Thresholds
from crawler.options import Options
from crawler.parts import tables_of
from crawler.sandbox.settings import SandboxSettings
from crawler.scope import CachedScope
from crawler.store.keys import key_file

MakeCache = Callable[[Sequence[str]], DnsCache]
"""Where the answers of some nameservers are kept."""


class RunMaker:
    """Makes a run ready to be served on this machine, once its recorder believes this worker."""

    def __init__(self, options: Options, home: Home, membership: Membership, names: MakeCache, feed: ListFeed) -> None:
        self._options = options
        self._names = names
        self._home = home
        self._membership = membership
        self.tables = tables_of(home)
        self._feed = feed
        self._files = IndexFiles()
        self._signing = key_file(home.keys, "worker")
        lanes = options.page_concurrency + options.image_concurrency
        self._sockets = Sockets(most_sockets(lanes, options.sweep_concurrency))

    async def prepare(self, control: RunControl) -> ServedRun:
        """Implements `crawler.bridge.runs.Prepare`."""
        campaign = Campaign.from_json(control.campaign)
        check_startable(campaign, datetime.now(UTC).date())
        await self._membership.join(control)
        scope = CachedScope(campaign, self.tables)
        self.tables.follow(scope)
        resolver = self._resolver(campaign)
        follower = Follower(self._feed, self._signing, lambda marker: self._sandbox(marker, campaign))

        def fetcher(permitted: Callable[[str], bool]) -> Fetcher:
            return Fetcher(
                permitted=permitted,
                limits=self._limits(campaign),
                sockets=self._sockets,
                source_addresses=campaign.identity.source_addresses,
            )

        return ServedRun(
            control=control,
            campaign=campaign,
            scope=scope,
            resolver=resolver,
            fetcher=fetcher(lambda address: scope.judge(address).in_scope),
            pointers=Pointers(campaign, resolver, fetcher),
            sandbox=await follower.begin(control),
            follower=follower,
            sealer=Sealer(control.recorder, self._signing),
        )

    def _resolver(self, campaign: Campaign) -> Resolver:
        options, nameservers = self._options, campaign.network.nameservers
        times = DnsTimes(
            floor=options.dns_floor,
            ceiling=max(options.dns_floor, options.dns_ceiling),
            negative=options.dns_negative,
            # Shorter than the shortest wait of the admitter, or its second question would get the first answer.
            trouble=options.dns_patience / 40,
        )
        return Resolver(nameservers, times=times, parallel=options.dns_parallel, cache=self._names(nameservers))

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
