"""What is known of hosts: asked for once, shared by their leases, within bounds."""

from __future__ import annotations

import asyncio
import gc

import pytest

from crawler.bridge import hostmemory
from crawler.bridge.hostmemory import HostMemory
from crawler.bridge.rules import pack_rules, pack_unreachable
from crawler.errors import RedisUnavailable
from crawler.fetch.cookies import Cookie, pack_jar
from crawler.fetch.robots import RobotsRules, parse_robots
from crawler.frontier.base import HostFacts
from crawler.records import Failed, Lease
from tests.bridge.parts import HOST, Frontier, answer, lease

NOW = 1_700_000_000.0
RULES = pack_rules(parse_robots(b"User-agent: *\nDisallow: /x", 200))


async def test_a_hosts_leases_share_what_was_asked_for_once() -> None:
    frontier = Frontier(HostFacts(RULES))
    memory = HostMemory(frontier)
    first, second = await asyncio.gather(*(memory.host(lease()) for _ in range(2)))
    assert first is second
    assert await memory.host(lease(f"{HOST}/other")) is first
    assert isinstance(first.rules, RobotsRules)
    assert frontier.calls["host_facts"] == 1
    assert await memory.host(lease(queue="2:1")) is not first


class Slow(Frontier):
    """Answers when it is told to, and fails the first time if it is to."""

    def __init__(self, fails: bool = False) -> None:
        super().__init__(HostFacts(RULES))
        self.fails = fails
        self.told = asyncio.Event()

    async def host_facts(self, lease: Lease) -> HostFacts:
        facts = await super().host_facts(lease)
        await self.told.wait()
        if self.fails and self.calls["host_facts"] == 1:
            raise RedisUnavailable("away")
        return facts


async def test_who_asked_first_may_be_broken_off_without_the_others() -> None:
    frontier = Slow()
    memory = HostMemory(frontier)
    first, second = [asyncio.create_task(memory.host(lease())) for _ in range(2)]
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    frontier.told.set()
    assert isinstance((await second).rules, RobotsRules)
    assert (first.cancelled(), frontier.calls["host_facts"], memory._asking) == (True, 1, {})


async def test_a_frontier_that_is_away_is_away_for_all_who_wait_and_is_asked_again() -> None:
    frontier = Slow(fails=True)
    memory = HostMemory(frontier)
    waiting = [asyncio.create_task(memory.host(lease())) for _ in range(3)]
    await asyncio.sleep(0)
    frontier.told.set()
    told = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in told] == [RedisUnavailable] * 3
    assert isinstance((await memory.host(lease())).rules, RobotsRules)
    assert frontier.calls["host_facts"] == 2


async def test_a_cookie_is_there_for_the_next_request_and_for_the_frontier() -> None:
    host = await HostMemory(Frontier()).host(lease())
    assert host.learn(answer(200), NOW) is None
    session = host.learn(answer(200, "a=1", "b=2"), NOW)
    assert session is not None
    assert host.cookies(f"{HOST}/y", NOW) == (("a", "1"), ("b", "2"))
    assert host.learn(answer(200, "a=1"), NOW) is None
    again = await HostMemory(Frontier(HostFacts(RULES, session))).host(lease())
    assert again.cookies(f"{HOST}/y", NOW) == (("a", "1"), ("b", "2"))


async def test_a_host_whose_facts_changed_is_asked_for_again() -> None:
    frontier = Frontier(HostFacts(RULES))
    memory = HostMemory(frontier)
    before = await memory.host(lease(queue="1:1"))
    frontier.facts = HostFacts(RULES, pack_jar((Cookie("a", "1"),)))
    after = await memory.host(lease(queue="1:2"))
    assert (before.jar, after.jar) == ((), (Cookie("a", "1"),))
    assert before.rules is after.rules


async def test_what_is_damaged_is_no_permission_and_no_session() -> None:
    host = await HostMemory(Frontier(HostFacts(b"rubbish", b"rubbish"))).host(lease())
    assert host.rules == Failed("robots-corrupt")
    assert host.jar == ()
    none = await HostMemory(Frontier(HostFacts(None))).host(lease())
    assert (none.rules, none.jar) == (None, ())
    unreachable = await HostMemory(Frontier(HostFacts(pack_unreachable("reset")))).host(lease())
    assert unreachable.rules == Failed("reset")


async def test_equal_rules_are_parsed_once() -> None:
    memory = HostMemory(Frontier(HostFacts(RULES)))
    first, second = [await memory.host(lease(queue=f"{n}:1")) for n in range(2)]
    assert first.rules is second.rules


async def test_the_memory_is_bounded_in_hosts_and_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    frontier = Frontier(HostFacts(RULES))
    memory = HostMemory(frontier)

    async def asked(queues: range) -> int:
        before = frontier.calls["host_facts"]
        for n in queues:
            await memory.host(lease(queue=f"{n}:1"))
        return frontier.calls["host_facts"] - before

    monkeypatch.setattr(hostmemory, "MAX_HOSTS", 4)
    assert await asked(range(5)) == 5
    assert await asked(range(1, 5)) == 0
    assert await asked(range(1)) == 1
    monkeypatch.setattr(hostmemory, "MAX_BYTES", 2 * len(RULES))
    assert await asked(range(5, 8)) == 3
    assert await asked(range(6, 8)) == 0
    assert await asked(range(5, 6)) == 1
    monkeypatch.setattr(hostmemory, "MAX_BYTES", 0)
    assert await asked(range(8, 9)) == 1
    assert await asked(range(8, 9)) == 0
    gc.collect()
    assert len(memory._parsed) == 1


async def test_sessions_stand_in_no_repr() -> None:
    host = await HostMemory(Frontier(HostFacts(RULES))).host(lease())
    host.learn(answer(200, "secret=secret"), NOW)
    assert "secret" not in repr(host)
