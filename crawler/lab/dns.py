"""The lab's DNS server: authoritative for everything, over UDP and TCP on one port (RFC 1035, by dnslib)."""

from __future__ import annotations

import asyncio
import struct
from typing import cast

from dnslib import AAAA, CNAME, QTYPE, RCODE, RR, A, DNSError, DNSRecord

from crawler.lab.log import RequestLog
from crawler.lab.plan import Answer

ALIASES = 8


class NameServer:
    """Answers from a table of names; NXDOMAIN for others. Every question is counted by its name."""

    def __init__(self, names: dict[str, Answer], log: RequestLog) -> None:
        self._names = names
        self._log = log

    async def start(self, address: str) -> int:
        """Listen at `address` on a free port; returns the port."""
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._over_tcp, address, 0)
        port = int(server.sockets[0].getsockname()[1])
        await loop.create_datagram_endpoint(lambda: _OverUdp(self), local_addr=(address, port))
        return port

    def answer(self, packet: bytes) -> bytes | None:
        """The reply to a packet, None for what is no question."""
        try:
            query = DNSRecord.parse(packet)
        except DNSError:
            return None
        if not query.questions:
            return None
        name, kind = str(query.q.qname).rstrip(".").lower(), QTYPE[query.q.qtype]
        self._log.asked(name)
        reply = query.reply()
        reply.header.rcode = self._fill(reply, name, kind)
        return bytes(reply.pack())

    def _fill(self, reply: DNSRecord, name: str, kind: str) -> int:
        for _ in range(ALIASES):
            found = self._names.get(name)
            if found is None:
                return int(RCODE.NXDOMAIN)
            if found.cname is None:
                break
            reply.add_answer(RR(name, QTYPE.CNAME, rdata=CNAME(found.cname), ttl=found.ttl))
            name = found.cname
        else:
            return int(RCODE.NOERROR)
        for address in found.addresses:
            family = "AAAA" if ":" in address else "A"
            if kind in (family, "ANY"):
                data = AAAA(address) if family == "AAAA" else A(address)
                reply.add_answer(RR(name, getattr(QTYPE, family), rdata=data, ttl=found.ttl))
        return found.rcode

    async def _over_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                (length,) = struct.unpack(">H", await reader.readexactly(2))
                reply = self.answer(await reader.readexactly(length))
                if reply is None:
                    break
                writer.write(struct.pack(">H", len(reply)) + reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client went away, which ends a connection like any other way
        finally:
            writer.close()


class _OverUdp(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | int, int]) -> None:
        reply = self._server.answer(data)
        if reply is not None:
            self._transport.sendto(reply, addr)
