"""Pausing, resuming and stopping a crawl from another command, and the emergency stop, as the web server sees them."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from crawler.bus.server import embedded_server
from tests.flow.test_crawl import begun, many, sha256
from tests.servers.names import names
from tests.servers.vangnet import Vangnet
from tests.servers.warm import warm_command
from tests.servers.web import Answer, Site, html, serve

SEEN_BY_WORKERS = 2.0
STOPPED = 5.0
WHOLE = {"discovered": 111, "fetched": 111, "failed": {}, "skipped": {}, "pending": 0}


@pytest.fixture
def vangnet(tmp_path: Path) -> Vangnet:
    made = Vangnet(tmp_path / "home", program=warm_command())
    made.hash_list(sha256(b"something"))
    return made


def rests(site: Site, crawl: subprocess.Popen[str], after: float) -> None:
    """No request arrives later than `after` seconds from now, and the crawl waits."""
    time.sleep(after)
    before = len(site.requests)
    time.sleep(1.0)
    assert len(site.requests) == before
    assert crawl.poll() is None


def summary(crawl: subprocess.Popen[str], code: int = 0) -> dict[str, object]:
    out, err = crawl.communicate(timeout=90)
    assert crawl.returncode == code, err
    found = json.loads(out)
    assert isinstance(found, dict)
    return found


def test_a_crawl_is_paused_resumed_stopped_and_taken_up_again(vangnet: Vangnet) -> None:
    with serve(many(100)) as site:
        # Slow, so that a command still meets it in mid-crawl on a machine that has other things to do.
        file = vangnet.campaign(site.root + "/", rate=20, concurrency=4)
        with vangnet.start("crawl", file, "--workers", 2, "--json") as crawl:
            begun(site, 30)
            assert vangnet.json("campaign", "pause", "test")["state"] == "paused"
            rests(site, crawl, SEEN_BY_WORKERS)
            status = vangnet.json("campaign", "status", "test")
            assert (status["state"], status["run"], status["dead_letters"]) == ("paused", 1, [])
            assert status["urls"]["pending"] == sum(n for name, n in status["waiting"].items() if name == "queued")
            asked = len(site.requests)
            assert vangnet.json("campaign", "resume", "test")["state"] == "running"
            resumed = time.monotonic()
            begun(site, asked + 1)
            assert time.monotonic() - resumed < SEEN_BY_WORKERS
            begun(site, asked + 20)
            assert vangnet.json("campaign", "stop", "test")["state"] == "stopped"
            time.sleep(SEEN_BY_WORKERS)
            asked = len(site.requests)
            stopped = summary(crawl, 130)
            assert len(site.requests) == asked
        assert stopped["urls"]["pending"] > 0
        assert vangnet.json("campaign", "status", "test")["state"] == "stopped"
        done = vangnet.json("crawl", file)
    assert (done["run"], done["urls"]) == (1, WHOLE)
    assert len(site.requests) == 112  # with robots.txt, and no URL twice
    status = vangnet.json("campaign", "status", "test")
    assert (status["state"], status["urls"]) == ("finished", WHOLE)
    acts = [event["act"] for event in vangnet.json("audit", "list")]
    assert [act for act in acts if act.startswith("campaigns.")] == [
        "campaigns.save",
        "campaigns.pause",
        "campaigns.resume",
        "campaigns.stop",
    ]


def test_a_stopped_host_rests_while_its_neighbours_go_on(vangnet: Vangnet) -> None:
    under_way: list[str] = []
    released = threading.Event()

    def slow(path: str) -> Callable[[int], Answer]:
        def answer(before: int) -> Answer:
            if not released.is_set():
                under_way.append(path)
                released.wait(60)
            return html("an end")

        return answer

    pages: dict[str, object] = {f"/a{n}": slow(f"/a{n}") for n in range(60)}
    pages |= {f"/b{n}": html("an end") for n in range(60)}
    pages |= {f"/{host}": html("".join(f'<a href="/{host}{n}">x</a>' for n in range(60))) for host in "ab"}
    with serve(pages) as site, names(a="127.0.0.1", b="127.0.0.1") as nameserver:
        file = vangnet.campaign(f"http://a.test:{site.port}/a", f"http://b.test:{site.port}/b", rate=60, concurrency=4)
        file.write_text(file.read_text() + f'nameservers = ["{nameserver}"]\n')
        with vangnet.start("crawl", file, "--json") as crawl:
            # All places of the address are taken by requests of a.test that have no answer.
            wait_for(lambda: len(under_way) == 4)
            assert vangnet.json("stop", "--host", "a.test")["changed"]
            limit = time.monotonic() + STOPPED
            wait_for(lambda: sum(path.startswith("/b") for _, path in site.requests) == 61)
            rests(site, crawl, max(limit - time.monotonic(), 0.0))
            assert [path for _, path in site.requests if path.startswith("/a")] == ["/a", *under_way]
            assert vangnet.json("campaign", "status", "test")["stops"] == 1
            released.set()
            vangnet.json("stop", "--host", "a.test", "--lift")
            done = summary(crawl)
    skipped = {"no-sitemap": 4}
    assert done["urls"] == {"discovered": 126, "fetched": 122, "failed": {}, "skipped": skipped, "pending": 0}
    # What was under way when the stop came is asked for once more. Nothing else is.
    assert len(under_way) == 4
    beside = {"/robots.txt", "/sitemap.xml", "/sitemap_index.xml"}
    asked = Counter(path for _, path in site.requests if path not in beside)
    assert asked == dict.fromkeys(pages, 1) | dict.fromkeys(under_way, 2)


def wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_stop_outlives_workers_and_ends_what_is_under_way(vangnet: Vangnet) -> None:
    released = threading.Event()

    def slow(before: int) -> Answer:
        if before == 0:
            released.wait(60)
        return html("at last")

    pages: dict[str, object] = {"/": html('<a href="/slow">s</a>'), "/slow": slow}
    vangnet.json("stop", "--all")
    with serve(pages) as site:
        file = vangnet.campaign(site.root + "/")
        with vangnet.start("crawl", file, "--json") as crawl:
            serving(vangnet)
            rests(site, crawl, 0.5)
            assert site.requests == []
            vangnet.json("stop", "--all", "--lift")
            begun(site, 3)
            vangnet.json("stop", "--prefix", "127.0.0.0/8")
            given_back(vangnet)
            vangnet.json("stop", "--prefix", "127.0.0.0/8", "--lift")
            done = summary(crawl)
        assert not released.is_set()
        released.set()
    assert done["urls"] == {"discovered": 2, "fetched": 2, "failed": {}, "skipped": {}, "pending": 0}
    assert site.asked("/slow") == 2


def serving(vangnet: Vangnet) -> None:
    """Wait until the worker has taken up the run."""
    log, deadline = vangnet.home / "logs" / "worker-1.log", time.monotonic() + 60
    while not (log.exists() and "serving a run" in log.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def given_back(vangnet: Vangnet) -> None:
    """Wait until the URL under way is queued again."""
    deadline = time.monotonic() + STOPPED
    while vangnet.json("campaign", "status", "test")["waiting"] != {"queued": 1}:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.long
def test_a_started_campaign_is_served_by_workers_from_elsewhere(vangnet: Vangnet, tmp_path: Path) -> None:
    own = tmp_path / "server"
    own.mkdir(mode=0o700)
    with embedded_server(own) as server, serve({"/": html("all there is")}) as site:
        vangnet = Vangnet(vangnet.home, environment={"REDIS_URL": server.url})
        vangnet.json("campaign", "create", vangnet.campaign(site.root + "/"))
        assert vangnet.json("campaign", "start", "test") == {"campaign": "test", "run": 1, "state": "running"}
        assert vangnet.run("campaign", "start", "test").returncode == 3
        with vangnet.start("recorder") as recorder:
            try:
                served(vangnet)
                assert vangnet.json("campaign", "start", "test")["run"] == 2
                served(vangnet)
            finally:
                recorder.terminate()
                recorder.communicate(timeout=30)
        history = vangnet.json("campaign", "show", "test")["history"]
    assert [run["summary"]["urls"]["fetched"] for run in history] == [1, 1]
    assert len(site.requests) == 4  # with robots.txt
    closed = [event for event in vangnet.json("audit", "list") if event["act"] == "runs.finish"]
    assert [event["actor"] for event in closed] == ["settler", "settler"]


def served(vangnet: Vangnet) -> None:
    """A worker comes, works, and goes: the recorder closes the run, and none is left that may go on."""
    with vangnet.start("worker") as worker:
        _, err = worker.communicate(timeout=60)
    assert worker.returncode == 0, err
