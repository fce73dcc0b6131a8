"""The servers of a `Plan`, in a process of their own: many loopback addresses on one port, every request on record.

`python -m tests.chaos.server FD ADDRESSES PAGES IMAGES`: FD is a socket that questions come by; the process ends when
its other end is closed.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import zlib
from collections import Counter
from contextlib import suppress
from functools import partial

from tests.chaos.plan import NETWORK, Plan
from tests.servers.web import Answer

_TICK = 0.005
_MOST_TRIES = 20


class Servers:
    """requests: (seconds, address, path, requests at work there with this one).  lag: the longest that the event loop
    stood still, and so the most that a request came earlier than its time says."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.requests: list[tuple[float, str, str, int]] = []
        self.lag = 0.0
        self._busy: Counter[str] = Counter()

    async def serve(self, host: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection to address number `host`."""
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await self._answered(host, head.split(b" ", 2)[1].decode(), writer)
        writer.close()

    async def _answered(self, host: int, path: str, writer: asyncio.StreamWriter) -> None:
        address = self.plan.hosts[host]
        self._busy[address] += 1
        self.requests.append((asyncio.get_running_loop().time(), address, path, self._busy[address]))
        try:
            # Answers take a while, so that whoever is killed is killed with requests at work.
            await asyncio.sleep(0.005 + zlib.crc32(path.encode()) % 60 / 1000)
            writer.write(_packed(self.plan.answer(host, path)))
            await writer.drain()
        finally:
            self._busy[address] -= 1

    async def watch(self) -> None:
        """Measure `lag`."""
        loop = asyncio.get_running_loop()
        while True:
            before, known = loop.time(), len(self.requests)
            await asyncio.sleep(_TICK)
            if known:
                self.lag = max(self.lag, loop.time() - before - _TICK)


def _packed(answer: Answer) -> bytes:
    status, headers, body = answer
    lines = [f"HTTP/1.1 {status} -", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def listen(addresses: int) -> tuple[int, list[socket.socket]]:
    """A port that is free on all of the addresses, and a socket on each."""
    for _ in range(_MOST_TRIES):
        sockets: list[socket.socket] = []
        port = 0
        try:
            for number in range(addresses):
                sockets.append(socket.create_server((f"{NETWORK}{number + 1}", port), backlog=256))
                port = sockets[0].getsockname()[1]
        except OSError:
            for each in sockets:
                each.close()
        else:
            return port, sockets
    raise SystemExit("no port is free on all addresses of 127.20.7.0/24")


async def main(control: socket.socket, addresses: int, pages: int, images: int) -> None:
    # A server that waits for a processor would date requests later than they came.
    with suppress(OSError):
        os.nice(-5)
    port, sockets = listen(addresses)
    servers = Servers(Plan(port, addresses, pages, images))
    servers.plan.answer(0, "/i/0-0.jpg")  # encodes the pictures
    running = [await asyncio.start_server(partial(servers.serve, host), sock=each) for host, each in enumerate(sockets)]
    watch = asyncio.create_task(servers.watch())  # kept, else it would be collected
    reader, writer = await asyncio.open_connection(sock=control)
    writer.write(json.dumps(port).encode() + b"\n")
    while question := await reader.readline():
        count = {"count": len(servers.requests), "lag": servers.lag}
        everything = question.strip() == b"log"
        writer.write(json.dumps(servers.requests if everything else count).encode() + b"\n")
    assert running
    assert not watch.done()
    os._exit(0)  # connections that clients keep are not waited for


if __name__ == "__main__":
    asyncio.run(main(socket.socket(fileno=int(sys.argv[1])), *map(int, sys.argv[2:5])))
