from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import cast

import pytest
from dnslib import AAAA, CNAME, QTYPE, RCODE, RR, A, DNSRecord

from crawler.errors import OptionInvalid
from crawler.fetch.dnscache import MemoryDnsCache, Resolved
from crawler.fetch.resolver import DnsTimes, Resolver
from crawler.records import Rejected

QUICK = DnsTimes(timeout=0.2)
Zone = Callable[[str, str], list[RR] | int | None]


class Nameserver(asyncio.DatagramProtocol):
    """Answers from `zone(name, type)`: records, an RCODE, or None for silence."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.asked: list[tuple[str, str]] = []
        self.address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        question = DNSRecord.parse(data)
        name, kind = str(question.q.qname).rstrip(".").lower(), QTYPE[question.q.qtype]
        self.asked.append((name, kind))
        answer = self.zone(name, kind)
        if answer is None:
            return
        reply = question.reply()
        if isinstance(answer, int):
            reply.header.rcode = answer
        else:
            for record in answer:
                reply.add_answer(record)
        self.transport.sendto(reply.pack(), addr)


@contextlib.asynccontextmanager
async def nameserver(zone: Zone) -> AsyncIterator[Nameserver]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: Nameserver(zone), ("127.0.0.1", 0))
    server.address = "{}:{}".format(*transport.get_extra_info("sockname")[:2])
    try:
        yield server
    finally:
        transport.close()


def a(name: str, *addresses: str, ttl: int = 300) -> list[RR]:
    return [RR(name, QTYPE.A, rdata=A(address), ttl=ttl) for address in addresses]


def aaaa(name: str, address: str) -> list[RR]:
    return [RR(name, QTYPE.AAAA, rdata=AAAA(address), ttl=90)]


def alias(name: str, target: str, ttl: int = 300) -> RR:
    return RR(name, QTYPE.CNAME, rdata=CNAME(target), ttl=ttl)


def everything(name: str, kind: str) -> list[RR] | int | None:
    v4 = kind == "A"
    match name:
        case "both.example":
            return (
                a(name, "192.0.2.9", "192.0.2.1") if v4 else [RR(name, QTYPE.AAAA, rdata=AAAA("2001:db8::1"), ttl=90)]
            )
        case "mapped.example":
            return [] if v4 else aaaa(name, "::ffff:a00:1")
        case "short.example":
            return a(name, "192.0.2.1", ttl=0) if v4 else []
        case "long.example":
            return a(name, "192.0.2.1", ttl=2_000_000) if v4 else []
        case "chain.example":
            chain = [alias(name, "x.example", 500), alias("x.example", "y.example", 70)]
            return chain + (a("y.example", "10.0.0.7") if v4 else [])
        case "loop.example":
            return [alias(name, "other.example"), alias("other.example", name)]
        case "stray.example":
            return a("unrelated.example", "192.0.2.66") if v4 else []
        case "empty.example":
            return []
        case "servfail.example":
            return RCODE.SERVFAIL
        case "refused.example":
            return RCODE.REFUSED
        case "silent.example":
            return None
        case "half.example":
            return a(name, "192.0.2.5", ttl=5000) if v4 else RCODE.SERVFAIL
        case "unsure.example":
            return [] if v4 else RCODE.SERVFAIL
    return RCODE.NXDOMAIN


async def resolve(host: str) -> Resolved | Rejected:
    async with nameserver(everything) as server, Resolver([server.address], times=QUICK, tries=1) as resolver:
        return await resolver.resolve(host)


async def test_both_families_in_a_stable_order() -> None:
    answer = await resolve("both.example")
    assert answer == Resolved(("192.0.2.1", "192.0.2.9", "2001:db8::1"), (), 90.0)


async def test_addresses_are_canonical() -> None:
    assert await resolve("mapped.example") == Resolved(("10.0.0.1",), (), 90.0)


@pytest.mark.parametrize(("host", "ttl"), [("short.example", 60.0), ("long.example", 86_400.0)])
async def test_ttl_has_a_floor_and_a_ceiling(host: str, ttl: float) -> None:
    assert await resolve(host) == Resolved(("192.0.2.1",), (), ttl)


async def test_the_chain_of_names_is_told() -> None:
    assert await resolve("chain.example") == Resolved(("10.0.0.7",), ("x.example", "y.example"), 70.0)


async def test_half_an_answer_is_asked_for_again_soon() -> None:
    assert await resolve("half.example") == Resolved(("192.0.2.5",), (), 60.0)


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("gone.example", "dns-nxdomain"),
        ("empty.example", "dns-no-address"),
        ("stray.example", "dns-no-address"),
        ("loop.example", "dns-no-address"),
        ("servfail.example", "dns-servfail"),
        ("unsure.example", "dns-servfail"),
        ("refused.example", "dns-refused"),
        ("silent.example", "dns-timeout"),
        ("a..example", "dns-bad-name"),
        ("a b.example", "dns-bad-name"),
        ("", "dns-bad-name"),
        ("x" * 64 + ".example", "dns-bad-name"),
        (".".join(["abcdefghi"] * 26), "dns-bad-name"),
    ],
)
async def test_what_went_wrong(host: str, reason: str) -> None:
    answer = await resolve(host)
    assert isinstance(answer, Rejected)
    assert answer.reason == reason


@pytest.mark.parametrize(
    ("host", "address"),
    [("192.0.2.1", "192.0.2.1"), ("[2001:DB8::0]", "2001:db8::"), ("::ffff:127.0.0.1", "127.0.0.1")],
)
async def test_literals_are_not_asked_for(host: str, address: str) -> None:
    async with nameserver(everything) as server, Resolver([server.address]) as resolver:
        answer = await resolver.resolve(host)
        assert isinstance(answer, Resolved)
        assert answer.addresses == (address,)
        assert server.asked == []


async def test_the_next_nameserver_is_tried() -> None:
    async with (
        nameserver(lambda *_: None) as silent,
        nameserver(lambda *_: RCODE.REFUSED) as refusing,
        nameserver(lambda *_: RCODE.SERVFAIL) as failing,
        nameserver(everything) as good,
        Resolver([silent.address, refusing.address, failing.address, good.address], times=QUICK) as resolver,
    ):
        answer = await resolver.resolve("long.example")
        assert isinstance(answer, Resolved)
        assert silent.asked


async def test_a_nameserver_that_is_down() -> None:
    async with nameserver(everything) as server:
        address = server.address
    async with Resolver([address], times=QUICK, tries=1) as resolver:
        answer = await resolver.resolve("both.example")
    assert isinstance(answer, Rejected)
    assert answer.reason in ("dns-unreachable", "dns-timeout")


async def test_answers_are_kept_also_negative_ones() -> None:
    async with nameserver(everything) as server, Resolver([server.address], times=QUICK) as resolver:
        for host in ("both.example", "gone.example", "servfail.example"):
            first = await resolver.resolve(host)
            asked = len(server.asked)
            assert await resolver.resolve(f"{host}.") == first  # a trailing dot names the same
            assert len(server.asked) == asked


async def test_one_question_for_many_askers() -> None:
    async with nameserver(everything) as server, Resolver([server.address], times=QUICK) as resolver:
        answers = await asyncio.gather(*(resolver.resolve("both.example") for _ in range(50)))
        assert len(set(answers)) == 1
        assert sorted(server.asked) == [("both.example", "A"), ("both.example", "AAAA")]


async def test_an_asker_who_leaves_takes_nobody_along() -> None:
    async with nameserver(everything) as server, Resolver([server.address], times=QUICK) as resolver:
        first = asyncio.create_task(resolver.resolve("both.example"))
        second = asyncio.create_task(resolver.resolve("both.example"))
        await asyncio.sleep(0)
        first.cancel()
        assert isinstance(await second, Resolved)


async def test_parallelism_is_bounded() -> None:
    waiting = 0
    most = 0

    class Slow(MemoryDnsCache):
        async def put(self, host: str, answer: Resolved | Rejected, ttl: float) -> None:
            await super().put(host, answer, ttl)

    async with (
        nameserver(everything) as server,
        Resolver([server.address], times=QUICK, parallel=2, cache=Slow()) as resolver,
    ):
        real = resolver._dns.query_dns

        def counted(host: str, kind: str) -> asyncio.Future[object]:
            nonlocal waiting, most
            waiting += 1
            most = max(most, waiting)
            future = real(host, kind)

            def done(_: object) -> None:
                nonlocal waiting
                waiting -= 1

            future.add_done_callback(done)
            return future

        resolver._dns.query_dns = counted
        await asyncio.gather(*(resolver.resolve(f"n{number}.example") for number in range(20)))
    assert most == 4  # two names, two families each


async def test_another_cache_can_be_given() -> None:
    class Shared:
        def __init__(self) -> None:
            self.kept: dict[str, tuple[Resolved | Rejected, float]] = {}

        async def get(self, host: str) -> Resolved | Rejected | None:
            return self.kept[host][0] if host in self.kept else None

        async def put(self, host: str, answer: Resolved | Rejected, ttl: float) -> None:
            self.kept[host] = (answer, ttl)

    shared = Shared()
    async with nameserver(everything) as server, Resolver([server.address], cache=shared, times=QUICK) as resolver:
        for host in ("both.example", "gone.example", "refused.example"):
            await resolver.resolve(host)
    assert [ttl for _, ttl in shared.kept.values()] == [90.0, 300.0, 30.0]


async def test_memory_cache() -> None:
    now = 0.0
    cache = MemoryDnsCache(most=2, now=lambda: now)
    for host in ("a", "b", "c"):
        await cache.put(host, Resolved((host,)), 10.0)
    assert await cache.get("a") is None  # pushed out
    assert await cache.get("b") == Resolved(("b",))
    await cache.put("d", Rejected("dns-nxdomain"), 10.0)
    assert await cache.get("c") is None  # b was used more recently
    now = 10.0
    assert await cache.get("b") is None
    assert await cache.get("d") is None


async def test_closing_with_questions_open() -> None:
    async with nameserver(lambda *_: None) as server:
        resolver = Resolver([server.address])
        task = asyncio.create_task(resolver.resolve("both.example"))
        await asyncio.sleep(0.05)
        await resolver.close()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("text", ["dns.example", "127.0.0.1:0", "127.0.0.1:99999", "", "1.2.3", "::1:", "fe80::1%eth0"])
async def test_nameservers_are_checked(text: str) -> None:
    with pytest.raises(OptionInvalid, match="nameserver"):
        Resolver([text])


@pytest.mark.parametrize("text", ["127.0.0.1", "127.0.0.1:5353", "[::1]:5353", "[::1]", "::1", " 127.0.0.1 "])
async def test_nameservers_in_every_form(text: str) -> None:
    async with Resolver([text]):
        pass


async def test_a_fresh_answer_is_asked_for_whatever_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crawler.fetch.resolver._RENEWED", 0.0)
    addresses = ["192.0.2.1", "192.0.2.2"]

    def moving(name: str, kind: str) -> list[RR] | int | None:
        return a(name, addresses[0], ttl=86_400) if kind == "A" else []

    async with nameserver(moving) as server, Resolver([server.address], times=QUICK) as resolver:
        assert (await resolver.resolve("a.example")) == Resolved(("192.0.2.1",), (), 86_400.0)
        del addresses[0]
        assert (await resolver.resolve("a.example")) == Resolved(("192.0.2.1",), (), 86_400.0)
        assert (await resolver.resolve("a.example", fresh=True)) == Resolved(("192.0.2.2",), (), 86_400.0)
        assert (await resolver.resolve("a.example")) == Resolved(("192.0.2.2",), (), 86_400.0)
