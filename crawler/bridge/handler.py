"""Scrapy's download handler for http and https: every request of Scrapy goes through our fetcher.

A request with a lease is sent by the courier. One without (`scrapy shell`, `scrapy fetch`, the probe spider) is
resolved and judged here: public addresses only, but for loopback in the lab.
"""

from __future__ import annotations

from ipaddress import ip_address
from time import monotonic

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from scrapy.http import Headers, Response
from scrapy.responsetypes import responsetypes

from crawler.bridge.answers import Answered, NotAnswered
from crawler.bridge.lanes import LeasedRequest
from crawler.bridge.worker import worker_of
from crawler.fetch.failures import failure
from crawler.fetch.fetcher import Fetcher
from crawler.fetch.headers import request_headers
from crawler.fetch.resolver import Resolver
from crawler.options import Options, options_from
from crawler.ranges import special_range, unwrapped
from crawler.records import Fetched, FetchFailed, FetchOrder, Kind, Rejected
from crawler.urls import canonical, parts

_OWN_HEADERS = frozenset({"host", "connection", "content-length", "accept-encoding"})


class NotFetched(Exception):
    """There is no response: `outcome` says why. The request's errback gets it."""

    def __init__(self, outcome: NotAnswered) -> None:
        super().__init__(getattr(outcome, "reason", "unsent"))
        self.outcome = outcome


class FetchHandler:
    """Offers the fetcher to Scrapy by its public handler API."""

    lazy = False

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._options: Options = options_from(crawler.settings.copy_to_dict())
        self._user_agent = str(crawler.settings.get("USER_AGENT"))
        self._loose: _LooseFetcher | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> FetchHandler:
        return cls(crawler)

    async def download_request(self, request: Request) -> Response:
        """The response. Raises NotFetched."""
        if isinstance(request, LeasedRequest):
            worker = worker_of(self._crawler)
            if worker is None:
                raise NotConfigured("leased requests need the worker extension: run `vangnet worker`")
            request.asking = monotonic()
            try:
                sent = await worker.courier.send(request.lease, request.hold)
            finally:
                request.asking = None
            if not isinstance(sent, Answered):
                raise NotFetched(sent)
            request.answered = sent
            return _response(request, sent.fetched)
        if self._loose is None:
            self._loose = _LooseFetcher(self._options, self._user_agent)
        answer = await self._loose.fetch(request)
        if not isinstance(answer, Fetched):
            raise NotFetched(answer)
        return _response(request, answer)

    async def close(self) -> None:
        if self._loose is not None:
            await self._loose.close()


class _LooseFetcher:
    """For requests without a lease: resolves by the system's nameservers and refuses special addresses."""

    def __init__(self, options: Options, user_agent: str) -> None:
        self._user_agent = user_agent
        self._lab = options.lab
        self._max_bytes = options.max_page_bytes
        self._resolver = Resolver(())
        self._fetcher = Fetcher(permitted=self._permits)

    def _permits(self, address: str) -> bool:
        special = special_range(unwrapped(ip_address(address)))
        return special is None or (self._lab and special.name == "loopback")

    async def fetch(self, request: Request) -> Fetched | FetchFailed:
        url = canonical(request.url)
        if isinstance(url, Rejected):
            return failure("invalid-request", url.reason)
        resolved = await self._resolver.resolve(parts(url).host)
        if isinstance(resolved, Rejected):
            return failure(resolved.reason)
        address = next((each for each in resolved.addresses if self._permits(each)), None)
        if address is None:
            return failure("blocked-scope")
        return await self._fetcher.fetch(FetchOrder(url, address, self._headers(url, request), self._max_bytes))

    def _headers(self, url: str, request: Request) -> tuple[tuple[str, str], ...]:
        """What a page is asked for with, but for what the request says itself."""
        own = _pairs(request.headers)
        said = {name.lower() for name, _ in own}
        usual = request_headers(Kind.PAGE, url, user_agent=self._user_agent)
        return (*(pair for pair in usual if pair[0].lower() not in said), *own)

    async def close(self) -> None:
        await self._fetcher.close()
        await self._resolver.close()


def _pairs(headers: Headers) -> list[tuple[str, str]]:
    return [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, values in headers.items()
        for value in values
        if name.decode("latin-1").lower() not in _OWN_HEADERS
    ]


def _response(request: Request, fetched: Fetched) -> Response:
    """The answer as Scrapy has it: address in `ip_address`; in `meta`, "timings" and "tls" as `Fetched` has them."""
    headers = Headers()
    for name, value in fetched.headers:
        # The body is unpacked already; Scrapy's own middleware must not try again.
        if name.lower() != "content-encoding":
            headers.appendlist(name, value)
    timings = fetched.timings
    request.meta["timings"], request.meta["tls"] = timings, fetched.tls
    if timings is not None:
        request.meta["download_latency"] = timings.header  # by this name Scrapy's own extensions look for it
    kind = responsetypes.from_args(headers=headers, url=fetched.url, body=fetched.body[:4096])
    return kind(
        url=request.url,
        status=fetched.status,
        headers=headers,
        body=fetched.body,
        request=request,
        ip_address=ip_address(fetched.address),
        flags=["body-skipped"] if fetched.skipped_body else [],
    )
