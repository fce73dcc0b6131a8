"""Scrapy's download handler: what it notes of a leased request while its server is waited for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from scrapy import Spider
from scrapy.utils.test import get_crawler

from crawler.bridge.answers import Answered, Sent, Unsent
from crawler.bridge.handler import FetchHandler, NotFetched
from crawler.bridge.lanes import LeasedRequest
from crawler.bridge.worker import attach
from crawler.errors import RedisUnavailable
from crawler.records import Lease, TlsFacts
from tests.bridge.parts import ADDRESS, answer, lease

SHOWN = TlsFacts("TLSv1.3", "ab" * 32, ("a.example.nl",), True)


class Courier:
    def __init__(self, request: LeasedRequest, ends: Sent | Exception) -> None:
        self.request, self.ends = request, ends
        self.asking: float | None = None

    async def send(self, lease: Lease, hold: object) -> Sent:
        del lease, hold
        self.asking = self.request.asking
        if isinstance(self.ends, Exception):
            raise self.ends
        return self.ends


@pytest.mark.parametrize(
    ("ends", "raised"),
    [
        (Answered(answer(tls=SHOWN), None, False), None),
        (Unsent(), NotFetched),
        (RedisUnavailable("away"), RedisUnavailable),
    ],
)
async def test_a_request_waits_for_its_server_until_its_answer_and_no_longer(
    ends: Sent | Exception, raised: type[Exception] | None
) -> None:
    crawler, request = get_crawler(Spider), LeasedRequest(lease())
    courier = Courier(request, ends)
    worker: Any = SimpleNamespace(courier=courier)
    attach(crawler, worker)
    handler = FetchHandler(crawler)
    assert request.asking is None
    if raised is None:
        response = await handler.download_request(request)
        known = (str(response.ip_address), response.meta["timings"].header, response.meta["tls"])
        assert known == (ADDRESS, 0.25, SHOWN)
    else:
        with pytest.raises(raised):
            await handler.download_request(request)
    assert courier.asking is not None
    assert (request.asking, isinstance(request.answered, Answered)) == (None, raised is None)
