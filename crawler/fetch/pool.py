"""Sockets: made only for addresses that are permitted, kept for reuse, bounded in number.

There is no name resolution in this module and none behind it: `Key.address` is a literal, and a socket goes there.
"""

from __future__ import annotations

import asyncio
import errno
import re
import socket
import ssl
from collections import OrderedDict
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final

from crawler.errors import OptionInvalid
from crawler.fetch.connection import Connection, Key
from crawler.fetch.failures import failure
from crawler.fetch.limits import FetchLimits
from crawler.fetch.sockets import Sockets
from crawler.fetch.tls import TlsObserver
from crawler.fetch.watchdog import Watchdog
from crawler.ranges import canonical_address
from crawler.records import FetchFailed

_BIND_ADDRESS_NO_PORT: Final = getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24)  # Linux; Python names it from 3.12 on
_NO_SOCKETS: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_NO_WAY: Final = frozenset((errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EAFNOSUPPORT, errno.EACCES))
# RFC 1035, 2.3.4. Python raises for other names when the handshake begins, and uvloop then forgets the socket.
_SERVER_NAME: Final = re.compile(r"(?=.{1,253}\Z)[\x21-\x2d\x2f-\x7e]{1,63}(?:\.[\x21-\x2d\x2f-\x7e]{1,63})*\Z")
_SHUTDOWN: Final = 1.0  # seconds that a peer gets to end TLS politely, in the one case where asyncio closes by itself


class Pool:
    """Idle connections by key, and the only way to new ones.

    permitted: asked with the canonical address right before a socket for it is made; False means that no socket is
    made, whatever the caller decided before.
    sockets: bounds open connections, idle ones included; for a new one the longest idle one is given up.
    source_addresses: local addresses to connect from, by turns within a family; empty: the system's choice.
    Raises OptionInvalid when a source address is no address.
    """

    def __init__(
        self,
        permitted: Callable[[str], bool],
        limits: FetchLimits,
        tls: TlsObserver,
        sockets: Sockets,
        source_addresses: Sequence[str] = (),
    ) -> None:
        self._permitted = permitted
        self._limits = limits
        self._tls = tls
        self._sockets = sockets
        self._sources = _by_family(source_addresses)
        self._turn = 0
        self._closed = False
        self._connections: set[Connection] = set()
        self._idle: dict[Key, list[Connection]] = {}
        self._by_age: OrderedDict[Connection, None] = OrderedDict()
        self._reaper: asyncio.TimerHandle | None = None

    @property
    def open_sockets(self) -> int:
        """Connections that are open now, in use or idle."""
        return len(self._connections)

    def take(self, key: Key) -> Connection | None:
        """An idle connection for this key, taken out of the pool."""
        idle = self._idle.get(key)
        while idle:
            connection = idle[-1]
            self._forget(connection)
            if connection.is_connected():
                return connection
        return None

    def give_back(self, connection: Connection) -> None:
        """An exchange is over: keep the connection when it may serve again, else drop it."""
        if self._closed or not connection.reusable:
            self.drop(connection)
            return
        connection.idle_since = monotonic()
        self._idle.setdefault(connection.key, []).append(connection)
        self._by_age[connection] = None
        self._sockets.idle[connection] = self.drop
        if self._reaper is None:
            self._reap_later()

    def drop(self, connection: Connection) -> None:
        """Close a connection at once."""
        self._lost(connection)
        connection.give_up()

    async def open(self, key: Key, watch: Watchdog) -> Connection | FetchFailed:
        """A new connection, TLS included, within the watchdog's deadlines."""
        if key.tls and not _SERVER_NAME.match(key.host):
            return failure("tls", "the host cannot be a TLS server name")
        sock = self._socket(key.address)
        if isinstance(sock, FetchFailed):
            return sock
        self._sockets.opening += 1
        try:
            return await self._opened(sock, key, watch)
        finally:
            self._sockets.opening -= 1

    async def close(self) -> None:
        """Give up every connection, and let the loop run their last callbacks."""
        self._closed = True
        if self._reaper is not None:
            self._reaper.cancel()
            self._reaper = None
        for connection in list(self._connections):
            self.drop(connection)
        await asyncio.sleep(0)

    # ------------------------------------------------------------ new sockets

    async def _opened(self, sock: socket.socket, key: Key, watch: Watchdog) -> Connection | FetchFailed:
        loop = asyncio.get_running_loop()
        begun = monotonic()
        watch.begin("connect-timeout", watch.connect)
        try:
            await loop.sock_connect(sock, (key.address, key.port))
            if canonical_address(sock.getpeername()[0]) != key.address:
                sock.close()
                return failure("blocked-scope", "the socket is connected elsewhere")
        except OSError as exc:
            sock.close()
            return _connect_failure(exc)
        except BaseException:
            sock.close()
            raise
        connected = monotonic()
        connection = await self._started(loop, sock, key, watch)
        if isinstance(connection, Connection):
            connection.connect_seconds = connected - begun
            connection.tls_seconds = monotonic() - connected if key.tls else 0.0
        return connection

    def _socket(self, address: str) -> socket.socket | FetchFailed:
        if canonical_address(address) != address or not self._permitted(address):
            return failure("blocked-scope")
        self._sockets.make_room()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as exc:
            return _connect_failure(exc)
        sock.setblocking(False)
        sources = self._sources.get(family)
        if sources:
            self._turn += 1
            try:
                sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
                sock.bind((sources[self._turn % len(sources)], 0))
            except OSError as exc:
                sock.close()
                return failure("local-address", exc.strerror or "")
        return sock

    async def _started(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, key: Key, watch: Watchdog
    ) -> Connection | FetchFailed:
        """HTTP, or TLS and HTTP, on a connected socket."""
        connection = Connection(loop, key, self._limits.max_header_bytes, self._lost)
        self._connections.add(connection)
        self._sockets.connections.add(connection)
        try:
            if not key.tls:
                await loop.create_connection(lambda: connection, sock=sock)
                return connection
            watch.begin("tls-timeout", self._limits.tls)
            await loop.create_connection(
                lambda: connection,
                sock=sock,
                ssl=self._tls.context,
                server_hostname=key.host,
                ssl_handshake_timeout=self._limits.tls + 5.0,
                ssl_shutdown_timeout=_SHUTDOWN,
            )
            connection.tls = self._tls.facts(connection.transport, key.host)
            return connection
        except (ssl.SSLError, OSError) as exc:
            self.drop(connection)
            sock.close()
            return _tls_failure(exc)
        except BaseException:
            self.drop(connection)
            sock.close()
            raise

    # ------------------------------------------------------------ idle connections

    def _forget(self, connection: Connection) -> None:
        """Take a connection out of the idle ones."""
        if connection not in self._by_age:
            return
        del self._by_age[connection]
        del self._sockets.idle[connection]
        idle = self._idle[connection.key]
        idle.remove(connection)
        if not idle:
            del self._idle[connection.key]

    def _lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._sockets.connections.discard(connection)
        self._forget(connection)

    def _reap(self) -> None:
        self._reaper = None
        oldest = monotonic() - self._limits.keep_alive
        while self._by_age:
            connection = next(iter(self._by_age))
            if connection.idle_since > oldest:
                self._reap_later()
                return
            self.drop(connection)

    def _reap_later(self) -> None:
        self._reaper = asyncio.get_running_loop().call_later(self._limits.keep_alive / 2, self._reap)


