"""Every hostile server at once, on both event loops; then what came of each is looked at one by one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from time import monotonic

import pytest
import uvloop

from crawler.fetch.fetcher import Fetcher
from crawler.fetch.tls import TlsObserver
from crawler.records import Fetched, FetchFailed, FetchOrder

from .catalogue import ALLOWANCE, CATALOGUE, HOST, LIMITS, PIXEL, Hostile
from .certificates import Authority
from .rawserver import Peer, closed_port, serving, unaccepting

PACE = 0.02


@dataclass
class Outcome:
    """seconds: until there was a result.  steps: the same by a clock that stands while the event loop does."""

    result: Fetched | FetchFailed
    seconds: float
    steps: float
    requests: int
    url: str


class Steps:
    """A clock that adds PACE whenever it gets its turn: what the machine gives to others is not counted as waiting."""

    now = 0.0

    async def run(self) -> None:
        while True:
            await asyncio.sleep(PACE)
            self.now += PACE


@dataclass
class Night:
    """What a run over all servers at once gave. healthy: how many of the paced fetches beside it went well in time."""

    outcomes: dict[str, Outcome]
    healthy: list[bool]
    open_after: int


async def _one(fetcher: Fetcher, hostile: Hostile, authority: Authority, clock: Steps) -> Outcome:
    context = None if hostile.context is None else hostile.context(authority)
    async with serving(hostile.script, tls=context) as server:
        scheme = "https" if hostile.tls_client or context is not None else "http"
        url = f"{scheme}://{HOST}:{server.port}/"
        begun, step = monotonic(), clock.now
        result = await fetcher.fetch(FetchOrder(url, server.address))
        return Outcome(result, monotonic() - begun, clock.now - step, len(server.requests), url)


async def _healthy(peer: Peer) -> None:
    while True:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(PIXEL) + PIXEL)


async def _paced(fetcher: Fetcher, port: int, stop: asyncio.Event) -> list[bool]:
    """A fetch from a good server every PACE seconds: did it go well within half a second?"""

    async def one() -> bool:
        begun = monotonic()
        result = await fetcher.fetch(FetchOrder(f"http://healthy.example:{port}/", "127.0.0.1"))
        return isinstance(result, Fetched) and monotonic() - begun < 0.5

    tasks = []
    while not stop.is_set():
        tasks.append(asyncio.create_task(one()))
        await asyncio.sleep(PACE)
    return list(await asyncio.gather(*tasks))


async def _night(authority: Authority) -> Night:
    tls = TlsObserver((authority.root,))
    async with (
        Fetcher(permitted=lambda address: address.startswith("127."), limits=LIMITS, tls=tls) as fetcher,
        serving(_healthy) as good,
    ):
        stop = asyncio.Event()
        beside = asyncio.create_task(_paced(fetcher, good.port, stop))
        clock = Steps()
        ticking = asyncio.create_task(clock.run())
        outcomes = await asyncio.gather(*(_one(fetcher, hostile, authority, clock) for hostile in CATALOGUE))
        ticking.cancel()
        stop.set()
        healthy = await beside
        await fetcher.close()
        named = {hostile.name: outcome for hostile, outcome in zip(CATALOGUE, outcomes, strict=True)}
        return Night(named, healthy, fetcher.open_sockets)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(Path(tmp_path_factory.mktemp("certificates")))


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def night(request: pytest.FixtureRequest, authority: Authority) -> Iterator[Night]:
    factory = uvloop.new_event_loop if request.param == "uvloop" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        yield runner.run(_night(authority))


def test_there_are_enough_of_them() -> None:
    names = [hostile.name for hostile in CATALOGUE]
    assert len(names) == len(set(names)) >= 25


def test_every_deadline_ends_some_and_they_are_told_apart() -> None:
    deadlines = {hostile.seconds for hostile in CATALOGUE}
    assert deadlines == {0.0, LIMITS.idle, LIMITS.tls, LIMITS.rate_grace, LIMITS.header, LIMITS.total}
    assert min(later - sooner for sooner, later in pairwise(sorted(deadlines))) > ALLOWANCE


@pytest.mark.parametrize("hostile", CATALOGUE, ids=lambda hostile: hostile.name)
def test_hostile_server(night: Night, hostile: Hostile) -> None:
    outcome = night.outcomes[hostile.name]
    result = outcome.result
    assert outcome.seconds >= hostile.seconds
    assert outcome.steps <= hostile.seconds + ALLOWANCE
    assert outcome.requests <= 1  # nothing is sent twice
    if hostile.expect:
        assert isinstance(result, FetchFailed), result
        assert result.reason == hostile.expect, result
        return
    assert isinstance(result, Fetched), result
    assert result.status == hostile.status
    assert result.skipped_body == hostile.skipped
    if hostile.body is not None:
        assert result.body == hostile.body
    if hostile.location is not None:
        location = hostile.location
        expected = outcome.url.rstrip("/") + location if location.startswith("/") else location or None
        assert result.location == expected
    if hostile.context is not None:
        assert result.tls is not None
        assert result.tls.problem == (hostile.problem or result.tls.problem)
        assert len(result.tls.sha256) == 64


def test_healthy_servers_beside_them_keep_their_rate(night: Night) -> None:
    assert len(night.healthy) >= 10
    assert sum(night.healthy) >= 0.9 * len(night.healthy)


def test_no_socket_is_left(night: Night) -> None:
    assert night.open_after == 0


async def _fetch(url: str) -> Fetched | FetchFailed:
    async with Fetcher(permitted=lambda address: True, limits=LIMITS) as fetcher:
        return await fetcher.fetch(FetchOrder(url, "127.0.0.1"))


async def test_nobody_listens() -> None:
    result = await _fetch(f"http://gone.example:{closed_port()}/")
    assert isinstance(result, FetchFailed)
    assert (result.reason, result.retry) == ("connect-refused", True)


async def test_nobody_accepts() -> None:
    with unaccepting() as port:
        begun = monotonic()
        result = await _fetch(f"http://deaf.example:{port}/")
        assert LIMITS.connect <= monotonic() - begun < LIMITS.total
    assert isinstance(result, FetchFailed)
    assert (result.reason, result.retry) == ("connect-timeout", True)


async def test_a_poisoned_connection_is_not_used_again() -> None:
    hostile = next(each for each in CATALOGUE if each.name == "poisons the connection")
    async with Fetcher(permitted=lambda address: True, limits=LIMITS) as fetcher, serving(hostile.script) as server:
        for _ in range(3):
            result = await fetcher.fetch(FetchOrder(f"http://{HOST}:{server.port}/", server.address))
            assert isinstance(result, Fetched)
            assert result.body == PIXEL
        assert server.connections == 3


async def test_an_answer_before_the_question_is_nobodys() -> None:
    """The server writes the next answer while the connection is idle."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")
            await asyncio.sleep(0.05)
            with contextlib.suppress(ConnectionError):
                await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")

    async with Fetcher(permitted=lambda address: True, limits=LIMITS) as fetcher, serving(script) as server:
        for _ in range(3):
            result = await fetcher.fetch(FetchOrder(f"http://{HOST}:{server.port}/", server.address))
            assert isinstance(result, Fetched)
            assert result.body == b"good"
            await asyncio.sleep(0.15)
        assert server.connections == 3
