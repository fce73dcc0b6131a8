"""What all tests share: one directory of compiled kernels, and nothing from the environment of who runs them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest_plugins = ["tests.servers.redis"]

KERNELS = Path(__file__).resolve().parents[1] / ".pytest_cache" / "kernels"


@pytest.fixture(scope="session", autouse=True)
def own_environment() -> None:
    """Commands that tests start compile their kernels once, and take no home, user or server from outside."""
    for name in [name for name in os.environ if name.startswith(("VANGNET_", "REDIS_", "SCRAPY_"))]:
        del os.environ[name]
    # Commands start many times; without compiled modules each start takes seconds.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    KERNELS.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ["VANGNET_KERNELS"] = str(KERNELS)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="Run the tests marked `long` too.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked `long` are further kinds of what another test shows already; `make test-long` runs them."""
    if config.getoption("--long"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in set(long)]
