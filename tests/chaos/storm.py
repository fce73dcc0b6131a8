"""What goes wrong during a crawl, and when: a schedule by seed, carried out as the crawl makes progress."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from enum import StrEnum
from resource import RLIM_INFINITY, RLIMIT_FSIZE, prlimit
from typing import Any

from tests.chaos import victims
from tests.chaos.crawling import Crawling

FROZEN = 3.0
"""Seconds that the server does not answer: longer than a lease."""
FULL = 1.0
"""Seconds that a disk or the server takes nothing more."""


class Act(StrEnum):
    KILL_WORKER = "kill -9 of a worker"
    KILL_ANOTHER = "kill -9 of another worker"
    DRAIN_WORKER = "SIGTERM to a worker"
    KILL_RECORDER = "kill -9 of the recorder"
    KILL_ZYGOTE = "kill -9 of a sandbox's zygote"
    KILL_SANDBOX = "kill -9 of a confined sandbox process"
    FILL_DISK = "the recorder's disk is full for a while"
    FILL_SERVER = "the server is full for a while"
    FREEZE_SERVER = "the server does not answer for a while"
    REPLACE_SERVER = "kill -9 of the server, which another command of the home starts again"
    KILL_CRAWL = "kill -9 of the crawl command"
    STOP_CRAWL = "SIGTERM to the crawl command"
    KILL_SERVER = "kill -9 of the server, then Ctrl-C"


def schedule(seed: int, kills: int) -> list[tuple[float, Act]]:
    """(how far the crawl goes on before it happens: 1 is the usual, what). All acts in some order before any comes
    again: so the same process is not killed so often in a row that its crawl gives up.
    """
    dice = random.Random(seed)
    acts: list[Act] = []
    while len(acts) < kills:
        acts += dice.sample(list(Act), len(Act))
    return [(0.5 + dice.random(), act) for act in acts[:kills]]


class Storm:
    """Carries a schedule out."""

    def __init__(self, crawling: Crawling, seed: int, kills: int) -> None:
        self._crawling = crawling
        self._plan = schedule(seed, kills)
        self._dice = random.Random(seed + 1)
        self._turn = 0
        self.log: list[str] = []

    def crawl(self) -> dict[str, Any]:
        """Crawl through all of it; the summary of the command that came through."""
        begun = time.monotonic()
        self._crawling.start()
        for number, (pause, act) in enumerate(self._plan):
            # What is left is shared out anew each time: while something happens, the crawl may go on as fast as it can.
            # Four shares are left over: with the longest pauses, the 13 usual acts leave a tenth of the site for what
            # is asked for twice after a kill, which counts as well. With one it is a hundredth, two dozen URLs, and the
            # crawl is over before its last acts, which `until` reports as the failure that it would be.
            done = self._crawling.site.count()
            left = self._crawling.site.plan.size - done
            self._crawling.asked(done + max(round(pause * left / (len(self._plan) - number + 4)), 1))
            self.log.append(f"{time.monotonic() - begun:.1f} s, {self._crawling.site.count()} requests: {act}")
            self._do(act)
        return self._crawling.finished()

    def _do(self, act: Act) -> None:
        match act:
            case Act.KILL_WORKER | Act.KILL_ANOTHER:
                victims.kill(self._worker())
            case Act.DRAIN_WORKER:
                victims.kill(self._worker(), signal.SIGTERM)
            case Act.KILL_RECORDER:
                victims.kill(self._one(self._recorders, "a recorder"))
            case Act.KILL_ZYGOTE:
                victims.kill(self._one(victims.zygotes, "a zygote"))
            case Act.KILL_SANDBOX:
                victims.kill(self._one(victims.sandboxes, "a sandbox"))
            case Act.FILL_DISK:
                self._fill_disk()
            case Act.FILL_SERVER:
                self._fill_server()
            case Act.FREEZE_SERVER:
                self._freeze()
            case Act.REPLACE_SERVER:
                self._replace_server()
            case Act.KILL_CRAWL:
                self._end(signal.SIGKILL, -signal.SIGKILL)
            case Act.STOP_CRAWL:
                self._end(signal.SIGTERM, 130)
            case Act.KILL_SERVER:
                victims.kill(victims.server(self._crawling.home))
                error = self._end(signal.SIGINT, 1)
                assert "Redis does not answer" in error
                assert "Traceback" not in error

    def _worker(self) -> int:
        """Workers in turn: one that is killed again and again right after its start would end the crawl, rightly."""
        self._manned()
        self._turn += 1
        return victims.workers(self._crawling.pid)[self._turn % self._crawling.workers]

    def _manned(self) -> None:
        crawling = self._crawling
        crawling.until(lambda: len(victims.workers(crawling.pid)) == crawling.workers, "all workers to live")

    @staticmethod
    def _recorders(crawl: int) -> list[int]:
        return [pid for name, pid in victims.crew(crawl).items() if name == "recorder"]

    def _one(self, of: Callable[[int], list[int]], what: str) -> int:
        found: list[int] = []

        def there() -> bool:
            found[:] = of(self._crawling.pid)
            return bool(found)

        self._crawling.until(there, what)
        return self._dice.choice(found)

    def _fill_disk(self) -> None:
        recorder = self._one(self._recorders, "a recorder")
        prlimit(recorder, RLIMIT_FSIZE, (0, RLIM_INFINITY))
        try:
            time.sleep(FULL)
        finally:
            prlimit(recorder, RLIMIT_FSIZE, (RLIM_INFINITY, RLIM_INFINITY))

    def _fill_server(self) -> None:
        crawling = self._crawling
        before = crawling.refusals()
        with crawling.redis() as redis:
            redis.config_set("maxmemory", "1mb")
            crawling.until(lambda: crawling.refusals() > before, "the server to refuse commands")
            time.sleep(FULL)
            redis.config_set("maxmemory", 0)

    def _freeze(self) -> None:
        with victims.frozen([victims.server(self._crawling.home)]):
            time.sleep(FROZEN)

    def _replace_server(self) -> None:
        """The second crawl of a campaign is refused; but what it needs for saying so is a server."""
        victims.kill(victims.server(self._crawling.home))
        refused = self._crawling.vangnet.run("crawl", self._crawling.file)
        assert (refused.returncode, "is being crawled" in refused.stderr) == (3, True), refused

    def _end(self, by: signal.Signals, code: int) -> str:
        """End the crawl command, and start it again."""
        victims.kill(self._crawling.pid, by)
        ended, out, err = self._crawling.ended()
        assert ended == code, (out, err)
        self._crawling.start()
        self._manned()
        return err
