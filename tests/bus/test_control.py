"""What all processes agree on: states of runs and emergency stops, on a real server."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from redis.asyncio import Redis

from crawler.bus.control import FORMAT, Control, RunControl, RunState
from crawler.bus.stops import Stop, StopKind, Stops
from crawler.errors import FrontierLost, HomeUnusable, RecordCorrupt, RedisUnavailable
from crawler.records import RunId

RUN = RunId("nightly", 1)


async def test_the_state_of_a_run_moves_for_everybody(control: Control) -> None:
    await control.announce(RunControl(RUN, "{}", "ab", bytes(32), 1.5))
    for state in (RunState.PAUSED, RunState.STOPPED, RunState.RUNNING):
        assert await control.set_state(RUN, state)
        assert (await control.require(RUN)).state is state
    await control.retire(RUN)
    with pytest.raises(FrontierLost, match="nightly#1"):
        await control.require(RUN)


async def test_a_run_that_is_gone_is_not_half_made_by_pausing_it(control: Control, client: Redis) -> None:
    assert not await control.set_state(RUN, RunState.PAUSED)
    assert not await control.set_workers(RUN, [bytes(32)])
    await control.set_seeded(RUN)
    assert await client.keys("*") == []
    assert await control.active() == []


async def test_a_marker_is_read_as_it_was_announced(control: Control) -> None:
    marker = RunControl(RUN, "{}", "ab", b"r" * 32, 1.5, workers=(b"a" * 32, b"b" * 32))
    await control.announce(marker)
    await control.set_workers(RUN, {b"d" * 32, b"c" * 32})
    await control.set_seeded(RUN)
    assert await control.require(RUN) == replace(marker, seeded=True, workers=(b"c" * 32, b"d" * 32))


async def test_the_deployment_says_how_many_partitions_there_are(control: Control) -> None:
    assert await control.agree_partitions(3) == 3
    assert await control.agree_partitions(8) == 3
    await control.check_format(3)
    with pytest.raises(HomeUnusable, match=r"has 3 partitions, this process 8; set VANGNET_PARTITIONS=3"):
        await control.check_format(8)


@pytest.mark.parametrize("written", [f"{FORMAT + 1}:1", "1:1", f"{FORMAT}:", f"{FORMAT}:x", "\udcff"])
async def test_another_format_is_refused(control: Control, client: Redis, written: str) -> None:
    await client.set("t:{ctl}:format", written.encode("utf-8", "surrogateescape"))
    for look in (control.check_format, control.agree_partitions):
        with pytest.raises(HomeUnusable, match="with the version that began them, or empty the server"):
            await look(1)


async def test_an_emptied_server_is_noticed_even_when_it_was_used_again(control: Control, client: Redis) -> None:
    key = await control.number_key()
    assert await control.number_key() == key
    await control.require_data(key)
    await client.flushall()
    for _ in range(2):
        with pytest.raises(FrontierLost, match="was emptied or lost its data in mid-crawl"):
            await control.require_data(key)
        await control.number_key()


async def test_stops_are_set_once_and_lifted_once(control: Control) -> None:
    assert list(await control.stops()) == []
    first = Stop(StopKind.HOST, "a.example", 10.25)
    assert await control.set_stop(first)
    assert not await control.set_stop(Stop(StopKind.HOST, "a.example", 20.0))
    assert await control.set_stop(Stop(StopKind.PREFIX, "2001:db8::/32", 11.0))
    assert list(await control.stops()) == [first, Stop(StopKind.PREFIX, "2001:db8::/32", 11.0)]
    assert await control.lift_stop(Stop(StopKind.HOST, "a.example"))
    assert not await control.lift_stop(Stop(StopKind.HOST, "a.example"))
    assert [stop.kind for stop in await control.stops()] == [StopKind.PREFIX]


@pytest.mark.parametrize(
    ("name", "since"), [("planet:earth", "1"), ("prefix:everywhere", "1"), ("all:", "noon"), ("\udcff", "1")]
)
async def test_a_stop_that_cannot_be_read_is_not_passed_over(
    control: Control, client: Redis, name: str, since: str
) -> None:
    await client.hset("t:{ctl}:stops", mapping={name.encode("utf-8", "surrogateescape"): since})
    with pytest.raises(RecordCorrupt, match="emergency stop"):
        await control.stops()


async def test_no_server_is_no_stop(tmp_path: Path) -> None:
    away: Redis = Redis.from_url(f"unix://{tmp_path}/none.sock")
    try:
        with pytest.raises(RedisUnavailable):
            await Control(away, "t").stops()
    finally:
        await away.aclose()


@pytest.mark.parametrize(
    ("stop", "url", "address", "forbidden"),
    [
        (Stop(StopKind.ALL), "http://a.example/", "192.0.2.1", True),
        (Stop(StopKind.HOST, "a.example"), "http://a.example:8080/x", "192.0.2.1", True),
        (Stop(StopKind.HOST, "a.example"), "https://img.a.example/", "192.0.2.1", True),
        (Stop(StopKind.HOST, "a.example"), "http://aa.example/", "192.0.2.1", False),
        (Stop(StopKind.HOST, "a.example"), "http://example/", "192.0.2.1", False),
        (Stop(StopKind.PREFIX, "192.0.2.0/24"), "http://a.example/", "192.0.2.255", True),
        (Stop(StopKind.PREFIX, "192.0.2.0/24"), "http://192.0.3.1/", "192.0.3.1", False),
        (Stop(StopKind.PREFIX, "192.0.2.0/24"), "http://a.example/", "::ffff:192.0.2.1", True),
        (Stop(StopKind.PREFIX, "192.0.2.0/24"), "http://a.example/", "2002:c000:201::1", True),
        (Stop(StopKind.PREFIX, "2002::/16"), "http://a.example/", "2002:c000:201::1", True),
        (Stop(StopKind.PREFIX, "2001:db8::/32"), "http://a.example/", "192.0.2.1", False),
    ],
)
def test_what_a_stop_forbids(stop: Stop, url: str, address: str, forbidden: bool) -> None:
    assert Stops([stop]).forbids(url, address) == (stop.kind if forbidden else None)
    assert Stops().forbids(url, address) is None
