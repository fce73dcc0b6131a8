"""One campaign under test: its home, its site, its crawl command started again and again, and the verdict."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from crawler.bus.server import socket_path
from crawler.frontier.keys import ADMITTERS, RECORDERS, partition_prefix
from tests.chaos import victims
from tests.chaos.site import ChaosSite
from tests.servers.vangnet import Vangnet

RATE, CONCURRENCY = 32.0, 3
PARTITION = partition_prefix("vangnet", 0)
STALLED = 120.0
"""Seconds without a request, an end or whatever is waited for, after which a test gives up: never on a slow machine."""

_ABANDONED_MS, _OLD_MS = 3_000, 61_000
_HURRY = 0.5
"""Seconds between two looks at what nobody takes over: each opens a connection, and a wait turns far more often."""
HASTY = (
    "-c",
    "from unittest import mock; from crawler.cli.main import entry\n"
    "with mock.patch('crawler.service.crawl._PATIENCE', 3.0): entry()",
)
"""The command line, with seconds instead of minutes of patience for a server that is away."""


@dataclass
class Crawling:
    """Starts `vangnet crawl` of `site` in a home of its own.

    rate: requests per second that an address is asked.  server: directory of the server, where it is not the home's.
    """

    site: ChaosSite
    root: Path
    workers: int = 1
    rate: float = RATE
    server: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # What a killed worker held comes back after two seconds, and however often that happens, no URL fails of it.
        environment = {"VANGNET_LEASE_SECONDS": "2", "VANGNET_ATTEMPTS": "200", **self.environment}
        self.vangnet = Vangnet(self.root / "home", environment=environment)
        self.vangnet.hash_list(*self.site.plan.hashes)
        self.file = self.vangnet.campaign(self.site.plan.seed, rate=self.rate, concurrency=CONCURRENCY)
        self.process: subprocess.Popen[str] | None = None
        self._hurried = 0.0

    @property
    def home(self) -> Path:
        return self.vangnet.home

    @property
    def pid(self) -> int:
        """The crawl command's process."""
        assert self.process is not None
        return self.process.pid

    def start(self, program: Sequence[str] = ("-m", "crawler")) -> None:
        """Start or resume the crawl. program: what Python runs as `vangnet`."""
        assert self.process is None
        vangnet = replace(self.vangnet, program=program)
        self.process = vangnet.start("crawl", self.file, "--workers", self.workers, "--json")

    def until(self, happened: Callable[[], bool], what: str) -> None:
        """Wait while the crawl runs until something happened."""
        assert self.process is not None
        heard, seen = time.monotonic(), self.site.count()
        while not happened():
            if self.process.poll() is not None:
                out, err = self.process.communicate()
                raise AssertionError(f"the crawl ended ({self.process.returncode}) before {what}: {out} {err}")
            self._hurry()
            time.sleep(0.05)
            if seen != (seen := self.site.count()):
                heard = time.monotonic()
            assert time.monotonic() - heard < STALLED, f"nothing moves while waiting for {what}"

    def asked(self, requests: int) -> None:
        """Wait until the site was asked so often."""
        self.until(lambda: self.site.count() >= requests, f"{requests} requests")

    def ended(self) -> tuple[int, str, str]:
        """Wait for the end of the crawl command: (exit code, stdout, stderr)."""
        process = self.process
        assert process is not None
        heard, seen = time.monotonic(), self.site.count()
        while True:
            with suppress(subprocess.TimeoutExpired):
                out, err = process.communicate(timeout=0.2)
                self.process = None
                return process.returncode, out, err
            self._hurry()
            if seen != (seen := self.site.count()):
                heard = time.monotonic()
            assert time.monotonic() - heard < STALLED, f"the crawl neither goes on nor ends: {self.counters()}"

    def finished(self) -> dict[str, Any]:
        """Wait for the good end of the crawl: its summary."""
        code, out, err = self.ended()
        assert code == 0, err
        summary: dict[str, Any] = json.loads(out)
        return summary

    def finish(self) -> dict[str, Any]:
        """Start or resume the crawl, and wait for its good end."""
        self.start()
        return self.finished()

    def counters(self) -> str:
        """What the frontier counts, for whoever reads a failure."""
        with suppress(RedisError, OSError), self.redis() as redis:
            return str({key: redis.hgetall(key) for key in redis.scan_iter("*:cnt:*")})
        return "the server does not answer"

    def waiting(self, stream: str) -> int:
        """Entries of a stream that nobody acknowledged yet; 0 while the server does not answer."""
        with suppress(RedisError, OSError), self.redis() as redis:
            return int(redis.xlen(f"{PARTITION}:{stream}"))
        return 0

    def refusals(self) -> int:
        """How often the server said "OOM command not allowed"; 0 while it does not answer."""
        with suppress(RedisError, OSError), self.redis() as redis:
            return int(redis.info("errorstats").get("errorstat_OOM", {"count": 0})["count"])
        return 0

    @contextmanager
    def redis(self) -> Iterator[Redis]:
        """The server: the embedded one, as long as a command of the home runs."""
        path = str(socket_path(self.server or self.home / "server"))
        client = Redis(unix_socket_path=path, socket_timeout=1.0, retry=Retry(NoBackoff(), 0))
        try:
            yield client
        finally:
            client.close()

    def judge(self, summary: Mapping[str, Any], run: int = 1) -> None:
        """Every URL has its outcome, every planted picture is one hit with one sighting for each time that it is asked
        for, and nobody was asked too often.

        There are as many outcomes as URLs; that none has two and none is lost, the requests say: all that may be asked
        for was, by the server's own record."""
        plan = self.site.plan
        assert summary["urls"] == plan.urls
        assert self.site.asked() == plan.asked
        assert summary["run"] == run
        hits = self.vangnet.json("hits", "list")
        assert Counter(hit["image_url"] for hit in hits) == dict.fromkeys(plan.planted, 1)
        assert {hit["image_url"]: hit["sightings"] for hit in hits} == {url: plan.times(url) for url in plan.planted}
        assert self.site.impolite(self.rate, CONCURRENCY) == {}

    def close(self) -> None:
        """End what a failed test left running; nothing when all is well."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            # Nobody is left to stop the server; workers and recorder notice by themselves that they have no parent.
            with suppress(OSError, ValueError):
                victims.kill(victims.server(self.home))

    def _hurry(self) -> None:
        """Entries of a stream that a dead process held are taken over after a minute; here, they age faster."""
        if (now := time.monotonic()) < self._hurried + _HURRY:
            return
        self._hurried = now
        with suppress(RedisError, OSError), self.redis() as redis:
            for stream, group in (("disc", ADMITTERS), ("res", RECORDERS)):
                key = f"{PARTITION}:{stream}"
                pending: list[dict[str, Any]] = redis.xpending_range(key, group, "-", "+", 500, idle=_ABANDONED_MS)
                for entry in pending:
                    if entry["time_since_delivered"] < _OLD_MS:
                        number, consumer = entry["message_id"], entry["consumer"]
                        redis.xclaim(key, group, consumer, 0, [number], idle=_OLD_MS, justid=True)
