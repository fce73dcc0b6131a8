"""Workers whose clocks are wrong: leases, slots and budgets go by the server's clock, so nothing changes."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from time import time

import pytest

from tests.chaos import victims
from tests.chaos.conftest import CrawlOf, skewed
from tests.chaos.crawling import Crawling

HOUR = 3_600
SIZE = (5, 16, 4)


@pytest.mark.long
def test_workers_an_hour_off_in_both_directions_do_what_others_do(crawl_of: CrawlOf, tmp_path: Path) -> None:
    listed = tmp_path / "workers"
    crawling = crawl_of(SIZE, workers=2, environment=skewed(listed))
    crawling.start()
    crawling.until(lambda: bool(wrong(crawling)), "a first hit")
    # Whoever found it rests until the other one found something too.
    first = wrong(crawling)
    with victims.frozen(pid for pid, seconds in clocks(listed) if first == {seconds}):
        crawling.until(lambda: wrong(crawling) == {HOUR, -HOUR}, "a hit by the other worker")
    crawling.judge(crawling.finished())
    assert sorted(seconds for _, seconds in clocks(listed)) == [-HOUR, HOUR]


def clocks(listed: Path) -> list[tuple[int, int]]:
    """Every worker process that was started, and by how many seconds its clock is wrong."""
    return [(int(pid), int(seconds)) for pid, seconds in map(str.split, listed.read_text().splitlines())]


def wrong(crawling: Crawling) -> set[int]:
    """By how many hours, in seconds, the times are wrong that the hits were found at."""
    found = [datetime.fromisoformat(hit["found_at"]).timestamp() for hit in crawling.vangnet.json("hits", "list")]
    return {round((at - time()) / HOUR) * HOUR for at in found}
