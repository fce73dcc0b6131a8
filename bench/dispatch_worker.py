"""`vangnet worker` that keeps a record of the slots of its leases: `python -m bench.dispatch_worker FILE ARGUMENTS…`.

It is the worker as it is, all of it; only what its frontier's `claim` and `reslot` answer is noted on the way. When the
worker has ended, FILE holds one JSON array per slot: URL, slot, when it was given (monotonic seconds of this machine).
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from unittest import mock

from crawler.cli.main import entry
from crawler.frontier.base import Claimed
from crawler.frontier.redis import RedisFrontier
from crawler.records import Lease

slots: list[tuple[str, float, float]] = []


class NotedFrontier(RedisFrontier):
    async def claim(self, pages: int, images: int, page_streaks: bool = True) -> Claimed:
        claimed = await super().claim(pages, images, page_streaks)
        now = time.monotonic()
        slots.extend((lease.item.url, lease.not_before, now) for lease in claimed.leases)
        return claimed

    async def reslot(self, lease: Lease, ahead: float = 0.0) -> Lease | None:
        found = await super().reslot(lease, ahead)
        if found is not None:
            slots.append((found.item.url, found.not_before, time.monotonic()))
        return found


def main() -> None:
    file = Path(sys.argv.pop(1))
    try:
        with mock.patch("crawler.parts.RedisFrontier", NotedFrontier):
            entry()
    finally:
        file.write_text("".join(f"{json.dumps(slot)}\n" for slot in slots))


if __name__ == "__main__":
    main()
