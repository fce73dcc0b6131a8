"""A pool belongs to its fetcher alone, goes with it, and shares no more than a bound with others."""

from __future__ import annotations

import asyncio
import errno
import gc
import weakref
from itertools import cycle
from typing import Any

import pytest

from crawler.fetch import pool as subject
from crawler.fetch.fetcher import Fetcher
from crawler.fetch.limits import FetchLimits
from crawler.fetch.pool import Pool
from crawler.fetch.sockets import Sockets
from crawler.fetch.tls import TlsObserver
from crawler.records import Fetched, FetchFailed, FetchOrder
from tests.fetch.test_fetcher import QUICK, answers
from tests.hostile.servers.rawserver import serving


def anywhere(address: str) -> bool:
    return True


async def test_equal_pools_are_two_and_nothing_keeps_a_closed_one() -> None:
    limits, tls = FetchLimits(), TlsObserver()
    first, second = (Pool(anywhere, limits, tls, Sockets(8)) for _ in range(2))
    assert first is not second
    await first.close()
    gone = weakref.ref(first)
    del first
    gc.collect()
    assert gone() is None
    await second.close()


async def test_fetchers_that_share_a_bound_keep_to_it_together() -> None:
    """Every run of a worker has a fetcher; what its idle connections hold is no longer missing to another."""
    shared = Sockets(3)
    async with (
        Fetcher(permitted=anywhere, limits=QUICK, sockets=shared) as one,
        Fetcher(permitted=anywhere, limits=QUICK, sockets=shared) as other,
        serving(answers()) as server,
    ):
        for number, fetcher in zip(range(12), cycle((one, one, one, other)), strict=False):
            result = await fetcher.fetch(FetchOrder(f"http://h{number}.example:{server.port}/", server.address))
            assert isinstance(result, Fetched)
            assert one.open_sockets + other.open_sockets == len(shared.connections) == min(number + 1, 3)
        assert other.open_sockets == 1
        await one.close()
        assert (len(shared.connections), len(shared.idle), shared.opening) == (1, 1, 0)
    assert not shared.connections


@pytest.mark.parametrize(
    ("number", "reason", "retry"),
    [
        (errno.EAFNOSUPPORT, "unreachable", True),  # no IPv6 in this kernel
        (errno.ENETUNREACH, "unreachable", True),
        (errno.EHOSTUNREACH, "unreachable", True),
        (errno.EMFILE, "local-resources", True),
        (errno.ENOBUFS, "local-resources", True),
        (errno.EADDRNOTAVAIL, "local-address", False),
        (errno.ETIMEDOUT, "connect-timeout", True),
    ],
)
@pytest.mark.parametrize("at", ["socket", "connect"])
async def test_what_the_machine_lacks_is_told_from_what_a_server_does(
    monkeypatch: pytest.MonkeyPatch, at: str, number: int, reason: str, retry: bool
) -> None:
    def refuse(*_: Any) -> Any:
        raise OSError(number, "no")

    async with Fetcher(permitted=anywhere, limits=QUICK) as fetcher:
        if at == "socket":
            monkeypatch.setattr(subject.socket, "socket", refuse)
        else:
            monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", refuse)
        result = await fetcher.fetch(FetchOrder("http://[2001:db8::1]:9/", "2001:db8::1"))
        monkeypatch.undo()
        assert isinstance(result, FetchFailed)
        assert (result.reason, result.retry, fetcher.open_sockets) == (reason, retry, 0)
