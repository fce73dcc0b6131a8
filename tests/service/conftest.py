from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.store.database import Database
from tests.store.factories import store_at


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with store_at(tmp_path) as opened:
        yield opened
