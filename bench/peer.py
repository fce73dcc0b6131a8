"""Runs the stock recipe (bench/stock), beside a Redis server of its own, and watches how far it gets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from redis import Redis

from bench.processes import Account, Counts, Stretch, Window, window
from bench.product import Codes
from bench.serving import Gallery
from crawler.bus.server import start_server, stop_server

PROJECT = Path(__file__).parent / "stock"
COMMAND = [sys.executable, "-m", "scrapy", "crawl"]
FIRST = 300
"""Images before the window: by then both processes are warm, and their queues are filled."""


def peer_window(folder: Path, site: Gallery, codes: Codes, workers: int, seconds: float, server: int) -> Window:
    """A window of a crawl of the gallery by so many processes."""
    folder.mkdir()
    np.save(folder / "pdq.npy", codes)
    (folder / "sha256.txt").write_text("\n".join(site.planted))
    redis = start_server(folder, folder / "s.sock")
    try:
        with Redis.from_url(redis.url) as client, processes(folder, redis.url, workers) as running:
            client.rpush("images:start_urls", *(json.dumps({"url": url}) for url in site.seeds))
            pids = [process.pid for process in running]
            account = Account([*pids, int(client.info("server")["process_id"]), server])
            first, last = min(FIRST, site.images // 15), site.images * 9 // 10
            return window(lambda: look(client), account, Stretch(first, last, seconds, 120), running)
    finally:
        stop_server(redis)


@contextmanager
def processes(folder: Path, redis_url: str, workers: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The processes; they are ended with the block."""
    # A process a core: with the threads that faiss and numpy would start, it makes half as much.
    environment = os.environ | {"REDIS_URL": redis_url, "STOCK_HASHES": str(folder), "OMP_NUM_THREADS": "1"}
    running = []
    for number in range(workers):
        with (folder / f"scrapy-{number}.log").open("wb") as log:
            running.append(subprocess.Popen([*COMMAND, "images"], cwd=PROJECT, env=environment, stderr=log))
    try:
        yield running
    finally:
        for process in running:
            process.send_signal(signal.SIGKILL)
            process.wait()


def look(client: Redis) -> Counts:
    """The counters that the processes' extension keeps."""
    told = [client.hgetall(name) for name in client.scan_iter("stock:progress:*")]
    images, pages = (sum(int(each[name]) for each in told) for name in (b"images", b"pages"))
    return Counts(images, pages, client.llen("images:items"))
