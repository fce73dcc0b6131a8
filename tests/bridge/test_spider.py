"""A leased request's callback: one outcome, and room for others while a robots.txt is looked for elsewhere."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from scrapy.http import Response
from scrapy.utils.test import get_crawler

from crawler.bridge.answers import Answered
from crawler.bridge.lanes import LeasedRequest
from crawler.bridge.pages import PageOutcome
from crawler.bridge.spider import LeaseSpider
from crawler.bridge.worker import attach
from crawler.frontier.base import Completion
from crawler.records import Done, Kind, Lease
from tests.bridge.parts import HOST, answer, lease


@pytest.mark.parametrize("kind", [Kind.ROBOTS, Kind.PAGE])
async def test_a_robots_txt_that_waits_for_another_address_counts_as_one_that_waits_for_its_server(kind: Kind) -> None:
    crawler = get_crawler(LeaseSpider)
    spider = LeaseSpider.from_crawler(crawler, name="crawl")
    request = LeasedRequest(lease(f"{HOST}/robots.txt", kind))
    request.answered = Answered(answer())
    waiting: list[bool] = []

    class Judge:
        async def answered(self, lease: Lease, answered: Answered, hold: object) -> PageOutcome:
            waiting.append(request.asking is not None)
            return PageOutcome(Completion(lease, Done()))

    worker: Any = SimpleNamespace(judge=Judge())
    attach(crawler, worker)
    found = [each async for each in spider.parse(Response(request.url, request=request))]
    assert found == [PageOutcome(Completion(request.lease, Done()))]
    assert (waiting, request.asking) == ([kind is Kind.ROBOTS], None)
