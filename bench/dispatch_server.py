"""A web server at every loopback address that keeps a record of when each request arrived.

`python -m bench.dispatch_server FD`: FD is a listening socket. GET /count answers how many requests there were, GET
/log all of them as [monotonic seconds, host, target]; they are not counted themselves. /i/… is a small image,
everything else a small page without links.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import uvloop

from bench.serving import answer, small_file


@dataclass(frozen=True, slots=True)
class Stamping:
    """The server, as the benchmark asks it."""

    port: int

    def count(self) -> int:
        """Requests so far."""
        return int(self._ask("count"))

    def log(self) -> list[tuple[float, str]]:
        """When each request arrived (monotonic seconds), and its URL."""
        return [(at, f"http://{host}{target}") for at, host, target in self._ask("log")]

    def _ask(self, question: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{question}", timeout=60) as reply:
            return json.load(reply)


@contextmanager
def stamping() -> Iterator[Stamping]:
    """The server in a process of its own, for the length of the block."""
    with socket.socket() as listening:
        # Every address of 127.0.0.0/8, and none that another machine could reach.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("0.0.0.0", 0))
        listening.listen(4096)
        command = [sys.executable, "-m", "bench.dispatch_server", str(listening.fileno())]
        with subprocess.Popen(command, pass_fds=(listening.fileno(),)) as process:
            try:
                yield Stamping(int(listening.getsockname()[1]))
            finally:
                process.terminate()


class Stamps(asyncio.Protocol):
    """One connection; requests come one after the other."""

    log: ClassVar[list[tuple[float, str, str]]] = []
    page: ClassVar[bytes]
    image: ClassVar[bytes]

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._before = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's are no subclass

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        self._before += data
        if not self._before.endswith(b"\r\n\r\n"):
            return
        head, self._before = self._before.decode("latin-1"), b""
        target = head.split(" ", 2)[1]
        assert self._transport is not None
        if target in ("/count", "/log"):
            told = json.dumps(self.log if target == "/log" else len(self.log)).encode()
            self._transport.write(answer(b"200 OK", b"application/json", told))
            return
        host = next(line[6:] for line in head.split("\r\n") if line.lower().startswith("host: "))
        self.log.append((now, host, target))
        self._transport.write(self.image if target.startswith("/i/") else self.page)


async def serve(descriptor: int) -> None:
    # A server that waits for a processor would date requests later than they came.
    with suppress(OSError):
        os.nice(-10)
    Stamps.page = answer(b"200 OK", b"text/html", b"<!doctype html><title>a page</title><p>an end")
    Stamps.image = answer(b"200 OK", b"image/jpeg", small_file(1))
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(Stamps, sock=socket.socket(fileno=descriptor), backlog=4096)
    await stop.wait()
    server.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1])))
