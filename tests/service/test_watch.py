from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from crawler.options import Options
from crawler.service import watch
from crawler.service.watch import flood_rule, keep_watch, look
from crawler.store import alerts, audit
from crawler.store.database import Database

OPTIONS = Options(quarantine_domains=5)


def test_a_changed_threshold_is_on_record(db: Database) -> None:
    look(db, OPTIONS)
    look(db, OPTIONS)
    assert list(audit.events(db)) == []
    look(db, replace(OPTIONS, quarantine_domains=500))
    (event,) = audit.events(db)
    assert (event["act"], event["object"]) == ("thresholds.change", "quarantine_domains")
    assert event["detail"] == {"before": 5, "after": 500}


def test_alerts_are_looked_after_until_the_end(db: Database) -> None:
    with db.write():
        alerts.open_alert(db, "entry-quarantined", "entry-1")
        assert alerts.open_alert(db, "entry-quarantined", "entry-1") == alerts.open_alerts(db)[0].id
    opened = db.clock()
    db.clock = lambda: opened + OPTIONS.alert_escalation + 1

    async def until_stopped() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_soon(stop.set)
        await keep_watch(db, OPTIONS, stop)

    asyncio.run(until_stopped())
    assert alerts.open_alerts(db)[0].level == 2
    assert flood_rule(OPTIONS).domains == 5


async def test_trouble_with_the_home_is_tried_again(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_EVERY", 0.01)
    stop, tries = asyncio.Event(), 0

    def full(*_: object) -> None:
        nonlocal tries
        tries += 1
        if tries == 3:
            stop.set()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(watch, "tell", full)
    await asyncio.wait_for(keep_watch(db, OPTIONS, stop), 10)
    assert tries == 3
