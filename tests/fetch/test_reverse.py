"""Reverse DNS against a nameserver on loopback: names, none, silence, and what is never asked."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from dnslib import PTR, QTYPE, RR, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSLogger, DNSServer

from crawler.fetch.reverse import ReverseNames

NAMES = {"1.2.0.192.in-addr.arpa": "Web1.Polder.example.", "9.2.0.192.in-addr.arpa": "a b\x1b.example."}
SILENT = "7.2.0.192.in-addr.arpa"


class Pointers(BaseResolver):
    """Knows NAMES, says nothing of SILENT in time, and that the rest does not exist."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        reply = request.reply()
        name = str(request.q.qname).rstrip(".")
        self.asked.append(name)
        if name == SILENT:
            time.sleep(0.6)
        if name in NAMES:
            reply.add_answer(RR(request.q.qname, QTYPE.PTR, rdata=PTR(NAMES[name]), ttl=60))
        else:
            reply.header.rcode = 3
        return reply


@pytest.fixture
def pointers() -> Iterator[tuple[Pointers, str]]:
    resolver = Pointers()
    server = DNSServer(resolver, address="127.0.0.1", port=0, logger=DNSLogger(logf=lambda _: None))
    server.start_thread()
    yield resolver, f"127.0.0.1:{server.server.server_address[1]}"
    server.stop()
    server.server.server_close()


async def test_names_and_no_names(pointers: tuple[Pointers, str]) -> None:
    resolver, nameserver = pointers
    reverse = ReverseNames([nameserver], special=True)
    try:
        found = await reverse.names(["192.0.2.1", "192.0.2.2", "192.0.2.1"])
        assert found == {"192.0.2.1": "web1.polder.example", "192.0.2.2": None}
        await reverse.names(["192.0.2.1"])
        assert len(resolver.asked) == 2, "an answer is kept"
        unprintable = await reverse.names(["192.0.2.9"])
        assert "\x1b" not in (unprintable.get("192.0.2.9") or "")
    finally:
        await reverse.close()


async def test_silence_is_bounded_and_no_answer(pointers: tuple[Pointers, str]) -> None:
    reverse = ReverseNames([pointers[1]], special=True, seconds=0.2)
    started = time.monotonic()
    try:
        assert await reverse.names(["192.0.2.7"]) == {}
        assert time.monotonic() - started < 2
    finally:
        await reverse.close()


async def test_private_addresses_are_never_asked_for(pointers: tuple[Pointers, str]) -> None:
    resolver, nameserver = pointers
    reverse = ReverseNames([nameserver])
    try:
        assert await reverse.names(["127.0.0.1", "192.0.2.1", "10.0.0.1", "::1", "::ffff:192.168.0.1"]) == {}
        assert resolver.asked == []
    finally:
        await reverse.close()
