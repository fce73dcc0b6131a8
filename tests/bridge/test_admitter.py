"""What the admitter makes of candidates: domains, context classes, budgets, and names that the DNS cannot tell yet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from crawler.bridge import places
from crawler.bridge.admitter import Admitter
from crawler.bridge.pointers import Pointers
from crawler.campaign import Campaign, parse_campaign
from crawler.errors import RedisUnavailable
from crawler.fetch.dnscache import Resolved
from crawler.fetch.failures import FAILURES
from crawler.frontier.base import Admission, Judged, StreamEntry
from crawler.frontier.codec import pack_discovered
from crawler.recheck.outcome import PAGE_DEPTH
from crawler.records import AddressFacts, Candidate, Discovered, Kind, Rejected, RunId
from crawler.scope import Scope
from crawler.urls import url_number
from tests.bridge.parts import places_in

RUN = RunId("c", 1)
KEY = b"k" * 16
HERE = "127.10.0.1"
ELSEWHERE = "198.51.100.1"
FILE = """
[campaign]
name = "c"
purpose = "test"
legal_basis = "none"
authorised_by = "the test"
valid_until = 2099-01-01
[scope]
prefixes = ["127.0.0.0/8"]
exclude_domains = ["never.example"]
[seeds]
urls = ["http://a.example/"]
[limits]
max_depth = 2
max_urls_per_host = 30
max_urls_per_domain = 300
[network]
allow_private = true
"""


@dataclass
class Stream:
    """As much of a frontier as an admitter asks for."""

    waiting: list[StreamEntry] = field(default_factory=list)
    admitted: list[Admission] = field(default_factory=list)
    discarded: dict[str, int] = field(default_factory=dict)

    async def discoveries(self, n: int) -> list[StreamEntry]:
        taken, self.waiting = self.waiting[:n], self.waiting[n:]
        return taken

    async def admit(self, admissions: list[Admission]) -> None:
        self.admitted += admissions

    async def discard(self, entries: list[StreamEntry], reason: str) -> None:
        self.discarded[reason] = self.discarded.get(reason, 0) + len(entries)


Zone = Callable[[str], Resolved | Rejected | None]


@dataclass
class Names:
    """Answers from `zone(host)`; None: takes for ever."""

    zone: Zone
    asked: list[str] = field(default_factory=list)

    async def resolve(self, host: str) -> Resolved | Rejected:
        self.asked.append(host)
        answer = self.zone(host)
        if answer is None:
            await asyncio.Event().wait()
        assert answer is not None
        return answer


class NoTable:
    def lookup(self, address: str) -> AddressFacts:
        return AddressFacts()


def here(host: str) -> Resolved:
    return Resolved((HERE,))


@dataclass
class Bench:
    """An admitter with everything around it that it needs."""

    stream: Stream
    names: Names
    admitter: Admitter

    async def admit(self, *found: Discovered | bytes) -> list[Admission]:
        """What becomes of these entries, in one batch."""
        for number, each in enumerate(found):
            payload = each if isinstance(each, bytes) else pack_discovered(each)
            self.stream.waiting.append(StreamEntry(0, str(number), RUN, payload))
        before = len(self.stream.admitted)
        read, admissions = await self.admitter.judge()
        assert read == len(found)
        if admissions:
            await self.admitter.admit(admissions)
        return self.stream.admitted[before:]

    async def judge(self, found: Discovered) -> list[Judged]:
        (admission,) = await self.admit(found)
        return list(admission.urls)


@pytest.fixture
def campaign() -> Campaign:
    return parse_campaign(FILE, "c.toml", lab=True)


@pytest.fixture
def bench(campaign: Campaign) -> Callable[..., Bench]:
    def make(zone: Zone = here) -> Bench:
        stream, names = Stream(), Names(zone)
        pointers = Pointers(campaign, names, Mock())
        scope = Scope(campaign, NoTable())
        served = SimpleNamespace(run=RUN, campaign=campaign, scope=scope, resolver=names, pointers=pointers)
        runs = SimpleNamespace(get={RUN: served}.get)
        return Bench(stream, names, Admitter(stream, runs, places_in(stream), KEY))

    return make


def page(*urls: str, kind: Kind = Kind.PAGE, **more: object) -> Discovered:
    return Discovered(tuple(Candidate(url, kind, "a", 5) for url in urls), **more)


def images(*urls: str, shown_by: str | None) -> Discovered:
    return page(*urls, kind=Kind.IMAGE, referrer=shown_by)


async def test_a_judged_url_has_the_registered_domain_of_its_host(bench: Callable[..., Bench]) -> None:
    urls = {
        "http://a.b.example.nl/": "example.nl",
        "http://example.nl/": "example.nl",
        "http://someone.github.io/": "someone.github.io",
        f"http://{HERE}/": "",
    }
    judged = await bench().judge(page(*urls))
    assert {each.candidate.url: each.domain for each in judged} == urls
    assert [each.host for each in judged] == ["a.b.example.nl", "example.nl", "someone.github.io", HERE]
    assert {each.address for each in judged} == {HERE}


async def test_the_campaigns_budgets_go_with_the_admission(bench: Callable[..., Bench]) -> None:
    (admission,) = await bench().admit(page("http://a.example/"))
    assert (admission.urls_per_host, admission.urls_per_domain) == (30, 300)
    assert put_off(admission) is None


@pytest.mark.parametrize(
    ("shown_by", "context"),
    [
        ("http://www.gallery.nl/album", 0),
        ("http://gallery.nl/", 0),
        ("http://forum.nl/topic", 1),
        (f"http://{HERE}/", 1),
        (None, 1),
    ],
)
async def test_an_images_context_says_whether_a_page_of_its_domain_showed_it(
    bench: Callable[..., Bench], shown_by: str | None, context: int
) -> None:
    url = "http://img.gallery.nl/1.jpg"
    (judged,) = await bench().judge(images(url, shown_by=shown_by))
    assert judged.context == context
    assert judged.number == url_number(url, context, KEY)


async def test_an_address_is_its_own_domain(bench: Callable[..., Bench]) -> None:
    (own,) = await bench().judge(images(f"http://{HERE}:8080/1.jpg", shown_by=f"http://{HERE}/"))
    (other,) = await bench().judge(images(f"http://{HERE}/1.jpg", shown_by="http://127.10.0.2/"))
    assert (own.context, other.context) == (0, 1)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.IMAGE])
@pytest.mark.parametrize("shown_by", [None, "http://forum.nl/topic"])
async def test_all_but_images_have_one_context(bench: Callable[..., Bench], kind: Kind, shown_by: str | None) -> None:
    (judged,) = await bench().judge(page("http://gallery.nl/", kind=kind, referrer=shown_by))
    assert judged.context == 0
    assert judged.number == url_number("http://gallery.nl/", 0, KEY)


async def test_a_page_is_looked_at_although_it_is_visited_itself(bench: Callable[..., Bench]) -> None:
    made, url = bench(), "http://gallery.nl/album"
    asked = [
        page(url, kind=Kind.RECHECK, depth=depth, via=via)
        for depth in (0, PAGE_DEPTH)
        for via in ((), ("http://a.nl/",))
    ]
    numbers = {(await made.judge(found))[0].number for found in (*asked, *asked)}
    assert len(numbers) == len(asked)
    # What moves to another address keeps its number.
    moved = [replace(found, moved=True) for found in asked]
    assert {(await made.judge(found))[0].number for found in moved} == numbers


async def test_a_skipped_url_has_domain_and_context_as_well(bench: Callable[..., Bench]) -> None:
    made = bench(lambda _: Resolved((ELSEWHERE,)))
    (judged,) = await made.judge(images("http://img.gallery.nl/1.jpg", shown_by="http://forum.nl/"))
    assert (judged.skip, judged.domain, judged.context) == ("out-of-scope", "gallery.nl", 1)
    assert (judged.address, judged.politeness) == (None, None)


def put_off(admission: Admission) -> Discovered | None:
    """What comes back later."""
    return admission.put_off([url for url in admission.urls if url.later])


PASSING = sorted(name for name, each in FAILURES.items() if name.startswith("dns-") and each.retry)
LASTING = sorted(name for name, each in FAILURES.items() if name.startswith("dns-") and not each.retry)


@pytest.mark.parametrize("reason", LASTING)
async def test_a_name_that_does_not_exist_is_skipped_at_once(bench: Callable[..., Bench], reason: str) -> None:
    (admission,) = await bench(lambda _: Rejected(reason)).admit(page("http://gone.example/"))
    assert [each.skip for each in admission.urls] == [reason]
    assert put_off(admission) is None


@pytest.mark.parametrize("reason", PASSING)
async def test_dns_trouble_is_no_verdict_until_it_lasts(bench: Callable[..., Bench], reason: str) -> None:
    made = bench(lambda _: Rejected(reason))
    found: Discovered | None = page(
        "http://away.example/", depth=1, referrer="http://a.example/", via=("http://x.nl/",)
    )
    waits = []
    for tries in range(3):
        assert found is not None
        (admission,) = await made.admit(found)
        waits.append(admission.after)
        assert put_off(admission) == replace(found, tries=tries + 1)
        found = put_off(admission)
    assert waits == [5.0, 30.0, 120.0]
    assert found is not None
    (admission,) = await made.admit(found)
    assert [each.skip for each in admission.urls] == [reason]
    assert (put_off(admission), admission.after) == (None, 0.0)


async def test_what_can_be_judged_does_not_wait_for_what_cannot(bench: Callable[..., Bench]) -> None:
    def zone(host: str) -> Resolved | Rejected:
        return Rejected("dns-servfail") if host.startswith("away") else here(host)

    urls = ["http://a.example/", "http://away.example/1", "http://never.example/", "http://away.example/2"]
    (admission,) = await bench(zone).admit(page(*urls, referrer="http://a.example/"))
    now = [(each.candidate.url, each.skip) for each in admission.urls if not each.later]
    assert now == [(urls[0], None), (urls[2], "out-of-scope")]
    assert put_off(admission) == page(urls[1], urls[3], referrer="http://a.example/", tries=1)
    assert admission.after == 5.0


async def test_what_is_too_deep_waits_for_no_name(bench: Callable[..., Bench]) -> None:
    (admission,) = await bench(lambda _: Rejected("dns-timeout")).admit(page("http://away.example/", depth=3))
    assert [each.skip for each in admission.urls] == ["depth"]
    assert put_off(admission) is None


async def test_a_slow_name_does_not_hold_up_the_batch(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "_SLOW", 0.01)
    made = bench(lambda host: None if host == "slow.example" else here(host))
    quick, slow = await made.admit(page("http://a.example/"), page("http://slow.example/"))
    assert [each.address for each in quick.urls] == [HERE]
    assert ([each.later for each in slow.urls], slow.after) == ([True], 5.0)
    made.stream.waiting.append(StreamEntry(0, "9", RUN, pack_discovered(page("http://slow.example/", tries=3))))
    with pytest.raises(TimeoutError):  # the last time it gets as long as it takes
        await asyncio.wait_for(made.admitter.judge(), 0.1)


async def test_the_patience_is_shared_out(bench: Callable[..., Bench], campaign: Campaign) -> None:
    made = bench(lambda _: Rejected("dns-timeout"))
    made.admitter = Admitter(made.stream, made.admitter._runs, places_in(made.stream), KEY, patience=3.1)
    waits = [(await made.admit(page("http://away.example/", tries=tries)))[0].after for tries in range(3)]
    assert waits == pytest.approx([0.1, 0.6, 2.4])


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x01\xc1",
        pack_discovered(page("not canonical")),
        pack_discovered(page("http://a.example/", referrer="x")),
    ],
)
async def test_an_entry_that_cannot_be_read_is_counted_and_stops_nobody(
    bench: Callable[..., Bench], payload: bytes
) -> None:
    made = bench()
    (admission,) = await made.admit(payload, page("http://a.example/"))
    assert [each.address for each in admission.urls] == [HERE]
    assert made.stream.discarded == {"corrupt-discoveries": 1}


@dataclass
class Slow(Stream):
    """A frontier that takes one entry at a time, and writes when it is let to. failing: how many writes fail first."""

    failing: int = 0
    begun: list[str] = field(default_factory=list)
    let: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    async def discoveries(self, n: int) -> list[StreamEntry]:
        return await super().discoveries(1)

    async def admit(self, admissions: list[Admission]) -> None:
        self.begun += [admission.entry.number for admission in admissions]
        await self.let.acquire()
        if self.failing:
            self.failing -= 1
            raise RedisUnavailable("gone")
        await super().admit(admissions)


@asynccontextmanager
async def admitting(bench: Callable[..., Bench], failing: int = 0) -> AsyncIterator[tuple[Slow, Names]]:
    """An admitter at work on three entries, of hosts a, b and c."""
    made, slow = bench(), Slow(failing=failing)
    for number, host in enumerate("abc"):
        slow.waiting.append(StreamEntry(0, str(number), RUN, pack_discovered(page(f"http://{host}.example/"))))
    admitter = Admitter(slow, made.admitter._runs, places_in(slow), KEY)
    working = asyncio.create_task(admitter.run())
    yield slow, made.names
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    assert len(asyncio.all_tasks()) == 1


async def reached(condition: Callable[[], bool]) -> None:
    for _ in range(5000):
        if condition():
            return
        await asyncio.sleep(0.001)
    pytest.fail("it did not come to that")


async def test_one_batch_is_judged_while_another_is_written(bench: Callable[..., Bench]) -> None:
    async with admitting(bench) as (slow, names):
        await reached(lambda: names.asked == ["a.example", "b.example"])
        await asyncio.sleep(0.02)
        assert (slow.begun, len(slow.waiting)) == (["0"], 1)
        slow.let.release()
        await reached(lambda: slow.begun == ["0", "1"] and names.asked[2:] == ["c.example"])


async def test_a_batch_that_was_not_written_holds_nothing_up(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crawler.bridge.admitter._PAUSE", 0.001)
    async with admitting(bench, failing=1) as (slow, _):
        for _ in range(3):
            slow.let.release()
        await reached(lambda: [admission.entry.number for admission in slow.admitted] == ["1", "2"])
        assert slow.begun == ["0", "1", "2"]
