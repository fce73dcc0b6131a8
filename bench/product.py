"""The crawler as its users run it: a home, a list of hashes, a campaign, processes. The benchmarks' side of ours."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from redis import Redis

from bench.processes import Counts
from bench.report import progress
from crawler.bus.client import connect
from crawler.bus.server import embedded_server
from crawler.home import Home, open_home
from crawler.options import load_options
from crawler.parts import frontier_of
from crawler.records import RunId
from crawler.service.deployment import Server
from crawler.service.session import open_session
from crawler.service.steer import campaign_status

SETTINGS = "settings.lab"
KERNELS = Path("var/bench/kernels")
"""Compiled kernels stay here between benchmarks (0700): an installation's first crawl compiles for half a minute."""

_ABOUT = """
[campaign]
name = "{name}"
purpose = "benchmark"
legal_basis = "none, a benchmark on loopback"
authorised_by = "who runs it"
valid_until = 2099-01-01
[scope]
prefixes = ["127.0.0.0/8"]
"""

_CAMPAIGN = """
[seeds]
urls = {seeds}
[limits]
max_depth = 1000
max_urls_per_host = 1000000000
[[limits.address]]  # politeness off: these servers are ours
prefix = "127.0.0.0/8"
requests_per_second = {rate}
concurrency = 2
[network]
allow_private = true
"""


@dataclass(frozen=True, slots=True)
class Product:
    """A home and the server that its processes share, as a block of `product` has them."""

    home: Home
    redis_url: str
    redis_pid: int
    environment: dict[str, str] = field(repr=False)

    def run(self, *arguments: str) -> dict[str, Any]:
        """A command that prints JSON. Raises SystemExit with what it complained of."""
        with self.start(*arguments, "--json") as process:
            out, complaint = process.communicate()
        if process.returncode != 0:
            raise SystemExit(f"vangnet {' '.join(arguments[:2])} failed: {complaint.strip()[-300:]}")
        found: dict[str, Any] = json.loads(out)
        return found

    def start(self, *arguments: str, log: IO[str] | int = subprocess.PIPE) -> subprocess.Popen[str]:
        """A command that goes on running. log: where stderr goes."""
        command = [sys.executable, "-m", "crawler", "--home", str(self.home.root), "--settings", SETTINGS, *arguments]
        return subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=log, text=True)

    def campaign(self, name: str, seeds: Sequence[str], rate: int = 10_000) -> Path:
        """The file of a new campaign, for loopback only. rate: requests a second to an address."""
        return self.kept(name, _CAMPAIGN.format(seeds=json.dumps(list(seeds), indent=0), rate=rate))

    def kept(self, name: str, rules: str) -> Path:
        """The file of a new campaign, which is kept. rules: its seeds, limits and network."""
        path = self.home.root / f"{name}.toml"
        path.write_text(about(name) + rules)
        self.run("campaign", "create", str(path))
        return path

    def hash_list(self, name: str, lines: Iterable[str]) -> None:
        """Import a list. lines: `<type> <hash>`."""
        path = self.home.root / f"{name}.txt"
        with path.open("w") as written:
            written.writelines(f"{line}\n" for line in lines)
        self.run("hashes", "import", str(path), "--list", name)

    def look(self, name: str) -> Counts | None:
        """How far a campaign's run is; None when there is none, or it has ended."""
        found = self._status(name)
        return None if found["counters"] is None else counted(found["counters"])

    @contextmanager
    def watching(self, name: str) -> Iterator[Callable[[], Counts | None]]:
        """`look` for a measurement on the machine that is measured: one command to the server once there is a run.

        A status reads a hundred things over a connection of its own, which costs as much as several images.
        """
        run: RunId | None = None

        def look() -> Counts | None:
            nonlocal run
            if run is None:
                found = self._status(name)
                run = RunId(name, found["run"]) if found["counters"] is not None else None
            tally = {} if run is None else runner.run(frontier.counts(run)).tally
            return counted(tally) if tally else None

        with asyncio.Runner() as runner:
            client = runner.run(connect(self.redis_url))
            frontier = frontier_of(client, load_options(SETTINGS))
            try:
                yield look
            finally:
                runner.run(client.aclose())

    def _status(self, name: str) -> dict[str, Any]:
        server = Server(load_options(SETTINGS), self.redis_url)
        with open_session(self.home, None) as at:
            return campaign_status(at.db, at.actor, server, name, letters=0)


def counted(tally: Mapping[str, int]) -> Counts:
    """A run's counters, as far as benchmarks look at them."""
    return Counts(tally.get("images", 0), tally.get("pages", 0), tally.get("hits", 0))


def about(name: str) -> str:
    """What stands first in the campaign file of every benchmark: its name, and that it is for loopback only."""
    return _ABOUT.format(name=name)


@contextmanager
def product(root: Path, **options: object) -> Iterator[Product]:
    """A new home below `root`, with its server running. options: of the installation, such as image_concurrency."""
    KERNELS.mkdir(mode=0o700, parents=True, exist_ok=True)
    home = open_home(root / "home", lab=True)
    kernels = os.environ.get("VANGNET_KERNELS") or str(KERNELS.absolute())
    with embedded_server(home.server) as server:
        with Redis.from_url(server.url) as client:
            pid = int(client.info("server")["process_id"])
        given = {f"VANGNET_{name.upper()}": str(value) for name, value in options.items()}
        environment = os.environ | given | {"REDIS_URL": server.url, "VANGNET_KERNELS": kernels}
        yield Product(home, server.url, pid, environment)


@contextmanager
def stopped(process: subprocess.Popen[str], patience: float = 60.0) -> Iterator[subprocess.Popen[str]]:
    """Interrupts the process when the block is over and waits for its end."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            _, complaint = process.communicate(timeout=patience)
            if process.returncode not in (0, 130):
                progress(f"vangnet ended with {process.returncode}: {(complaint or '')[-500:]}")
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


Codes = npt.NDArray[np.uint8]


def random_codes(count: int) -> Codes:
    """(count, 32) codes of independent fair bits: a list of hashes that stands for no image."""
    return np.random.default_rng(7).integers(0, 256, (count, 32), dtype=np.uint8)


def import_codes(ours: Product, codes: Codes, digests: Sequence[str]) -> None:
    """Import a list of PDQ codes and of sha256 digests."""
    progress(f"importing a list of {len(codes):,} codes")
    text = codes.tobytes().hex()
    exact = (f"sha256 {digest}" for digest in digests)
    ours.hash_list("known", chain(exact, (f"pdq {text[at : at + 64]}" for at in range(0, len(text), 64))))
