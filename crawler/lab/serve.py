"""The lab's process: `python -m crawler.lab.serve --control-fd N [--site NAME]... [--prewarm]`.

The parent talks to it over a socket, one JSON object a line: {"ask": "stats" | "log" | "clear" | "remove" | "stop"},
answered by one line each; "remove" comes with "urls" and "leave", see `Lab.remove`.
When the parent ends, for whatever reason, the socket closes and the process ends with it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import threading
from collections.abc import Sequence
from typing import Any

from crawler.lab.dns import NameServer
from crawler.lab.http import WebServer, bind_all
from crawler.lab.images import encoded
from crawler.lab.log import RequestLog
from crawler.lab.plan import Plan, build_plan
from crawler.lab.watch import watch
from crawler.lab.world import LOOPBACK


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until the control socket says stop or closes."""
    parser = argparse.ArgumentParser(prog="python -m crawler.lab.serve", description="The lab's servers.")
    parser.add_argument("--control-fd", type=int, required=True, help="connected socket to the parent")
    parser.add_argument("--site", action="append", default=None, help="site module; all when none is given")
    parser.add_argument("--prewarm", action="store_true", help="encode all pictures now, not when they are asked for")
    given = parser.parse_args(arguments)
    control = socket.socket(fileno=given.control_fd)
    asyncio.run(_serve(control, given.site, prewarm=given.prewarm))


async def _serve(control: socket.socket, sites: Sequence[str] | None, *, prewarm: bool) -> None:
    # The addresses do not depend on the port, the URLs do.
    port, sockets = bind_all(build_plan(1, sites).listening | {LOOPBACK})
    plan, log = build_plan(port, sites), RequestLog()
    await WebServer(plan, log).start(sockets)
    dns_port = await NameServer(plan.names, log).start(LOOPBACK)
    reader, writer = await asyncio.open_connection(sock=control)
    watching = asyncio.create_task(watch(plan.watched, log))
    if prewarm:
        # A daemon: nobody waits for pictures once the lab is over.
        threading.Thread(target=_encode_all, args=(plan,), daemon=True).start()
    writer.write(_line({"port": port, "dns_port": dns_port}))
    while (line := await reader.readline()) and (asked := json.loads(line))["ask"] != "stop":
        writer.write(_line(_answer(asked, plan, log)))
        await writer.drain()
    watching.cancel()


def _answer(asked: dict[str, Any], plan: Plan, log: RequestLog) -> dict[str, Any]:
    match asked["ask"]:
        case "stats":
            return {
                "requests": len(log.entries),
                "out_of_scope": dict(log.trespass),
                "addresses": log.figures(),
                "questions": dict(log.questions),
            }
        case "log":
            return {"entries": log.entries}
        case "clear":
            log.clear()
            return {}
        case "remove":
            return {"removed": plan.remove(asked["urls"], asked["leave"])}
        case unknown:
            return {"error": f"unknown: {unknown}"}


def _line(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode() + b"\n"


def _encode_all(plan: Plan) -> None:
    for file in plan.files:
        encoded(file)


if __name__ == "__main__":
    main()
