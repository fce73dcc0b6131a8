"""The processes of a crawl on this machine: workers and one recorder, started, watched, replaced, and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from crawler.errors import VangnetError
from crawler.fetch.proxies import is_proxy_variable
from crawler.home import Home
from crawler.sandbox.forget import FORGETFUL

_DRAIN_SECONDS = 40.0
_QUICK = 20.0
_MOST_QUICK = 3


class Crew:
    """A context manager: inside it the processes live, and Ctrl-C or SIGTERM sets `interrupted` instead of raising.

    A process that dies is replaced; one that dies again and again ends the crawl with its last words.
    """

    def __init__(self, home: Home, settings: str, redis_url: str, workers: int) -> None:
        self.interrupted = False
        self._home = home
        # The command that starts them says once that it ignores proxies.
        inherited = {name: value for name, value in os.environ.items() if not is_proxy_variable(name)}
        self._environment = inherited | {
            "REDIS_URL": redis_url,
            "VANGNET_HOME": str(home.root),
            "SCRAPY_SETTINGS_MODULE": settings,
            "PYTHONUNBUFFERED": "1",
            **FORGETFUL,
        }
        self._names = ["recorder", *(f"worker-{number}" for number in range(1, workers + 1))]
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._started: dict[str, float] = {}
        self._quick: dict[str, int] = {}
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Crew:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._handlers[number] = signal.signal(number, self._interrupt)
        for name in self._names:
            self._log(name).unlink(missing_ok=True)
            self._running[name] = self._start(name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Workers first: the recorder still writes what they bring in while they drain.
        workers = [process for name, process in self._running.items() if name != "recorder"]
        self._stop(workers)
        self._stop([self._running["recorder"]] if "recorder" in self._running else [])
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Replace processes that ended.

        Raises VangnetError when one was refused or misused, or when it ends again and again right after its start:
        then the next one would too. How often processes are killed in mid-work is no reason to give up.
        """
        now = time.monotonic()
        for name, process in self._running.items():
            if process.poll() is None:
                continue
            quick = now - self._started[name] < _QUICK
            self._quick[name] = self._quick.get(name, 0) + 1 if quick else 0
            if process.returncode in (2, 3) or self._quick[name] > _MOST_QUICK:
                raise VangnetError(f"{name} ended with {_ending(process.returncode)}: {self._last_words(name)}")
            self._running[name] = self._start(name)

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        command = ["recorder"] if name == "recorder" else ["worker"]
        self._started[name] = time.monotonic()
        with self._log(name).open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "crawler", *command, "--parent", str(os.getpid())],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )

    def _stop(self, processes: list[subprocess.Popen[bytes]]) -> None:
        for process in processes:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + _DRAIN_SECONDS
        for process in processes:
            try:
                process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                # Its leases run out and its URLs come back; nothing is lost by not waiting longer.
                process.kill()
                process.wait()

    def _log(self, name: str) -> Path:
        return self._home.logs / f"{name}.log"

    def _last_words(self, name: str) -> str:
        try:
            lines = self._log(name).read_text(errors="replace").strip().splitlines()
        except OSError:
            return "it left no log"
        return lines[-1] if lines else "it left no log"

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.interrupted = True


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
