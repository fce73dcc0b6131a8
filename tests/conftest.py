"""What all tests share: one directory of compiled kernels, and nothing from the environment of who runs them.

Nine tenths of the time go to few files: they come first, so that what is left at the end is short.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from crawler.sandbox.kernels import kernel_cache
from tests.servers.warm import warm_processes
from tests.store.factories import make_new_homes

pytest_plugins = ["tests.servers.redis"]

ROOT = Path(__file__).resolve().parents[1]
KERNELS = ROOT / ".pytest_cache" / "kernels"
SLOW = (
    "tests/chaos/",
    "tests/flow/",
    "tests/hostile/",
    "tests/contract/test_side_by_side.py",
    "tests/cli/",
    "tests/test_",
    "tests/fingerprint/",
    "tests/lab/",
    "tests/sandbox/",
    "tests/render/",
    "tests/discover/browser/",
    "tests/web/test_browser.py",
    "tests/web/test_live.py",
)
"""Where most of the time goes, the slowest first."""


@pytest.fixture(scope="session", autouse=True)
def own_environment() -> None:
    """Commands that tests start compile their kernels once, and take no home, user or server from outside."""
    for name in [name for name in os.environ if name.startswith(("VANGNET_", "REDIS_", "SCRAPY_"))]:
        del os.environ[name]
    # Commands start many times; without compiled modules each start takes seconds.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["VANGNET_KERNELS"] = str(KERNELS)


@pytest.fixture(scope="session", autouse=True)
def quick_crews(own_environment: None) -> Iterator[None]:
    """Crawls that tests call in their own process need not import everything for each of their processes."""
    with warm_processes(KERNELS):
        yield


@pytest.fixture(scope="session", autouse=True)
def new_homes(own_environment: None, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Most tests of commands, services and pages begin with an empty database."""
    make_new_homes(tmp_path_factory.mktemp("homes"))


def pytest_configure(config: pytest.Config) -> None:
    """Compile the kernels once, before every test process and the first crawls do so at the same time."""
    os.environ["NUMBA_CACHE_DIR"] = str(kernel_cache(KERNELS))
    gc.disable()  # until all tests are there: what collecting them makes stays
    # The same examples in every run; others with `--hypothesis-seed=N`.
    settings.register_profile("vangnet", derandomize=config.getoption("--hypothesis-seed") is None)
    settings.load_profile("vangnet")
    # Of several processes, this is the one that starts the others. Each of these compiles about half of the kernels.
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        halves = ("crawler.fingerprint.compute", "crawler.match.search")
        running = [subprocess.Popen([sys.executable, "-c", f"import {half}"], cwd=ROOT) for half in halves]
        modules = _module_compiler()
        assert [half.wait() for half in running] == [0, 0], "kernels do not compile"
        if modules is not None:
            modules.wait()


def _module_compiler() -> subprocess.Popen[bytes] | None:
    """A process that compiles all modules, where none are yet: each test process would do it, all at the same time.

    Whatever is wrong with one is told by the test processes.
    """
    if sys.dont_write_bytecode or (ROOT / "tests" / "web" / "__pycache__").exists():
        return None
    command = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "-p", "no:cacheprovider", "-p", "no:xdist"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, **quiet)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="Run the tests marked `long` too.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked `long` are further kinds of what another test shows already; `make test-long` runs them."""
    items.sort(key=_slowness)
    if config.getoption("--long"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in set(long)]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Thousands of tests and their modules are nothing that the collector need look through, again and again."""
    del session
    gc.enable()
    gc.collect()
    gc.freeze()


def _slowness(item: pytest.Item) -> int:
    """Place in `SLOW`; behind them all for the others."""
    return next((place for place, start in enumerate(SLOW) if item.nodeid.startswith(start)), len(SLOW))
