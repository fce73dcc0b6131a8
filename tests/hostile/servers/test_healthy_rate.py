"""A worker with every hostile server on both its lanes serves healthy servers as fast as without them.

What a healthy server may be asked is held down by its politeness, so that its rate without hostile servers is known
before, and does not depend on the machine as long as the worker is in time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path
from threading import Thread

from crawler.bus.server import embedded_server
from tests.flow.test_crawl import sha256
from tests.flow.test_join import ending, until
from tests.servers.pictures import encoded, picture
from tests.servers.vangnet import Vangnet
from tests.servers.warm import warm_command
from tests.servers.web import Answer, Site, Visit, html, image, receive

from .catalogue import CATALOGUE
from .certificates import Authority
from .test_hostile_crawl import seeded

HEALTHY, RATE, COUNTED, SITE = 4, 2.0, 12, 60
"""Servers, requests a second at each, how many of them are timed, and URLs of a site: it never runs dry."""
DEADLINES = {"CONNECT_TIMEOUT": "3", "HEADER_TIMEOUT": "5", "IDLE_TIMEOUT": "5", "TOTAL_TIMEOUT": "15", "ATTEMPTS": "2"}
LANES = {"PAGE_CONCURRENCY": "16", "IMAGE_CONCURRENCY": "32"}
"""Half of the usual ones: fewer than there are servers that say nothing."""
LIMITS = 'robots = "record"\nrobots_basis = "a test"\nmax_image_bytes = 2000000'
PLANTED = encoded(picture(1, (120, 90)))


def healthy(visit: Visit) -> Answer:
    """A front page that links pages, each with one image of its own."""
    if visit.path == "/":
        return html("".join(f'<a href="/{number}.html">more</a>' for number in range(SITE // 2)))
    name, _, ending = visit.path[1:].partition(".")
    if ending == "html":
        return html(f'<img src="/{name}.jpg">')
    return image(PLANTED + name.encode()) if ending == "jpg" else (404, {}, b"not here")


@contextmanager
def sites(network: int) -> Iterator[list[Site]]:
    with ExitStack() as stack:
        yield [stack.enter_context(receive(healthy, f"127.0.{network}.{n + 1}")) for n in range(HEALTHY)]


@contextmanager
def hostile(directory: Path) -> Iterator[list[str]]:
    """URLs of all hostile servers, which run in a thread."""
    authority, ready, over = Authority(directory), Future[list[str]](), asyncio.Event()

    async def run() -> None:
        async with AsyncExitStack() as stack:
            urls = [await seeded(stack, each, n, authority) for n, each in enumerate(CATALOGUE)]
            ready.set_result(urls)
            await over.wait()

    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        thread = Thread(target=lambda: runner.run(run()))
        thread.start()
        try:
            yield ready.result(timeout=30)
        finally:
            loop.call_soon_threadsafe(over.set)
            thread.join()


def rate(visited: Sequence[Site]) -> float:
    """Requests a second at the slowest of the servers, from its first page or image on."""
    times = [[at for at, path in site.requests if path not in ("/", "/robots.txt")][:COUNTED] for site in visited]
    return min((COUNTED - 1) / (each[-1] - each[0]) for each in times)


def served(visited: Sequence[Site]) -> None:
    until(lambda: min(len(site.requests) for site in visited) >= COUNTED + 2, "the healthy servers' requests", 120)


def test_healthy_servers_beside_all_hostile_ones_keep_their_rate(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir(mode=0o700)
    with (
        embedded_server(tmp_path / "server") as redis,
        sites(7) as alone,
        sites(8) as beside,
        hostile(tmp_path) as bad,
        (tmp_path / "worker.log").open("w") as log,
    ):
        shown = "".join(f'<img src="{url}{n}.jpg">' for url in bad for n in range(2))
        with receive(lambda visit: html(shown), "127.0.10.1") as lure:
            environment = {f"VANGNET_{name}": value for name, value in (DEADLINES | LANES).items()}
            vangnet = Vangnet(
                tmp_path / "home", environment={"REDIS_URL": redis.url, **environment}, program=warm_command()
            )
            vangnet.hash_list(sha256(PLANTED))
            for name, found in (("alone", alone), ("beside", [lure, *beside])):
                urls = [*[site.root + "/" for site in found], *(bad if name == "beside" else ())]
                file = vangnet.campaign(*urls, name=name, rate=RATE, concurrency=2, limits=LIMITS)
                vangnet.json("campaign", "create", file)
            vangnet.json("campaign", "start", "alone")
            with ending(vangnet.start("worker", log=log)) as worker:
                served(alone)
                vangnet.json("campaign", "start", "beside")
                served(beside)
                assert worker.poll() is None
    assert rate(alone) > 0.8 * RATE  # or the other one would prove nothing
    assert rate(beside) >= 0.9 * rate(alone)
