"""The network between workers and server is cut for longer than a lease lives, and whoever was away comes back."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from crawler.bus.server import embedded_server, socket_path
from tests.chaos import victims
from tests.chaos.conftest import CUT, CrawlOf
from tests.chaos.crawling import CONCURRENCY, RATE, Crawling
from tests.servers.cable import Cut, cable

SLOTS = 1 + int(0.1 * RATE / 1.1)
"""Of a streak at the most: those within the lookahead (docs/adr/0040). An address gives one while a place is free."""
ADDRESSES, PAGES, IMAGES = 12, 20, 8
LAST = 2.5
"""Seconds after a cut in which the last requests arrive: within their leases."""
ENOUGH = 20
"""Requests that show that a worker works."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "how" in metafunc.fixturenames:
        longer = float(metafunc.config.getoption("--chaos-cut", CUT)) > CUT
        usual = Cut.CLOSED if "worker" in metafunc.function.__name__ else Cut.HELD
        metafunc.parametrize("how", list(Cut) if longer else [usual])


def test_a_cut_between_all_processes_and_the_server_loses_nothing(
    crawl_of: CrawlOf, tmp_path: Path, cut_seconds: float, how: Cut
) -> None:
    own = tmp_path / "server"
    own.mkdir(mode=0o700)
    with embedded_server(own) as server, cable(server.socket) as line:
        environment = {"REDIS_URL": line.url}
        crawling = crawl_of((ADDRESSES, PAGES, IMAGES), workers=2, environment=environment, server=own)
        assert crawling.site.plan.size >= 2_000
        crawling.start()
        crawling.asked(500)
        begun = time.monotonic()
        line.cut(how)
        time.sleep(LAST)
        before = crawling.site.count()
        time.sleep(cut_seconds - LAST)
        assert crawling.site.count() == before < crawling.site.plan.size / 2
        line.mend()
        crawling.judge(crawling.finished())
    # At most what was under way is asked for again, once, where its leases ran out before the outcome was known.
    repeats = crawling.site.repeats()
    assert len(repeats) <= ADDRESSES * (CONCURRENCY - 1 + SLOTS)
    for url, times in repeats.items():
        assert len(times) == crawling.site.plan.times(url) + 1
        assert times[0] < begun + LAST < begun + cut_seconds <= times[-1]


@pytest.mark.long
def test_a_worker_that_was_cut_off_loses_its_leases_and_comes_back(
    crawl_of: CrawlOf, tmp_path: Path, cut_seconds: float, how: Cut
) -> None:
    # The home's own worker goes on meanwhile, and must not come to the end.
    crawling = crawl_of((ADDRESSES, round(PAGES * cut_seconds / CUT), IMAGES), rate=16.0)
    assert crawling.site.plan.size >= 2_000
    crawling.start()
    crawling.asked(1)
    with ExitStack() as stack:
        line = stack.enter_context(cable(socket_path(crawling.home / "server")))
        with victims.frozen(victims.workers(crawling.pid)):
            worker = stack.enter_context(guest(crawling, line.url, tmp_path / "guest"))
            crawling.asked(crawling.site.count() + ENOUGH)
            line.cut(how)
        before = crawling.site.count()
        time.sleep(cut_seconds)
        assert crawling.site.count() > before + ENOUGH
        line.mend()
        with victims.frozen(victims.workers(crawling.pid)):
            crawling.asked(crawling.site.count() + ENOUGH)
        crawling.judge(crawling.finished())
        # The embedded server went with the crawl; without one, a worker still ends when it is told to.
        worker.terminate()
        assert worker.wait(60) == 0


@contextmanager
def guest(crawling: Crawling, url: str, log: Path) -> Iterator[subprocess.Popen[str]]:
    """One more worker, which came from elsewhere and serves the crawl; the server is at `url`."""
    vangnet = replace(crawling.vangnet, environment={**(crawling.vangnet.environment or {}), "REDIS_URL": url})
    with log.open("w") as written:
        worker = vangnet.start("worker", log=written)
    assert worker.stdout is not None
    try:
        crawling.until(lambda: "serving a run" in log.read_text(), "a guest")
        yield worker
    finally:
        worker.kill()
        worker.wait()
        worker.stdout.close()
