"""A night as a timer starts it: a kept campaign, a planned time, and the crawl that comes of it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from crawler.lab.demo import prepare
from crawler.lab.demo_home import demo_home
from crawler.lab.process import Lab
from crawler.options import load_options
from crawler.service.campaigns import create_campaign
from crawler.service.embedded import server_of
from crawler.service.schedule import Duty, add_schedule, list_schedules, run_due
from crawler.service.session import open_session
from crawler.store import campaigns
from tests.flow.conftest import SETTINGS, new_root


@pytest.mark.long
def test_a_planned_campaign_is_crawled(tmp_path: Path, kernels: Path) -> None:
    options = load_options(SETTINGS)
    root = new_root(tmp_path, kernels)
    with demo_home(root) as home, Lab(["galerij"]) as lab, open_session(home, None) as session:
        db, actor = session.db, session.actor
        order = prepare(home, lab, session, SETTINGS)("")
        made, _ = create_campaign(db, actor, order.file, lab=True)
        now = time.time()
        db.clock = lambda: now - 86_400
        add_schedule(db, actor, "night", "0 2 * * *", campaign=made["name"], window_hours=24.0)
        db.clock = time.time
        with server_of(home, options) as url:
            (done,) = run_due(Duty(home, options, db, actor, SETTINGS, url))
        assert (done["result"], done["schedule"]) == ("done", "night")
        assert done["detail"].startswith("run 1, ") and not done["detail"].startswith("run 1, 0")
        (run,) = campaigns.runs(db, made["name"])
        assert run.finished_at is not None
        assert list_schedules(db, actor)[0]["runs"][0]["result"] == "done"
