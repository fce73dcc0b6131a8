"""What REDIS_URL may be, and what is said of one that does not work: one line, and nothing secret in it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import ResponseError

from crawler.bus import client
from crawler.bus.client import connect, connect_patiently, unavailable
from crawler.bus.control import Control, RunControl, RunState
from crawler.bus.hosts import Agreed, HostBook
from crawler.bus.names import SharedDnsCache
from crawler.bus.stops import Stop, StopKind
from crawler.errors import FrontierLost, OptionInvalid, RedisUnavailable, VangnetError
from crawler.records import Rejected, RunId
from tests.servers.cluster import redis_cluster
from tests.servers.secured import PASSWORD, SERVER, Secured, secured_redis

needs_server = pytest.mark.skipif(SERVER is None, reason="redis-server is not installed (Debian: redis-server)")


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured_redis(tmp_path_factory.mktemp("secured")) as server:
        yield server


@needs_server
@pytest.mark.parametrize(
    ("url", "error", "said"),
    [
        ("redis://127.0.0.1:{port}/0", OptionInvalid, "demands a password"),
        ("redis://:{other}@127.0.0.1:{port}/0", OptionInvalid, "refuses the user name or the password"),
        ("redis://bob:{password}@127.0.0.1:{port}/0", OptionInvalid, "refuses the user name or the password"),
        ("redis://limited:{password}@127.0.0.1:{port}/0", OptionInvalid, "no permissions"),
        ("rediss://:{password}@127.0.0.1:{tls_port}/0", OptionInvalid, "check the certificate"),
        ("redis://:{password}@127.0.0.1:{tls_port}/0", RedisUnavailable, "check REDIS_URL"),
        ("redis://:{password}@127.0.0.1:{port}/99", OptionInvalid, "DB index is out of range"),
        ("redis://:{password}@127.0.0.1:{port}/0?colour=red", OptionInvalid, "leave out what follows"),
        ("redis://:{password}@127.0.0.1:{port}/0?socket_timeout=long", OptionInvalid, "is no Redis URL"),
        ("http://:{password}@127.0.0.1:{port}/", OptionInvalid, "is no Redis URL"),
        ("redis://:{password}@127.0.0.1:0/0", OptionInvalid, "PORT from 1 to 65535"),
        ("redis://:{password}@127.0.0.1:65536/0", OptionInvalid, "PORT from 1 to 65535"),
        ("redis://127.0.0.1:{password}/0", OptionInvalid, "is no Redis URL"),
        ("redis://:{password}@127.0.0.1:1/0", RedisUnavailable, "check REDIS_URL"),
        ("unix://:{password}@/no/such.sock", RedisUnavailable, "check REDIS_URL"),
    ],
)
async def test_what_does_not_work_is_said_in_one_line(
    secured: Secured, url: str, error: type[VangnetError], said: str
) -> None:
    async with Redis(port=secured.port, password=PASSWORD) as admin:
        await admin.execute_command("ACL", "SETUSER", "limited", "on", f">{PASSWORD}", "~*", "+ping")
    filled = url.format(port=secured.port, tls_port=secured.tls_port, password=PASSWORD, other="another-secret")
    with pytest.raises(VangnetError, match=said) as caught:
        await connect(filled)
    assert type(caught.value) is error
    assert not {PASSWORD, "another-secret", "bob", "\n"} & set(str(caught.value).replace(":", " ").split(" "))


@needs_server
@pytest.mark.parametrize(
    "url",
    [
        "redis://:{password}@127.0.0.1:{port}/0",
        "redis://default:{password}@127.0.0.1:{port}/3",
        "rediss://:{password}@127.0.0.1:{tls_port}/0?ssl_ca_certs={certificate}",
    ],
)
async def test_passwords_databases_and_tls_work(secured: Secured, url: str) -> None:
    filled = url.format(
        port=secured.port, tls_port=secured.tls_port, password=PASSWORD, certificate=secured.certificate
    )
    connected = await connect(filled)
    assert await connected.ping()
    await connected.aclose()


def test_a_command_that_is_not_known_does_not_give_its_arguments_away() -> None:
    error = ResponseError("unknown command 'AUTH', with args beginning with: 'default' 'open-sesame' ")
    assert PASSWORD not in str(unavailable(error))


@needs_server
async def test_a_server_that_is_too_old_is_refused(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_OLDEST", 99)
    with pytest.raises(OptionInvalid, match="too old; it takes Redis 99"):
        await connect(f"redis://:{PASSWORD}@127.0.0.1:{secured.port}/0")


async def test_waiting_for_a_server_ends_when_it_is_asked_to() -> None:
    stop = asyncio.Event()
    waiting = asyncio.create_task(connect_patiently("redis://127.0.0.1:1/0", stop))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    stop.set()
    assert await waiting is None


async def test_waiting_does_not_mend_a_url() -> None:
    with pytest.raises(OptionInvalid):
        await connect_patiently("http://127.0.0.1:1/", asyncio.Event())


@needs_server
async def test_any_node_stands_for_the_whole_cluster(tmp_path: Path) -> None:
    with redis_cluster(tmp_path) as url:
        with pytest.raises(OptionInvalid, match="not allowed in cluster mode"):
            await connect(f"{url}/5")
        cluster = await connect(url)
        assert isinstance(cluster, RedisCluster)
        await control_records(Control(cluster, "t"))
        for address in ("192.0.2.1", "192.0.2.2"):
            agreed = await HostBook(cluster, "t", bytes(16)).agree("a.example", [address])
            assert agreed == Agreed("192.0.2.1")
        for number in range(3):
            await SharedDnsCache(cluster, "t", bytes(16)).put(f"{number}.example", Rejected("dns-nxdomain"), 60.0)
        shared = SharedDnsCache(cluster, "t", bytes(16))
        found = await asyncio.gather(*(shared.get(f"{number}.example") for number in range(3)))
        assert found == [Rejected("dns-nxdomain")] * 3
    # That is a server that does not answer, however the library puts it.
    for _ in range(2):
        with pytest.raises(RedisUnavailable, match="does not answer"):
            await Control(cluster, "t").active()
    await cluster.aclose()


async def control_records(control: Control) -> None:
    """Every control record is written and read once."""
    run = RunId("nightly", 1)
    await control.check_format(3)
    assert await control.agree_partitions(9) == 3
    await control.require_data(await control.number_key())
    await control.announce(RunControl(run, "{}", "ab", bytes(32), 1.5))
    await control.set_state(run, RunState.PAUSED)
    await control.set_seeded(run)
    await control.set_workers(run, [b"k" * 32])
    [marker] = await control.active()
    assert (marker.state, marker.seeded, marker.workers) == (RunState.PAUSED, True, (b"k" * 32,))
    stop = Stop(StopKind.HOST, "a.example", 10.25)
    assert await control.set_stop(stop)
    assert list(await control.stops()) == [stop]
    assert await control.lift_stop(stop)
    await control.retire(run)
    with pytest.raises(FrontierLost):
        await control.require(run)
