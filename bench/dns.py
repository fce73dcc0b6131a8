"""Names a second: our resolver against aiodns asked plainly, both at one local authoritative server, same parallelism.

The server answers from one prepared packet per question in a process of its own, so that it is not what limits. Ours
does more for a name (both families, chains, bounds on the TTL, a cache), and the peer gets both families too. Rows: all
names new; all names known to this process; all names known to another worker, by way of Redis.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import struct
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import aiodns
import uvloop

from bench.report import Result, Row, main, progress, row
from crawler.bus.client import connect
from crawler.bus.names import SharedDnsCache
from crawler.bus.server import embedded_server
from crawler.fetch.dnscache import DnsCache
from crawler.fetch.resolver import DnsTimes, Resolver
from crawler.records import Rejected

NAMES, QUICK_NAMES = 40_000, 4_000
AT_ONCE = 256
ROUNDS = 3
_HEAD = 12


def answer(packet: bytes) -> bytes:
    """127.0.0.1 for questions of type A, no record for others; echoes the question (RFC 1035, 4.1)."""
    end = packet.index(b"\0", _HEAD) + 5
    is_a = packet[end - 4 : end - 2] == b"\0\1"
    head = packet[:2] + b"\x84\x00" + struct.pack(">4H", 1, is_a, 0, 0)
    record = b"\xc0\x0c\0\1\0\1" + struct.pack(">IH", 300, 4) + b"\x7f\0\0\1"
    return head + packet[_HEAD:end] + (record if is_a else b"")


def _serve(told: Connection) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        listening.bind(("127.0.0.1", 0))
        told.send(listening.getsockname()[1])
        while True:
            packet, asker = listening.recvfrom(512)
            listening.sendto(answer(packet), asker)


@contextmanager
def nameserver() -> Iterator[str]:
    """The server, in a process of its own; its ADDRESS:PORT."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield f"127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


async def rate(names: Sequence[str], ask: Callable[[str], Awaitable[object]]) -> float:
    """Names per second of this process's CPU time (the c-ares thread's too) with AT_ONCE of them being asked for.

    Not of wall time: what others do with the machine, and when the server gets its turn, would decide.
    """
    order = iter(names)

    async def work() -> None:
        for name in order:
            await ask(name)

    begun = time.process_time()
    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return len(names) / (time.process_time() - begun)


async def peer(names: Sequence[str], server: str) -> float:
    """aiodns alone: both families of each name, gathered."""
    dns = aiodns.DNSResolver(timeout=5, tries=3)
    dns.nameservers = [server]

    async def ask(name: str) -> None:
        found, _ = await asyncio.gather(*(dns.query_dns(name, kind) for kind in ("A", "AAAA")), return_exceptions=True)
        if isinstance(found, BaseException):
            raise found

    try:
        return await rate(names, ask)
    finally:
        await dns.close()


async def resolved(names: Sequence[str], resolver: Resolver) -> float:
    """Ours; a name without an answer ends the measurement."""

    async def ask(name: str) -> None:
        found = await resolver.resolve(name)
        if isinstance(found, Rejected):
            raise RuntimeError(found.reason)

    return await rate(names, ask)


async def measure(names: Sequence[str], server: str, redis: str) -> dict[str, list[float]]:
    """Every row's rates in each round, with names that are new to it. Ours and the peer take turns."""
    found: dict[str, list[float]] = {"new": [], "peer": [], "known": [], "shared": []}
    client = await connect(redis)
    try:
        for number in range(ROUNDS):
            fresh = [f"r{number}-{name}" for name in names]
            found["peer"].append(await peer(fresh, server))
            async with _resolver(server) as resolver:
                found["new"].append(await resolved(fresh, resolver))
                found["known"].append(await resolved(fresh, resolver))
            async with _resolver(server, cache=_shared(client)) as resolver:
                await resolved(fresh, resolver)
            async with _resolver(server, cache=_shared(client)) as resolver:
                found["shared"].append(await resolved(fresh, resolver))
            progress(f"round {number + 1}: { ({name: round(rates[-1]) for name, rates in found.items()}) }")
    finally:
        await client.aclose()
    return found


def _resolver(server: str, cache: DnsCache | None = None) -> Resolver:
    """With the patience of the peer, for a busy machine is slow to answer."""
    return Resolver([server], times=DnsTimes(timeout=5), tries=3, parallel=AT_ONCE, cache=cache)


def _shared(client: object) -> SharedDnsCache:
    return SharedDnsCache(client, "bench", bytes(16))


def run(quick: bool) -> Result:
    """Median of the rounds."""
    names = [f"n{number}.example" for number in range(QUICK_NAMES if quick else NAMES)]
    with tempfile.TemporaryDirectory() as home, nameserver() as server, embedded_server(Path(home)) as redis:
        found = uvloop.run(measure(names, server, redis.url))
    median = {name: sorted(rates)[ROUNDS // 2] for name, rates in found.items()}
    # Round by round, for both sides of one round met the same machine.
    peers = found["peer"]
    ratios = {name: [ours / theirs for ours, theirs in zip(rates, peers, strict=True)] for name, rates in found.items()}

    def against(what: str, name: str, at_least: float | None) -> Row:
        text = f"{what}, {len(names):,} names{' (quick)' if quick else ''}"
        ratio = sorted(ratios[name])[ROUNDS // 2]
        unit, asked = "names per s of CPU", median["peer"]
        return row(text, median[name], unit, peer=asked, peer_name="aiodns", ratio=ratio, at_least=at_least)

    rows = (
        against("new names, A and AAAA", "new", 0.8),
        against("names that another worker asked for", "shared", 1.0),
        against("names that this worker asked for", "known", 10.0),
    )
    return Result(
        rows, "c-ares' thread that hands every answer to the event loop; for shared names, the client of Redis"
    )


if __name__ == "__main__":
    main(run)
