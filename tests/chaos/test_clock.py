"""Workers whose clocks are wrong: leases, slots and budgets go by the server's clock, so nothing changes."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from time import time

from tests.chaos.conftest import SMALL, CrawlOf

SKEW = Path(__file__).parent / "skew"


def test_workers_an_hour_off_in_both_directions_do_what_others_do(crawl_of: CrawlOf, tmp_path: Path) -> None:
    counted = tmp_path / "workers"
    crawling = crawl_of(SMALL, workers=2, environment={"PYTHONPATH": str(SKEW), "VANGNET_SKEW": str(counted)})
    crawling.judge(crawling.finish())
    assert counted.stat().st_size == crawling.workers
    # What a worker says of the time shows that its clock was wrong, whichever of the two found a picture first.
    found = [datetime.fromisoformat(hit["found_at"]).timestamp() for hit in crawling.vangnet.json("hits", "list")]
    assert found
    assert all(3_000 < abs(at - time()) < 4_200 for at in found)
