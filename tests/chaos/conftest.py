"""How much chaos: little and the same by default, more by option."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.crawling import Crawling
from tests.chaos.site import served

SEED, KILLS, CUT = 20_260, 13, 6.0
SMALL = (5, 8, 4)
"""Addresses, pages and images of a site on which one thing goes wrong."""


def skewed(listed: Path) -> dict[str, str]:
    """The environment of a crawl whose workers live in the wrong hour. listed: a file, see `skew/sitecustomize.py`."""
    return {"PYTHONPATH": str(Path(__file__).parent / "skew"), "VANGNET_SKEW": str(listed)}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("chaos", "tests/chaos, named on the command line")
    group.addoption("--chaos-seeds", type=int, default=1, help="How many storms, each with a schedule of its own.")
    group.addoption("--chaos-kills", type=int, default=KILLS, help="How much goes wrong in each.")
    group.addoption("--chaos-cut", type=float, default=CUT, help="Seconds that the network is cut.")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    # Where this directory is not named on the command line, its options do not exist.
    if "seed" in metafunc.fixturenames:
        seeds = int(metafunc.config.getoption("--chaos-seeds", 1))
        metafunc.parametrize("seed", range(SEED, SEED + seeds))


@pytest.fixture
def kills(pytestconfig: pytest.Config) -> int:
    """How many things go wrong in a storm."""
    return int(pytestconfig.getoption("--chaos-kills", KILLS))


@pytest.fixture
def cut_seconds(pytestconfig: pytest.Config) -> float:
    """How long the network is cut."""
    return float(pytestconfig.getoption("--chaos-cut", CUT))


CrawlOf = Callable[..., Crawling]


@pytest.fixture
def crawl_of(tmp_path: Path) -> Iterator[CrawlOf]:
    """Makes the crawl of a site of a given size: `crawl_of((addresses, pages, images), **fields of Crawling)`."""
    with ExitStack() as stack:

        def make(size: tuple[int, int, int], **fields: Any) -> Crawling:
            crawling = Crawling(stack.enter_context(served(*size)), tmp_path, **fields)
            stack.callback(crawling.close)
            return crawling

        yield make
