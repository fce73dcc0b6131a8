"""How much chaos: little and the same by default, more by option."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.crawling import Crawling
from tests.chaos.site import served

SEED, KILLS = 20_260, 11
SMALL = (5, 8, 4)
"""Addresses, pages and images of a site on which one thing goes wrong."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("chaos", "tests/chaos, named on the command line")
    group.addoption("--chaos-seeds", type=int, default=1, help="How many storms, each with a schedule of its own.")
    group.addoption("--chaos-kills", type=int, default=KILLS, help="How much goes wrong in each.")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    # Where this directory is not named on the command line, its options do not exist.
    if "seed" in metafunc.fixturenames:
        seeds = int(metafunc.config.getoption("--chaos-seeds", 1))
        metafunc.parametrize("seed", range(SEED, SEED + seeds))


@pytest.fixture
def kills(pytestconfig: pytest.Config) -> int:
    """How many things go wrong in a storm."""
    return int(pytestconfig.getoption("--chaos-kills", KILLS))


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
