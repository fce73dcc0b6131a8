"""A pool belongs to its fetcher alone, and goes with it."""

from __future__ import annotations

import gc
import weakref

from crawler.fetch.limits import FetchLimits
from crawler.fetch.pool import Pool
from crawler.fetch.tls import TlsObserver


def anywhere(address: str) -> bool:
    return True


async def test_equal_pools_are_two_and_nothing_keeps_a_closed_one() -> None:
    limits, tls = FetchLimits(), TlsObserver()
    first, second = (Pool(anywhere, limits, tls, 8) for _ in range(2))
    assert first is not second
    await first.close()
    gone = weakref.ref(first)
    del first
    gc.collect()
    assert gone() is None
    await second.close()
