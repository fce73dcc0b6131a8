"""One connection that carries the commands of many tasks: they leave as they are asked, answers come in their order.

The library's own way, a connection for each command under way with its own locks, timers and wake-ups, costs ten times
the processor time of the command itself, and a worker sends several for every image. Connecting, signing in, TLS and
trying again stay the library's business: what a lost line did not answer goes there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, cast

import hiredis
from redis.asyncio import Redis
from redis.asyncio.connection import Connection
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import InvalidResponse
from redis.exceptions import TimeoutError as TooLate

PATIENCE = 30.0
"""Seconds without a byte, while something is asked, after which a line is given up."""
_NOTHING = object()
_pack: Callable[[tuple[str | bytes | int | float, ...]], bytes] = cast(Any, hiredis.pack_command)
"""Its stub says a tuple of one."""
_LOST = "the server closed the connection"


class Line(asyncio.Protocol):
    """A connection on which the library has signed in. Belongs to the event loop in which it was made."""

    def __init__(self, connection: Connection) -> None:
        """Takes over what the connection has open; it must be connected, and counts as closed from then on."""
        # The library has no public way to its transport.
        writer, connection._writer, connection._reader = connection._writer, None, None
        if writer is None:
            raise ConnectionLost(_LOST)
        self._writer, self._transport = writer, writer.transport
        self._loop = asyncio.get_running_loop()
        error = connection._parser.parse_error
        self._replies = hiredis.Reader(protocolError=InvalidResponse, replyError=error, notEnoughData=_NOTHING)
        self._asked: deque[asyncio.Future[Any]] = deque()
        self._heard = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.lost = False
        self._transport.set_protocol(self)

    def ask(self, *command: str | bytes | int | float) -> asyncio.Future[Any]:
        """The answer to come; it fails with the library's errors, ConnectionError when nobody knows whether it ran."""
        answer: asyncio.Future[Any] = self._loop.create_future()
        if self.lost or self._transport.is_closing():
            answer.set_exception(ConnectionLost(_LOST))
            return answer
        packed = _pack(command)
        if not self._asked:
            self._heard = self._loop.time()
        self._asked.append(answer)
        if self._timer is None:
            self._timer = self._loop.call_later(PATIENCE, self._look)
        self._transport.write(packed)
        return answer

    def close(self) -> None:
        """Hang up; what was not answered fails."""
        self._end(ConnectionLost(_LOST))

    # ------------------------------------------------------------ called by the event loop

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        self._replies.feed(data)
        try:
            while (reply := self._replies.gets()) is not _NOTHING:
                self._answered(reply)
        except InvalidResponse as error:
            self._end(ConnectionLost(str(error)))

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(ConnectionLost(_LOST if exc is None else str(exc)))

    def _answered(self, reply: Any) -> None:
        if isinstance(reply, hiredis.PushNotification):
            return
        if not self._asked:
            raise InvalidResponse("an answer that nobody asked for")
        answer = self._asked.popleft()
        if answer.done():  # whoever asked has been cancelled
            return
        if isinstance(reply, Exception):
            answer.set_exception(reply)
        else:
            answer.set_result(reply)

    def _look(self) -> None:
        """Give up a server that says nothing; a timer for every command would cost as much as the command."""
        self._timer = None
        if not self._asked or self.lost:
            return
        left = self._heard + PATIENCE - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            self._end(TooLate("the server does not answer"))

    def _end(self, error: Exception) -> None:
        if self.lost:
            return
        self.lost = True
        if self._timer is not None:
            self._timer.cancel()
        self._writer.close()
        self._transport.abort()
        while self._asked:
            answer = self._asked.popleft()
            if not answer.done():
                answer.set_exception(error)


class LineClient(Redis):
    """The library's client, whose commands share one line. Pipelines, and what blocks, have connections of their own.

    A command that a lost line did not answer is sent once more, as the library does: whether it ran, nobody knows.
    """

    _line: Line | None = None
    _opening: asyncio.Task[Line] | None = None

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        if b"BLOCK" in args:
            return await self._alone(*args, **options)
        line = self._line
        if line is None or line.lost:
            line = await self._opened()
        name = args[0]
        words = name.split() if " " in name else (name,)
        try:
            reply = await line.ask(*words, *args[1:])
        except (ConnectionLost, TooLate):
            return await self._alone(*args, **options)
        options.pop("keys", None)  # which is for the library's cache
        read = self.response_callbacks.get(name)
        return reply if read is None else read(reply, **options)

    async def _alone(self, *args: Any, **options: Any) -> Any:
        """A command on a connection of its own, as the library does it."""
        # The library has types for what it returns, and none for this.
        execute: Callable[..., Awaitable[Any]] = super().execute_command
        return await execute(*args, **options)

    async def _opened(self) -> Line:
        # One attempt for all who wait: one after the other, the last would learn of a silent server after minutes.
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self) -> Line:
        make: Callable[[], Any] = self.connection_pool.make_connection
        connection = make()
        await connection.connect()
        line = self._line = Line(connection)
        return line

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        if self._opening is not None:
            self._opening.cancel()
        line, self._line = self._line, None
        if line is not None:
            line.close()
        await super().aclose(close_connection_pool)
