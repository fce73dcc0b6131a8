"""The lab's web servers: HTTP/1.1 on every address of the plan, one port, with every way to fail that a site asks for.

Written out, and not with a library, because answers must break in the middle and every connection must be counted at
the moment when it is accepted.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import struct
from collections.abc import Iterable
from http import HTTPStatus

from crawler.lab.log import Entry, RequestLog
from crawler.lab.plan import Plan
from crawler.lab.web import Fault, Reply, Request

MAX_HEAD = 65_536
IDLE_SECONDS = 60.0
PORT_TRIES = 20

log = logging.getLogger(__name__)


def bind_all(addresses: Iterable[str]) -> tuple[int, list[socket.socket]]:
    """One free port, and a listening socket on it for each address.

    Raises OSError when no port is free on all of them, or an address cannot be bound.
    """
    for attempt in range(PORT_TRIES):
        port, sockets = 0, []
        try:
            for address in sorted(addresses):
                sockets.append(_listening(address, port))
                port = int(sockets[0].getsockname()[1])
        except OSError as error:
            for one in sockets:
                one.close()
            if error.errno != errno.EADDRINUSE or attempt == PORT_TRIES - 1:
                raise
        else:
            return port, sockets
    raise OSError(errno.EADDRINUSE, "no port is free on all addresses of the lab")


def _listening(address: str, port: int) -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((address, port))
        one.listen(512)
    except OSError:
        one.close()
        raise
    return one


class WebServer:
    """Serves a plan. The log may be read, and the plan changed, between any two requests."""

    def __init__(self, plan: Plan, log: RequestLog) -> None:
        self._plan = plan
        self._log = log

    async def start(self, sockets: Iterable[socket.socket]) -> None:
        """Serve on listening sockets, which belong to the server from now on."""
        for one in sockets:
            await asyncio.start_server(self._connection, sock=one, limit=MAX_HEAD)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = str(writer.get_extra_info("sockname")[0])
        self._log.accepted(address)
        try:
            while await self._exchange(address, reader, writer):
                pass
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ConnectionError):
            pass  # the client went away, or sent what is no request: either way the connection is over
        finally:
            writer.close()

    async def _exchange(self, address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer. Returns whether the connection goes on."""
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), IDLE_SECONDS)
        method, target, headers = _parsed(head)
        host = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
        at, number = self._log.begin(address, host.lower(), target)
        reply = Reply(status=500)
        try:
            request = Request(at, address, host.lower(), method, target, headers, number)
            # In a thread, for a site may take its time to make an answer, and others must not wait for that.
            reply = await asyncio.to_thread(self._plan.reply, request)
            if reply.delay:
                await asyncio.sleep(reply.delay)
            whole = await self._send(reply, method, writer)
        finally:
            agent = headers.get("user-agent", "")
            self._log.end(Entry(at, address, host.lower(), target, 0 if reply.fault else reply.status, agent))
        return whole and headers.get("connection", "").lower() != "close"

    async def _send(self, reply: Reply, method: str, writer: asyncio.StreamWriter) -> bool:
        if reply.fault is Fault.RESET:
            _reset(writer)
        if reply.fault in (Fault.RESET, Fault.EMPTY):
            return False
        chunked = callable(reply.body)
        body = b"" if chunked else await asyncio.to_thread(reply.body_bytes)
        length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
        lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}", length]
        if body or chunked:
            lines.append(f"Content-Type: {reply.content_type}")
        lines += [f"{name}: {value}" for name, value in reply.headers]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        if method != "HEAD" and reply.status not in (204, 304):
            writer.write(body[: len(body) // 2] if reply.fault is Fault.CUT else body)
            await self._send_chunks(reply, writer)
        await writer.drain()
        return reply.fault is None

    async def _send_chunks(self, reply: Reply, writer: asyncio.StreamWriter) -> None:
        if callable(reply.body):
            for piece in reply.body():
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await writer.drain()
            writer.write(b"0\r\n\r\n")


def _parsed(head: bytes) -> tuple[str, str, dict[str, str]]:
    """(method, target, headers by name in lower case). Raises ConnectionError for what is no request."""
    first, *rest = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    words = first.split(" ")
    if len(words) != 3:
        raise ConnectionError("no HTTP request line")
    pairs = (line.partition(":") for line in rest)
    return words[0], words[1], {name.strip().lower(): value.strip() for name, _, value in pairs}


def _reset(writer: asyncio.StreamWriter) -> None:
    # Lingering for 0 s makes the kernel send RST in place of FIN.
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
