"""Campaigns steered from the desk, as the server that is crawled sees it: a real worker, recorder and browser."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Browser, Locator, expect

from crawler.bus.server import embedded_server
from tests.flow.test_crawl import many, sha256
from tests.servers.vangnet import Vangnet
from tests.servers.web import Site, serve
from tests.web.chromium import NEEDED, chromium, narrow_enough, opened, served

__all__ = ["chromium"]
pytestmark = NEEDED
SEEN_BY_WORKERS = 2.0


def rests(site: Site) -> int:
    """No request comes any more, once workers know; how many came."""
    time.sleep(SEEN_BY_WORKERS)
    before = len(site.requests)
    time.sleep(0.7)
    assert len(site.requests) == before
    return before


def goes_on(site: Site, above: int) -> None:
    deadline = time.monotonic() + 60
    while len(site.requests) <= above + 5:
        assert time.monotonic() < deadline, "nothing is asked for"
        time.sleep(0.05)


def test_a_campaign_is_started_paused_resumed_and_stopped_at_the_desk(chromium: Browser, tmp_path: Path) -> None:
    (tmp_path / "server").mkdir(mode=0o700)
    troubles: list[str] = []
    with embedded_server(tmp_path / "server") as server, serve(many(400)) as site, ExitStack() as stack:
        at = {"REDIS_URL": server.url}
        vangnet = Vangnet(tmp_path / "home", environment=at)
        vangnet.hash_list(sha256(b"something"))
        file = vangnet.campaign(site.root + "/", rate=40, concurrency=2)
        assert vangnet.run("campaign", "create", file).returncode == 0
        url = stack.enter_context(served(vangnet.home, "settings.lab", **at))
        page = opened(chromium, 1280, troubles, set())
        page.goto(url)
        if page.get_by_role("button", name="Sign in").count():
            page.get_by_label("Name").fill("anna")
            page.get_by_role("button", name="Sign in").click()
        page.goto(f"{url}campaigns/test")
        page.get_by_role("button", name="Start a run").click()
        state: Locator = page.locator(".run .tag")
        expect(state).to_have_text("running")
        for command in ("recorder", "worker"):
            log = stack.enter_context((tmp_path / f"{command}.log").open("w"))
            stack.callback(stack.enter_context(vangnet.start(command, log=log)).terminate)
        goes_on(site, 0)
        fetched = page.locator(".figures div", has_text="fetched").locator("dd")
        expect(fetched).not_to_have_text("0")  # without anybody who asks the page again

        page.get_by_role("button", name="Pause").click()
        expect(state).to_have_text("paused")
        asked = rests(site)
        page.screenshot(path=tmp_path / "campaign-1280.png", full_page=True)
        page.get_by_role("button", name="Resume").click()
        expect(state).to_have_text("running")
        goes_on(site, asked)
        page.get_by_role("button", name="Stop").click()
        expect(state).to_have_text("stopped")
        assert rests(site) < 402
        page.set_viewport_size({"width": 400, "height": 900})
        assert narrow_enough(page)
        page.screenshot(path=tmp_path / "campaign-400.png", full_page=True)
        acts = [(event["actor"], event["act"]) for event in vangnet.json("audit", "list")]
        steered = [f"campaigns.{act}" for act in ("pause", "resume", "stop")]
        assert [act for _, act in acts if act in ("runs.start", *steered)] == ["runs.start", *steered]
    assert troubles == []
