"""A server that is emptied under workers and a recorder of their own: said once by each, and never taken for an end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from crawler.bus.server import embedded_server
from tests.flow.test_crawl import begun, many, sha256
from tests.flow.test_join import ending, told, until
from tests.servers.vangnet import Vangnet
from tests.servers.web import serve


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    own = tmp_path / "server"
    own.mkdir(mode=0o700)
    with embedded_server(own) as running:
        yield running.url


@pytest.mark.long
def test_an_emptied_server_is_not_a_finished_crawl(server: str, tmp_path: Path) -> None:
    vangnet = Vangnet(tmp_path / "home", environment={"REDIS_URL": server})
    vangnet.hash_list(sha256(b"something"))
    with serve(many(60)) as site, Redis.from_url(server) as redis:
        vangnet.json("campaign", "create", vangnet.campaign(site.root + "/", rate=20, concurrency=2))
        vangnet.json("campaign", "start", "test")
        with ending(vangnet.start("recorder")) as recorder, ending(vangnet.start("worker")) as worker:
            begun(site, 20)
            redis.flushall()
            said = told(worker)
            assert worker.returncode == 1
            assert said.count("was emptied or lost its data in mid-crawl") == 2  # in its log, and in its last line
            assert "Traceback" not in said
            assert vangnet.json("campaign", "status", "test")["state"] == "lost"
            # The recorder goes on: the campaign starts again, and what is found then is recorded.
            assert vangnet.json("campaign", "start", "test")["run"] == 2
            with ending(vangnet.start("worker")) as second:
                until(lambda: vangnet.json("campaign", "status", "test")["finished_at"], "the end of the second run")
                told(second)
            recorder.send_signal(signal.SIGTERM)
            said = told(recorder)
    assert (second.returncode, recorder.returncode) == (0, 0)
    assert said.count("was emptied or lost its data in mid-crawl") == 1
    assert "Traceback" not in said
    lost, again = vangnet.json("campaign", "show", "test")["history"]
    assert lost["summary"] == {"lost": True}
    assert again["run"] == 2
