from __future__ import annotations

import multiprocessing
from pathlib import Path

from crawler.home import open_home
from crawler.store import audit
from crawler.store.database import open_store
from crawler.store.hits import record
from tests.store.factories import ANNA, ATTRIBUTION, report, store_at

PROCESSES = 3


def work(root: Path, number: int) -> bytes:
    """Open the same new home, write what others write too, and something of one's own."""
    with open_store(open_home(root / "home", lab=True)) as db:
        for _ in range(3):
            record(db, report("same for all"), ATTRIBUTION)
            with db.write():
                audit.append(db, ANNA, "test", str(number))
        return db.sealer.mask_key()


def test_processes_that_open_a_new_home_at_once_agree(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(PROCESSES) as pool:
        keys = pool.starmap(work, [(tmp_path, number) for number in range(PROCESSES)])
    assert len(set(keys)) == 1
    with store_at(tmp_path) as db:
        assert db.value("SELECT count(*) FROM sightings") == 1
        assert audit.verify(db) == audit.Verdict(3 * PROCESSES + 1)
