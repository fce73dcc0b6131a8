"""The line between a client and a Redis server, which a test can cut: a forwarder in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

_CHUNK = 65_536


class Cut(StrEnum):
    """What becomes of the connections.

    HELD: nothing passes, and what was sent arrives when the line is whole again, as after a short outage.
    CLOSED: they are closed, and so is every new one, as by a firewall that was started anew.
    LOST: nothing passes on them ever again, and nobody is told, as behind a router that forgot them; new ones work
    once the line is whole again.
    """

    HELD = "held"
    CLOSED = "closed"
    LOST = "lost"


@dataclass(eq=False)
class _Line:
    """One connection. writers: of both ends.  lost: nothing passes any more."""

    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    lost: bool = False

    def close(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


class Cable:
    """Forwards a free loopback port to a unix socket.

    server: the socket of the server.  port: where clients connect to.  passed: bytes that reached a client so far.
    """

    def __init__(self, server: Path) -> None:
        self.server = server
        self.port = 0
        self.passed = 0
        self._lines: set[_Line] = set()
        self._closed = False
        self._whole = asyncio.Event()
        self._over = asyncio.Event()
        self._loop = asyncio.new_event_loop()

    @property
    def url(self) -> str:
        """What goes into REDIS_URL."""
        return f"redis://127.0.0.1:{self.port}/0"

    def cut(self, how: Cut) -> None:
        """Let nothing pass any more."""
        self._do(lambda: self._cut(how))

    def mend(self) -> None:
        """Let everything pass again."""
        self._do(self._mend)

    def _cut(self, how: Cut) -> None:
        self._whole.clear()
        self._closed = how is Cut.CLOSED
        for line in self._lines:
            line.lost = line.lost or how is Cut.LOST
            if self._closed:
                line.close()

    def _mend(self) -> None:
        self._closed = False
        self._whole.set()

    def _do(self, act: Callable[[], object]) -> None:
        """Act in the thread of the forwarder, and return when it is done."""
        done = threading.Event()

        def acted() -> None:
            act()
            done.set()

        self._loop.call_soon_threadsafe(acted)
        assert done.wait(10)

    def run(self, ready: threading.Event) -> None:
        """The thread: forward until `end`."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._forward(ready))

    def end(self) -> None:
        """Close everything, and let `run` return."""
        self._do(self._over.set)

    async def _forward(self, ready: threading.Event) -> None:
        self._whole.set()
        listening = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = listening.sockets[0].getsockname()[1]
        ready.set()
        await self._over.wait()
        listening.close()
        while self._lines:
            self._mend()
            for line in self._lines:
                line.close()
            await asyncio.sleep(0.01)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = _Line([writer])
        self._lines.add(line)
        try:
            if self._closed:
                return
            with suppress(OSError):
                await self._whole.wait()
                up, down = await asyncio.open_unix_connection(self.server)
                line.writers.append(down)
                await asyncio.gather(self._pump(line, reader, down), self._pump(line, up, writer))
        finally:
            line.close()
            self._lines.discard(line)

    async def _pump(self, line: _Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self._whole.wait()
                if line.lost:
                    continue
                writer.write(data)
                await writer.drain()
                if writer is line.writers[0]:
                    self.passed += len(data)
        # What an end sent before it closed arrives; then the other end is told.
        with suppress(OSError):
            writer.write_eof()
        if line.lost:
            line.close()


@contextmanager
def cable(server: Path) -> Iterator[Cable]:
    """A line to the server at a unix socket, whole at first; it is gone when the block ends."""
    made, ready = Cable(server), threading.Event()
    thread = threading.Thread(target=made.run, args=(ready,), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield made
    finally:
        made.end()
        thread.join(10)
        assert not thread.is_alive()
