from __future__ import annotations

import asyncio
import gzip
import hashlib
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest

from crawler.errors import OptionInvalid
from crawler.fetch.fetcher import Fetcher
from crawler.fetch.limits import FetchLimits
from crawler.records import Fetched, FetchFailed, FetchOrder
from tests.hostile.servers.rawserver import Peer, Script, serving

QUICK = FetchLimits(connect=1, tls=1, header=1, idle=0.5, total=3, min_rate=100, rate_grace=1, keep_alive=2)
SLOW = FetchLimits(connect=60, tls=60, header=60, idle=60, total=60, min_rate=100, rate_grace=60, keep_alive=2)
AT_ONCE = 20.0
"""Seconds. What waits for one of the slow limits takes three times as long; what does not, far less on any machine."""
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
GIF = b"GIF89a" + bytes(600)


def anything(_: str) -> bool:
    return True


def answers(body: bytes = GIF, head: bytes = b"", status: bytes = b"200 OK") -> Script:
    """Answer every request on a kept connection with the same."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, head, len(body), body))

    return script


def writes(*parts: bytes, stall: bool = False) -> Script:
    async def script(peer: Peer) -> None:
        await peer.request()
        for part in parts:
            await peer.send(part)
            await asyncio.sleep(0.02)
        if stall:
            await peer.stall()

    return script


async def ask(script: Script, limits: FetchLimits = QUICK, **order: object) -> Fetched | FetchFailed:
    async with Fetcher(permitted=anything, limits=limits) as fetcher, serving(script) as server:
        return await fetcher.fetch(FetchOrder(f"http://a.example:{server.port}/", server.address, **order))


async def good(script: Script, **order: object) -> Fetched:
    result = await ask(script, **order)
    assert isinstance(result, Fetched), result
    return result


async def failed(script: Script, **order: object) -> FetchFailed:
    result = await ask(script, **order)
    assert isinstance(result, FetchFailed), result
    return result


# ---------------------------------------------------------------- what is sent


async def test_the_request_is_what_the_order_says() -> None:
    async with Fetcher(permitted=anything, limits=QUICK) as fetcher, serving(answers()) as server:
        order = FetchOrder(
            f"http://a.example:{server.port}/x%20y/?q=1&b=%C3%A9",
            server.address,
            (("User-Agent", "Us/1.0"), ("Host", "evil.example"), ("Referer", "http://a.example/é"), ("Accept", "*/*")),
        )
        result = await fetcher.fetch(order)
        assert isinstance(result, Fetched)
        assert server.requests == [
            f"GET /x%20y/?q=1&b=%C3%A9 HTTP/1.1\r\nHost: a.example:{server.port}\r\n"
            "User-Agent: Us/1.0\r\nReferer: http://a.example/é\r\nAccept: */*\r\n\r\n".encode()
        ]


@pytest.mark.parametrize(
    ("url", "address", "headers"),
    [
        ("http://a.example/", "a.example", ()),
        ("http://a.example/", "fe80::1%eth0", ()),
        ("ftp://a.example/", "127.0.0.1", ()),
        ("http://a.example/a b", "127.0.0.1", ()),
        ("http://a.example/\r\nX: y", "127.0.0.1", ()),
        ("http://a.example/é", "127.0.0.1", ()),
        ("http://u:p@a.example/", "127.0.0.1", ()),
        ("nonsense", "127.0.0.1", ()),
        ("http://a.example/", "127.0.0.1", (("X", "a\r\nY: b"),)),
        ("http://a.example/", "127.0.0.1", (("X: a\r\nY", "b"),)),
        ("http://a.example/", "127.0.0.1", (("X", "\ud800"),)),
        ("http://a.example/", "127.0.0.1", (("", "b"),)),
    ],
)
async def test_what_cannot_be_sent_is_refused(url: str, address: str, headers: tuple[tuple[str, str], ...]) -> None:
    async with Fetcher(permitted=anything, limits=QUICK) as fetcher:
        result = await fetcher.fetch(FetchOrder(url, address, headers))
    assert isinstance(result, FetchFailed)
    assert (result.reason, result.retry) == ("invalid-request", False)


async def test_cookies_and_proxies_of_the_environment_play_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")
    script = answers(head=b"Set-Cookie: session=1; Path=/\r\n")
    async with Fetcher(permitted=anything, limits=QUICK) as fetcher, serving(script) as server:
        for _ in range(2):
            result = await fetcher.fetch(FetchOrder(f"http://a.example:{server.port}/", server.address))
            assert isinstance(result, Fetched)
            assert result.header("set-cookie") == "session=1; Path=/"
        assert all(b"Cookie" not in head for head in server.requests)
        assert len(server.requests) == 2


# ---------------------------------------------------------------- where it goes


async def test_the_guard_is_asked_before_anything_is_sent() -> None:
    asked: list[str] = []

    def nothing(address: str) -> bool:
        asked.append(address)
        return False

    async with Fetcher(permitted=nothing, limits=QUICK) as fetcher, serving(answers()) as server:
        result = await fetcher.fetch(FetchOrder(f"http://a.example:{server.port}/", "::ffff:127.0.0.1"))
        assert isinstance(result, FetchFailed)
        assert (result.reason, result.retry) == ("blocked-scope", False)
        assert asked == ["127.0.0.1"]  # what the kernel would have connected to
        assert server.connections == 0


async def test_the_guard_is_asked_again_at_the_socket() -> None:
    verdicts = iter((True, False))
    async with Fetcher(permitted=lambda _: next(verdicts), limits=QUICK) as fetcher, serving(answers()) as server:
        result = await fetcher.fetch(FetchOrder(f"http://a.example:{server.port}/", server.address))
        assert isinstance(result, FetchFailed)
        assert result.reason == "blocked-scope"
        assert server.connections == 0


async def test_a_kept_connection_does_not_outlive_permission() -> None:
    allowed = True
    async with Fetcher(permitted=lambda _: allowed, limits=QUICK) as fetcher, serving(answers()) as server:
        order = FetchOrder(f"http://a.example:{server.port}/", server.address)
        assert isinstance(await fetcher.fetch(order), Fetched)
        allowed = False
        result = await fetcher.fetch(order)
        assert isinstance(result, FetchFailed)
        assert len(server.requests) == 1


async def test_the_host_decides_nothing_about_where_a_request_goes() -> None:
    async with (
        Fetcher(permitted=anything, limits=QUICK) as fetcher,
        serving(answers(b"one"), address="127.0.0.1") as one,
    ):
        # The same port at another address, as it is when a name moves.
        async def other(peer: Peer) -> None:
            await answers(b"two")(peer)

        server = await asyncio.start_server(
            lambda reader, writer: other(Peer(reader, writer, 1)), "127.0.0.2", one.port
        )
        url = f"http://127.0.0.1:{one.port}/"
        bodies = []
        for address in ("127.0.0.1", "127.0.0.2", "127.0.0.1", "127.0.0.2"):
            result = await fetcher.fetch(FetchOrder(url, address))
            assert isinstance(result, Fetched)
            assert result.address == address
            bodies.append(result.body)
        assert bodies == [b"one", b"two", b"one", b"two"]
        assert one.connections == 1  # reused for its own address, and only for that
        await fetcher.close()
        server.close()
        await server.wait_closed()


async def test_hosts_do_not_share_connections() -> None:
    async with Fetcher(permitted=anything, limits=QUICK) as fetcher, serving(answers()) as server:
        for host in ("a.example", "b.example", "a.example"):
            assert isinstance(await fetcher.fetch(FetchOrder(f"http://{host}:{server.port}/", server.address)), Fetched)
        assert server.connections == 2


async def test_ipv6() -> None:
    async with Fetcher(permitted=anything, limits=QUICK) as fetcher, serving(answers(), address="::1") as server:
        result = await fetcher.fetch(FetchOrder(f"http://[::1]:{server.port}/", "0:0:0:0:0:0:0:1"))
        assert isinstance(result, Fetched)
        assert result.address == "::1"
        assert f"Host: [::1]:{server.port}\r\n".encode() in server.requests[0]


async def test_source_addresses_take_turns() -> None:
    peers: list[str] = []

    async def script(peer: Peer) -> None:
        peers.append(peer.writer.get_extra_info("peername")[0])
        await answers()(peer)

    sources = ("127.0.0.5", "127.0.0.6", "::1")
    async with (
        Fetcher(permitted=anything, limits=QUICK, source_addresses=sources) as fetcher,
        serving(script) as server,
    ):
        for host in "abcd":
            await fetcher.fetch(FetchOrder(f"http://{host}.example:{server.port}/", server.address))
    assert sorted(peers) == ["127.0.0.5", "127.0.0.5", "127.0.0.6", "127.0.0.6"]


async def test_a_source_address_that_is_not_ours_is_named() -> None:
    async with (
        Fetcher(permitted=anything, limits=QUICK, source_addresses=("192.0.2.9",)) as fetcher,
        serving(answers()) as server,
    ):
        result = await fetcher.fetch(FetchOrder(f"http://a.example:{server.port}/", server.address))
    assert isinstance(result, FetchFailed)
    assert (result.reason, result.retry) == ("local-address", False)


async def test_options_are_checked() -> None:
    with pytest.raises(OptionInvalid, match="source address"):
        Fetcher(permitted=anything, source_addresses=("eth0",))
    with pytest.raises(OptionInvalid, match="max_sockets"):
        Fetcher(permitted=anything, max_sockets=0)
    with pytest.raises(OptionInvalid, match="header"):
        FetchLimits(header=0)


# ---------------------------------------------------------------- connections


async def test_a_connection_serves_again_and_is_let_go_when_idle() -> None:
    limits = FetchLimits(keep_alive=0.2)
    async with Fetcher(permitted=anything, limits=limits) as fetcher, serving(answers()) as server:
        order = FetchOrder(f"http://a.example:{server.port}/", server.address)
        first = await fetcher.fetch(order)
        second = await fetcher.fetch(order)
        assert isinstance(first, Fetched)
        assert isinstance(second, Fetched)
        assert server.connections == 1
        assert first.timings is not None
        assert second.timings is not None
        assert first.timings.connect > 0.0 == second.timings.connect
        assert fetcher.open_sockets == 1
        await asyncio.sleep(0.5)
        assert fetcher.open_sockets == 0


async def test_sockets_are_bounded_idle_ones_included() -> None:
    async with Fetcher(permitted=anything, limits=QUICK, max_sockets=3) as fetcher, serving(answers()) as server:
        most = 0

        async def one(number: int) -> None:
            nonlocal most
            result = await fetcher.fetch(FetchOrder(f"http://h{number}.example:{server.port}/", server.address))
            assert isinstance(result, Fetched)
            most = max(most, fetcher.open_sockets)

        await asyncio.gather(*(one(number) for number in range(12)))
        assert most == 3


async def test_descriptors_are_bounded_over_very_many_hosts() -> None:
    """What counts is what the system has open, also while connections are being given up and made."""
    most, peers, crowd = 0, 0, 8

    async def script(peer: Peer) -> None:
        nonlocal peers
        peers += 1
        try:
            await answers(bytes(3000))(peer)
        finally:
            peers -= 1

    def sockets() -> int:
        """Of this process: those of the fetcher, of the server, and the loop's own."""
        names = []
        for descriptor in Path("/proc/self/fd").iterdir():
            with suppress(OSError):
                names.append(descriptor.readlink().name)
        return sum(name.startswith("socket:") for name in names)

    async with Fetcher(permitted=anything, limits=QUICK, max_sockets=crowd) as fetcher, serving(script) as server:
        before = sockets()

        async def one(number: int) -> None:
            nonlocal most
            result = await fetcher.fetch(FetchOrder(f"http://h{number}.example:{server.port}/", server.address))
            assert isinstance(result, Fetched | FetchFailed)
            assert fetcher.open_sockets <= crowd
            if number % 10 == 0:
                most = max(most, sockets() - before - peers)

        await asyncio.gather(*(one(number) for number in range(300)))
        assert server.connections == 300
    assert 1 <= most <= 2 * crowd  # those that were given up close with the loop's next turn


