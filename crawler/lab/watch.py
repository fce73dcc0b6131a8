"""Looks for connections to addresses that the lab cannot serve (10/8, 169.254.169.254), in the kernel's own table.

A connection attempt to such an address stays in the table until it times out, so sampling sees it; one that the kernel
refuses at once, because there is no route, is not seen and leaves the machine as little as one that was never made.
Format: proc(5), /proc/net/tcp: addresses are hexadecimal, in the byte order of the machine.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterable
from pathlib import Path

from crawler.lab.log import RequestLog

TABLE = Path("/proc/net/tcp")
INTERVAL = 0.05


def peers(table: str) -> set[tuple[str, str, int]]:
    """(local end as it stands there, remote address, remote port) of every connection in the table."""
    found = set()
    for line in table.splitlines()[1:]:
        _, local, remote, *_ = line.split()
        address, port = remote.split(":")
        found.add((local, socket.inet_ntoa(int(address, 16).to_bytes(4, sys.byteorder)), int(port, 16)))
    return found


async def watch(targets: Iterable[tuple[str, int]], log: RequestLog) -> None:
    """Report each connection to one of `targets` (address, port) once, for ever. Returns where there is no table."""
    wanted, known = frozenset(targets), set[tuple[str, str, int]]()
    while wanted and (table := await asyncio.to_thread(_read)):
        for connection in peers(table):
            if connection[1:] in wanted and connection not in known:
                known.add(connection)
                log.attempted(*connection[1:])
        await asyncio.sleep(INTERVAL)


def _read() -> str:
    return TABLE.read_text() if TABLE.exists() else ""
