"""The zoo's process: serves until its control socket closes, then says what it saw."""

from __future__ import annotations

import asyncio
import json
import socket
import sys

from crawler.lab.dns import NameServer
from crawler.lab.http import WebServer, bind_all
from crawler.lab.log import RequestLog
from tests.hostile.zoo import bodies, pages, paths
from tests.hostile.zoo.park import LOOPBACK, planted, zoo_at

KINDS = (bodies, pages, paths)


async def serve(control: socket.socket, names: tuple[str, ...]) -> None:
    port, sockets = bind_all(zoo_at(1, names).listening)
    zoo, log = zoo_at(port, names), RequestLog()
    for name in names:
        planted(name)
    await WebServer(zoo, log).start(sockets)
    dns = await NameServer(zoo.names, log).start(LOOPBACK)
    reader, writer = await asyncio.open_connection(sock=control)
    writer.write(json.dumps([port, dns]).encode() + b"\n")
    await reader.read()
    writer.write(json.dumps({"asked": zoo.asked, "trespasses": zoo.trespasses}).encode() + b"\n")
    await writer.drain()


if __name__ == "__main__":
    asyncio.run(serve(socket.socket(fileno=int(sys.argv[1])), tuple(sys.argv[2:])))
