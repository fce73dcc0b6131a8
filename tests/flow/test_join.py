"""Workers of another machine: they join with REDIS_URL and the index alone, and leave when their key is revoked."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from crawler.bus.server import embedded_server
from tests.flow.test_crawl import sha256
from tests.servers.pictures import encoded, picture
from tests.servers.vangnet import Vangnet
from tests.servers.web import Answer, Site, html, image, serve

PASSWORD = "open-sesame"
PICTURE = encoded(picture(1))
# Nothing that a worker does goes through a proxy that its environment names.
ELSEWHERE = {"HTTP_PROXY": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1"}


def until(true: Callable[[], object], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.2)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The URL of a server that demands a password."""
    own = tmp_path / "server"
    own.mkdir(mode=0o700)
    with embedded_server(own) as running, Redis.from_url(running.url) as admin:
        admin.config_set("requirepass", PASSWORD)
        admin.execute_command("AUTH", PASSWORD)
        yield f"unix://:{PASSWORD}@{running.socket}"
        # So that the last one may stop it.
        admin.config_set("requirepass", "")


@pytest.fixture
def home(tmp_path: Path, server: str) -> Vangnet:
    """The home that starts campaigns and records hits."""
    (tmp_path / "a").mkdir()
    made = Vangnet(tmp_path / "a" / "home", environment={"REDIS_URL": server})
    made.hash_list(sha256(PICTURE))
    return made


@pytest.fixture
def elsewhere(tmp_path: Path, server: str) -> Vangnet:
    """The home of another machine."""
    (tmp_path / "b").mkdir()
    return Vangnet(tmp_path / "b" / "home", environment={"REDIS_URL": server, **ELSEWHERE})


@pytest.fixture
def released() -> threading.Event:
    """What the slow page of the site waits for, but for the first time that it is asked for."""
    return threading.Event()


@pytest.fixture
def site(released: threading.Event) -> Iterator[Site]:
    def slow(before: int) -> Answer:
        if before:
            released.wait(60)
        return html("at last")

    start = html('<img src="/listed.jpg"><a href="/slow">s</a>')
    with serve({"/": start, "/listed.jpg": image(PICTURE), "/slow": slow}) as found:
        yield found
        released.set()


@contextmanager
def ending(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that does not outlive a failed test."""
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def told(process: subprocess.Popen[str], seconds: float = 60) -> str:
    """What it wrote on stderr until its end."""
    return process.communicate(timeout=seconds)[1]


def copy_index(home: Vangnet, elsewhere: Vangnet) -> None:
    (index,) = (home.home / "index").glob("*.vgx")
    shutil.copy(index, elsewhere.home / "index")


def waits_for(home: Vangnet, *names: str) -> None:
    """Wait until these are the things that wait in the latest run, each by itself."""

    def so() -> bool:
        return (home.json("campaign", "status", "test")["waiting"] or {}) == dict.fromkeys(names, 1)

    until(so, f"nothing but {names}")


def test_a_worker_joins_from_elsewhere_and_is_sent_home(
    home: Vangnet, elsewhere: Vangnet, site: Site, released: threading.Event, tmp_path: Path
) -> None:
    written = tmp_path / "worker.log"
    home.json("campaign", "create", home.campaign(site.root + "/"))
    home.json("campaign", "start", "test")
    with ending(home.start("recorder")) as recorder:
        without = elsewhere.run("worker")
        assert (without.returncode, "copy it to" in without.stderr) == (1, True), without.stderr
        copy_index(home, elsewhere)
        # Paused runs keep a worker; else it would end with the first one.
        home.json("campaign", "create", home.campaign(site.root + "/never", name="other"))
        home.json("campaign", "start", "other")
        home.json("campaign", "pause", "other")
        with written.open("w") as log, ending(elsewhere.start("worker", log=log)) as worker:
            until(lambda: home.json("hits", "list"), "the hit")
            waits_for(home)
            # What comes while nobody records waits; a key that is revoked meanwhile makes it worthless.
            recorder.send_signal(signal.SIGTERM)
            said = told(recorder)
            assert home.json("campaign", "start", "test")["run"] == 2
            waits_for(home, "leased", "res")
            (known,) = [row for row in home.json("worker", "--list") if not row["name"].startswith("local-")]
            assert known["key"][:8] == known["name"].rpartition("-")[2]
            assert home.json("worker", "--revoke", known["name"])["revoked_at"] is not None
            with ending(home.start("recorder")) as second:
                waits_for(home, "leased")
                assert home.json("campaign", "status", "test")["counters"]["refused-results"] == 1
                until(lambda: "worker stops" in written.read_text(), "the worker to notice")
                released.set()
                assert worker.wait(60) == 3
                again = elsewhere.run("worker")
                assert (again.returncode, "was revoked" in again.stderr) == (3, True), again.stderr
                second.send_signal(signal.SIGTERM)
                said += told(second)
    (hit,) = home.json("hits", "list")
    assert (hit["run"], hit["sightings"]) == (1, 1)
    events = [(event["actor"], event["act"]) for event in home.json("audit", "list")]
    assert ("recorder", "workers.add") in events
    assert ("operator", "workers.revoke") in events
    assert "a worker joined" in said
    assert "whose key is not registered" in said
    assert without.stderr.count("asking to join") == 1
    stopped = written.read_text()
    assert stopped.splitlines()[-1].startswith("vangnet: this worker's key was revoked")
    assert "asking to join" not in stopped  # known by then
    assert PASSWORD not in said + without.stderr + stopped + again.stderr
