"""Starting the servers of a plan, and asking them what they saw."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from crawler.lab.log import excess
from tests.chaos.plan import Plan

_ROOT = Path(__file__).parents[2]


class Request(NamedTuple):
    """at: monotonic seconds of the server.  busy: requests at work at the address, with this one."""

    at: float
    address: str
    path: str
    busy: int


@dataclass(frozen=True)
class ChaosSite:
    """The servers of `plan`, which run until the block of `served` ends."""

    plan: Plan
    _lines: BinaryIO
    _control: socket.socket

    def count(self) -> int:
        """Requests so far."""
        return int(self._ask("count")["count"])

    def requests(self) -> list[Request]:
        """All of them."""
        return [Request(*entry) for entry in self._ask("log")]

    def asked(self) -> dict[str, set[str]]:
        """Address -> paths that were asked for there."""
        paths: dict[str, set[str]] = defaultdict(set)
        for request in self.requests():
            paths[request.address].add(request.path)
        return paths

    def impolite(self, rate: float, concurrency: int) -> dict[str, str]:
        """Address -> what it was asked too much; empty: all was polite.

        In any window of w >= 1 s at most `rate * w + 1` requests, and at most `concurrency` at once. The server's clock
        is late by at most its lag, so a window of w in its record is one of at most w + lag in truth.
        """
        late = rate * float(self._ask("count")["lag"])
        requests, wrong = self.requests(), {}
        for host in self.plan.hosts:
            there = [request for request in requests if request.address == host]
            over, most = excess(sorted(each.at for each in there), rate), max(each.busy for each in there)
            if over > late or most > concurrency:
                wrong[host] = f"{over:.2f} requests too many (clock: {late:.2f}), {most} at once"
        return wrong

    def repeats(self) -> dict[str, list[float]]:
        """URLs that were asked for more often than they should -> when; robots.txt left out."""
        times: dict[str, list[float]] = defaultdict(list)
        for request in self.requests():
            times[f"http://{request.address}:{self.plan.port}{request.path}"].append(request.at)
        return {
            url: at for url, at in times.items() if len(at) > self.plan.times(url) and not url.endswith("/robots.txt")
        }

    def _ask(self, question: str) -> Any:
        self._control.sendall(question.encode() + b"\n")
        return json.loads(self._lines.readline())


@contextmanager
def served(addresses: int = 12, pages: int = 20, images: int = 8) -> Iterator[ChaosSite]:
    """Serve a plan of this size on a free port."""
    ours, theirs = socket.socketpair()
    ours.settimeout(60)
    numbers = [str(number) for number in (theirs.fileno(), addresses, pages, images)]
    command = [sys.executable, "-m", "tests.chaos.server", *numbers]
    with ours, ours.makefile("rb") as lines:
        with theirs:
            process = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=_ROOT, stdin=subprocess.DEVNULL)
        try:
            port = int(json.loads(lines.readline()))
            yield ChaosSite(Plan(port, addresses, pages, images), lines, ours)
        finally:
            ours.shutdown(socket.SHUT_RDWR)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
