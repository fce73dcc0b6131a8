"""Starting the lab, asking it what it saw, ending it: what the demo and the tests use."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from crawler.errors import Unavailable
from crawler.lab import files
from crawler.lab.log import Entry, excess
from crawler.lab.plan import Plan, build_plan
from crawler.lab.truth import Truth
from crawler.lab.world import LOOPBACK

START_SECONDS = 30.0
STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What the lab's servers saw since the start, or since `Lab.clear`.

    requests: all of them.  out_of_scope: what happened where nobody may go -> how often; connections, requests to
    excluded domains, and attempts that the kernel's table showed.  addresses: address -> {"requests", "concurrent":
    most at once, "per_second": most in any second}.  questions: name -> how often DNS was asked.
    """

    requests: int
    out_of_scope: dict[str, int]
    addresses: dict[str, dict[str, float]]
    questions: dict[str, int]

    @property
    def trespasses(self) -> int:
        """How often anything out of scope was touched."""
        return sum(self.out_of_scope.values())


class Lab:
    """A running lab. Use as a context manager; leaving it ends the process.

    sites: modules of `crawler.lab.sites`, None for all.  prewarm: encode the pictures ahead of the first request.
    started_at: when it was asked to start, in monotonic seconds.
    Raises Unavailable when the servers cannot be started.
    """

    def __init__(self, sites: Sequence[str] | None = None, *, prewarm: bool = False) -> None:
        self._sites = sites
        self.started_at = time.monotonic()
        ours, theirs = socket.socketpair()
        ours.settimeout(START_SECONDS)
        command = [sys.executable, "-m", "crawler.lab.serve", "--control-fd", str(theirs.fileno())]
        command += [word for site in sites or () for word in ("--site", site)]
        command += ["--prewarm"] if prewarm else []
        self._control = ours
        self._lines = ours.makefile("rb")
        try:
            with theirs:
                self._process = subprocess.Popen(
                    command,
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    cwd=Path(__file__).parents[2],
                    start_new_session=True,
                )
            started = self._reply()
        except (OSError, Unavailable):
            self._close()
            raise
        self.port = int(started["port"])
        self.nameserver = f"{LOOPBACK}:{int(started['dns_port'])}"

    @cached_property
    def plan(self) -> Plan:
        """The plan that the process serves."""
        return build_plan(self.port, self._sites)

    @property
    def truth(self) -> Truth:
        """What a crawl must find."""
        return self.plan.truth

    def seen(self) -> Seen:
        """What the servers saw so far."""
        return Seen(**self._ask("stats"))

    def entries(self) -> list[Entry]:
        """Every request so far."""
        return [Entry(*entry) for entry in self._ask("log")["entries"]]

    def worst_excess(self, rate: float) -> dict[str, float]:
        """Address -> by how many requests its worst window of w >= 1 s exceeds `rate * w + 1`; above 0: impolite."""
        times: dict[str, list[float]] = {}
        for entry in self.entries():
            times.setdefault(entry.address, []).append(entry.at)
        return {address: excess(sorted(at), rate) for address, at in times.items()}

    def clear(self) -> None:
        """Let the servers forget, so that the next crawl meets the same lab."""
        self._ask("clear")

    def remove(self, urls: Sequence[str], leave: str = "nothing") -> int:
        """Take down what the lab serves at URLs, as a hoster does; how many of them there were.

        leave: what stands there from then on: "nothing" (404), "placeholder" (another picture), or "another name" (404,
        while the host's pages show the picture under another URL).
        """
        return int(self._ask("remove", urls=list(urls), leave=leave)["removed"])

    def write_campaign(self, path: Path, **changes: Any) -> Path:
        """A campaign file for this lab; `changes` as in `crawler.lab.files.campaign_text`."""
        path.write_text(files.campaign_text(self.plan, self.nameserver, **changes))
        return path

    def write_list(self, path: Path) -> Path:
        """The hash list, in the `lines` format."""
        path.write_text(files.list_text())
        return path

    def write_table(self, path: Path) -> Path:
        """The address table of the lab's hosters."""
        path.write_text(files.table_text())
        return path

    def stop(self) -> None:
        """End the process; a second call does nothing."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _ask(self, question: str, **more: Any) -> dict[str, Any]:
        try:
            self._control.sendall(json.dumps({"ask": question, **more}).encode() + b"\n")
        except OSError as error:
            raise Unavailable("the lab's process is gone; start it again") from error
        return self._reply()

    def _reply(self) -> dict[str, Any]:
        try:
            line = self._lines.readline()
        except OSError as error:
            raise Unavailable(f"the lab's process does not answer: {error}") from error
        if not line:
            raise Unavailable("the lab's process ended; are the addresses of 127.0.0.0/8 free to use?")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _close(self) -> None:
        # Closing is the signal: the process ends when its end of the socket does.
        self._lines.close()
        self._control.close()
        process: subprocess.Popen[bytes] | None = getattr(self, "_process", None)
        if process is None:
            return
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