def _by_family(addresses: Sequence[str]) -> dict[int, list[str]]:
    families: dict[int, list[str]] = {}
    for text in addresses:
        address = canonical_address(text)
        if address is None:
            raise OptionInvalid(f"source address {text!r} is no IP address: give local addresses such as 192.0.2.7")
        families.setdefault(socket.AF_INET6 if ":" in address else socket.AF_INET, []).append(address)
    return families


def _connect_failure(exc: OSError) -> FetchFailed:
    """What an error of socket() or connect() is called here."""
    detail = exc.strerror or type(exc).__name__
    if isinstance(exc, ConnectionRefusedError):
        return failure("connect-refused", detail)
    if isinstance(exc, TimeoutError):  # the kernel's own, ETIMEDOUT
        return failure("connect-timeout", detail)
    if exc.errno in _NO_SOCKETS:
        return failure("local-resources", detail)
    if exc.errno == errno.EADDRNOTAVAIL:
        return failure("local-address", detail)
    if exc.errno in _NO_WAY or isinstance(exc, PermissionError):
        return failure("unreachable", detail)
    return failure("reset", detail)


def _tls_failure(exc: OSError) -> FetchFailed:
    if isinstance(exc, ssl.SSLError):
        return failure("tls", exc.reason or type(exc).__name__)
    if isinstance(exc, ConnectionResetError | BrokenPipeError):
        return failure("reset", "in the TLS handshake")
    if isinstance(exc, TimeoutError):
        return failure("tls-timeout")
    return failure("tls", "the connection ended in the handshake")
