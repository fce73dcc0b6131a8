"""The base of spiders that serve leases: every leased request has these as callback and errback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from time import monotonic
from typing import Any

import structlog
from scrapy import Spider
from scrapy.http import Response
from twisted.python.failure import Failure

from crawler.bridge.answers import Answered, concluded
from crawler.bridge.handler import NotFetched
from crawler.bridge.lanes import LeasedRequest
from crawler.bridge.outcomes import SANDBOX_PAUSE
from crawler.bridge.pages import PageOutcome
from crawler.bridge.worker import Worker, worker_of
from crawler.errors import RedisUnavailable, SandboxUnavailable
from crawler.fetch.failures import failure
from crawler.frontier.base import Completion
from crawler.records import Failed, Kind, Outcome, Retry

_log = structlog.get_logger()


class LeaseSpider(Spider):
    """Yields exactly one `PageOutcome` for each leased request, whatever happens to it."""

    async def start(self) -> AsyncIterator[Any]:
        """Nothing: requests come from the claimer."""
        no_requests: tuple[Any, ...] = ()
        for request in no_requests:
            yield request

    async def parse(self, response: Response, **kwargs: Any) -> AsyncIterator[PageOutcome]:
        """The answer of a leased request."""
        del kwargs
        request = response.request
        assert isinstance(request, LeasedRequest)
        assert request.answered is not None
        if request.lease.item.kind is Kind.ROBOTS:
            # One that moved waits for a slot where it is now, and takes as little of a worker as a silent server.
            request.asking = monotonic()
        try:
            outcome = await self._outcome(request, request.answered)
        finally:
            request.asking = None
        yield outcome

    async def _outcome(self, request: LeasedRequest, answered: Answered) -> PageOutcome:
        outcome: Outcome
        try:
            return await self._worker.judge.answered(request.lease, answered, request.hold)
        except SandboxUnavailable as error:
            self._worker.ending.fail(error)
            outcome = Retry("sandbox-unavailable", SANDBOX_PAUSE)
        except Exception as error:  # noqa: BLE001  one page must never take a lease with it, whatever is wrong with it
            _log.exception("page failed")
            outcome = Failed(f"internal-{type(error).__name__}")
        return PageOutcome(concluded(Completion(request.lease, outcome), answered))

    async def failed(self, problem: Failure) -> AsyncIterator[PageOutcome]:
        """A leased request without an answer."""
        request = getattr(problem, "request", None)
        assert isinstance(request, LeasedRequest)
        yield await self._unanswered(request, problem.value)

    async def _unanswered(self, request: LeasedRequest, error: BaseException | None) -> PageOutcome:
        if isinstance(error, NotFetched):
            return await self._worker.judge.unanswered(request.lease, error.outcome)
        if isinstance(error, RedisUnavailable):
            return PageOutcome(Completion(request.lease, None))
        _log.error("request failed", error=type(error).__name__)
        outcome = await self._worker.judge.unanswered(request.lease, failure("local-resources"))
        # Nobody knows how far it came, so it counts as sent.
        return PageOutcome(outcome.completion._replace(unsent=False))

    @property
    def _worker(self) -> Worker:
        worker = worker_of(self.crawler)
        assert worker is not None
        return worker
