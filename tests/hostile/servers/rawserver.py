"""Servers on loopback that write what a script says, byte for byte, and count what reaches them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field


@dataclass
class Peer:
    """One connection, as a script sees it. number: connections to this server so far, from 1."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int
    seen: list[bytes] = field(default_factory=list)

    async def request(self) -> bytes:
        """Wait for one request; its head."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        self.seen.append(head)
        return head

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def drip(self, data: bytes, every: float, piece: int) -> None:
        """`piece` bytes every so many seconds."""
        for at in range(0, len(data), piece):
            await self.send(data[at : at + piece])
            await asyncio.sleep(every)

    async def flood(self, data: bytes) -> None:
        """The same again and again, until the client has had enough."""
        while True:
            await self.send(data)
            await asyncio.sleep(0)

    async def stall(self) -> None:
        """Say nothing until the client leaves."""
        while await self.reader.read(65536):
            pass

    def reset(self) -> None:
        """End with RST in place of FIN."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


@dataclass
class Running:
    """A server that runs. requests: heads that reached it; connections: how many were opened."""

    address: str
    port: int
    requests: list[bytes]
    connections: int = 0


@contextlib.asynccontextmanager
async def serving(
    script: Script, *, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1"
) -> AsyncIterator[Running]:
    """Run `script` for every connection to a free port."""
    running = Running(address, 0, [])
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        running.connections += 1
        peer = Peer(reader, writer, running.connections, running.requests)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await script(peer)
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            tasks.discard(task)
            writer.transport.abort() if tls else writer.close()

    server = await asyncio.start_server(handle, address, 0, ssl=tls, ssl_handshake_timeout=5.0 if tls else None)
    running.port = server.sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


@contextlib.contextmanager
def unaccepting() -> Iterator[int]:
    """A port whose queue of connections is full: what comes now gets no answer at all."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    port: int = listener.getsockname()[1]
    fillers = [socket.socket() for _ in range(4)]
    try:
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        yield port
    finally:
        for each in (*fillers, listener):
            each.close()


def closed_port() -> int:
    """A port of 127.0.0.1 where nothing listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