async def test_waiting_for_a_socket_counts() -> None:
    script = writes(b"HTTP/1.1 200 OK\r\n", stall=True)
    async with Fetcher(permitted=anything, limits=SLOW, max_sockets=1) as fetcher, serving(script) as server:
        order = FetchOrder(f"http://a.example:{server.port}/", server.address)
        first = asyncio.create_task(fetcher.fetch(order))
        await asyncio.sleep(0.05)
        begun = monotonic()
        late = FetchOrder(order.url, order.address, deadline=begun + 0.2)
        result = await fetcher.fetch(late)
        assert isinstance(result, FetchFailed)
        assert result.reason == "deadline"
        assert monotonic() - begun < AT_ONCE
        assert not first.done()
        await fetcher.close()
        assert isinstance(await first, FetchFailed)
        assert len(server.requests) == 1


async def test_a_connection_that_died_while_idle_is_told_apart() -> None:
    """The server reads a second request and closes: it may have been counted, so it is not silently sent again."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await peer.request()

    async with Fetcher(permitted=anything, limits=QUICK) as fetcher, serving(script) as server:
        order = FetchOrder(f"http://a.example:{server.port}/", server.address)
        assert isinstance(await fetcher.fetch(order), Fetched)
        result = await fetcher.fetch(order)
        assert isinstance(result, FetchFailed)
        assert (result.reason, result.retry) == ("stale-connection", True)
        assert len(server.requests) == 2


async def test_connection_close_is_obeyed() -> None:
    script = writes(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", stall=True)
    async with Fetcher(permitted=anything, limits=QUICK) as fetcher, serving(script) as server:
        assert isinstance(await fetcher.fetch(FetchOrder(f"http://a.example:{server.port}/", server.address)), Fetched)
        assert fetcher.open_sockets == 0


async def test_cancelling_drops_the_connection() -> None:
    script = writes(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", stall=True)
    async with Fetcher(permitted=anything, limits=QUICK) as fetcher, serving(script) as server:
        task = asyncio.create_task(fetcher.fetch(FetchOrder(f"http://a.example:{server.port}/", server.address)))
        await asyncio.sleep(0.1)
        assert fetcher.open_sockets == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert fetcher.open_sockets == 0


async def test_closing_ends_what_is_under_way() -> None:
    script = writes(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", stall=True)
    async with Fetcher(permitted=anything, limits=SLOW) as fetcher, serving(script) as server:
        task = asyncio.create_task(fetcher.fetch(FetchOrder(f"http://a.example:{server.port}/", server.address)))
        await asyncio.sleep(0.1)
        begun = monotonic()
        await fetcher.close()
        assert isinstance(await task, FetchFailed)
        assert monotonic() - begun < AT_ONCE


# ---------------------------------------------------------------- bodies


async def test_a_drawing_that_shows_images_is_read_like_a_page_and_any_other_is_an_image() -> None:
    head = b"Content-Type: image/svg+xml\r\n"
    # The image stands behind what is sniffed.
    shows = b"<svg>" + b"<path d='M0 0'/>" * 99 + b"<image href='data:image/gif;base64,AAAA'/></svg>"
    assert [(await good(answers(body, head))).kind for body in (shows, b"<svg><path/></svg>")] == ["html", "image"]


async def test_an_answer_has_all_its_facts() -> None:
    head = b"Content-Type: image/gif\r\nX-Name: caf\xc3\xa9\r\nX-Old: caf\xe9\r\n"
    result = await good(answers(head=head))
    assert (result.status, result.body, result.kind, result.truncated) == (200, GIF, "image", None)
    assert result.header("x-name") == result.header("x-old") == "café"
    assert result.wire_bytes > len(GIF)
    assert result.timings is not None
    assert result.elapsed == pytest.approx(result.timings.header + result.timings.body)


async def test_any_status_is_an_answer() -> None:
    assert (await good(answers(b"<html>gone</html>", status=b"404 Not Found"))).body == b"<html>gone</html>"
    assert (await good(writes(b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n"))).status == 304


@pytest.mark.parametrize("encoding", [b"gzip", b"x-gzip", b"GZIP"])
async def test_bodies_are_unpacked(encoding: bytes) -> None:
    result = await good(answers(gzip.compress(GIF), b"Content-Encoding: %s\r\n" % encoding))
    assert result.body == GIF


async def test_what_is_not_wanted_is_not_read() -> None:
    film = b"\x00\x00\x00\x18ftypisom" + bytes(600)
    script = writes(b"HTTP/1.1 200 OK\r\nContent-Length: 99000000\r\n\r\n" + film, stall=True)
    begun = monotonic()
    result = await good(script, limits=SLOW)
    assert (result.skipped_body, result.body, result.kind) == ("video", b"", "video")
    assert monotonic() - begun < AT_ONCE


async def test_the_order_says_what_is_wanted() -> None:
    page = b"<html><body>" + b"x" * 600
    assert (await good(answers(page), accept_bodies=frozenset(("image",)))).skipped_body == "html"
    assert (await good(answers(page), accept_bodies=frozenset(("html",)))).body == page


async def test_a_skipped_body_that_has_come_leaves_the_connection_usable() -> None:
    async with Fetcher(permitted=anything, limits=QUICK) as fetcher, serving(answers(b"%PDF-1.4 tiny")) as server:
        for _ in range(2):
            result = await fetcher.fetch(FetchOrder(f"http://a.example:{server.port}/", server.address))
            assert isinstance(result, Fetched)
            assert result.skipped_body == "pdf"
        assert server.connections == 1


async def test_whole_file_digests_without_the_file() -> None:
    film = b"\x00\x00\x00\x18ftypisom" + bytes(90_000)
    result = await good(answers(film), digest_bodies=frozenset(("video",)), max_bytes=1000)
    assert (result.skipped_body, result.body) == ("video", b"")
    assert result.digests is not None
    assert result.digests.sha256 == hashlib.sha256(film).digest()
    assert result.digests.md5 == hashlib.md5(film).digest()
    assert result.digests.sha1 == hashlib.sha1(film).digest()


@pytest.mark.parametrize("packed", [False, True])
async def test_too_large(packed: bool) -> None:
    body = GIF * 10
    script = answers(gzip.compress(body), b"Content-Encoding: gzip\r\n") if packed else answers(body)
    assert (await failed(script, max_bytes=len(body) - 1)).reason == "too-large"
    assert (await good(script, max_bytes=len(body))).body == body


async def test_what_broke_off_can_be_had() -> None:
    script = writes(b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n" + GIF, GIF)
    assert (await failed(script)).reason == "truncated"
    result = await good(script, allow_partial=True)
    assert (result.body, result.truncated, result.kind) == (GIF + GIF, "truncated", "image")


@pytest.mark.parametrize(
    ("parts", "stall", "reason"),
    [
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n" + GIF,), True, "idle-timeout"),
        (
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n25e\r\n" + GIF + b"\r\nzz\r\n",),
            False,
            "malformed-http",
        ),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n25e\r\n" + GIF,), False, "truncated"),
    ],
)
async def test_however_it_broke_off(parts: tuple[bytes, ...], stall: bool, reason: str) -> None:
    result = await good(writes(*parts, stall=stall), allow_partial=True)
    assert (result.body, result.truncated) == (GIF, reason)


async def test_nothing_is_no_partial_body() -> None:
    script = writes(b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n")
    assert (await failed(script, allow_partial=True)).reason == "truncated"


async def test_a_large_body_over_many_packets() -> None:
    body = GIF * 3000
    assert (await good(answers(body))).body == body


async def test_small_chunks() -> None:
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in GIF) + b"0\r\n\r\n"
    result = await good(writes(CHUNKED, chunks))
    assert result.body == GIF


# ---------------------------------------------------------------- redirects and deadlines


@pytest.mark.parametrize(
    ("location", "target"),
    [
        (b"/x", "http://a.example:{port}/x"),
        (b"//b.example/y", "http://b.example/y"),
        (b" https://b.example/z ", "https://b.example/z"),
        (b"caf\xc3\xa9", "http://a.example:{port}/café"),
        (b"caf\xe9", "http://a.example:{port}/café"),
        (b"javascript:alert(1)", "javascript:alert(1)"),
    ],
)
async def test_redirects_are_reported(location: bytes, target: str) -> None:
    script = answers(b"moved", b"Location: %s\r\n" % location, b"302 Found")
    async with Fetcher(permitted=anything, limits=QUICK) as fetcher, serving(script) as server:
        for _ in range(2):
            result = await fetcher.fetch(FetchOrder(f"http://a.example:{server.port}/", server.address))
            assert isinstance(result, Fetched)
            assert result.location == target.format(port=server.port)
            assert result.body == b""
        assert server.connections == 1  # a small body is read to keep the connection
        assert len(server.requests) == 2


async def test_location_means_something_on_redirects_only() -> None:
    assert (await good(answers(head=b"Location: /x\r\n", status=b"201 Created"))).location is None


async def test_the_orders_deadline() -> None:
    begun = monotonic()
    result = await failed(writes(b"HTTP/1.1 200 OK\r\n", stall=True), limits=SLOW, deadline=begun + 0.2)
    assert (result.reason, result.retry) == ("deadline", True)
    assert monotonic() - begun < AT_ONCE


async def test_a_deadline_that_has_passed() -> None:
    result = await failed(writes(b"HTTP/1.1 200 OK\r\n", stall=True), deadline=monotonic() - 1)
    assert result.reason == "deadline"


async def test_a_slow_but_honest_server_is_waited_for() -> None:
    script = writes(
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(GIF), *(bytes((b,)) * 1 for b in GIF[:30]), GIF[30:]
    )
    limits = FetchLimits(idle=0.3, min_rate=10, rate_grace=0.4, total=5)
    async with Fetcher(permitted=anything, limits=limits) as fetcher, serving(script) as server:
        result = await fetcher.fetch(FetchOrder(f"http://a.example:{server.port}/", server.address))
    assert isinstance(result, Fetched)
    assert result.body == GIF


async def test_nobody_but_the_caller_holds_a_body() -> None:
    """So that the bytes of an image are gone when the caller lets go of them, without waiting for the collector."""
    async with Fetcher(permitted=anything, limits=QUICK) as fetcher, serving(answers(GIF * 2)) as server:
        order = FetchOrder(f"http://a.example:{server.port}/", server.address)
        for partial in (False, True):
            script = writes(b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n" + GIF)
            result = await good(script, allow_partial=True) if partial else await fetcher.fetch(order)
            assert isinstance(result, Fetched)
            holders = sys.getrefcount(result.body)
            assert holders == 2  # the record, and the question itself
