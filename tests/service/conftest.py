from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from crawler.bus.server import start_server, stop_server
from crawler.store.database import Database
from tests.store.factories import store_at


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with store_at(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with TemporaryDirectory(prefix="vg") as directory:
        running = start_server(Path(directory), Path(directory) / "s.sock")
        yield running.url
        stop_server(running)
