"""What is done to the hash lists while two workers crawl: seen within ten seconds, without a restart, nothing lost."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from crawler.bus.server import embedded_server
from tests.flow.test_crawl import sha256
from tests.flow.test_join import ending, until
from tests.servers.pictures import encoded, picture
from tests.servers.vangnet import Vangnet
from tests.servers.warm import warm_command
from tests.servers.web import Site, html, image, serve

KINDS = "abc"
PICTURES = {kind: encoded(picture(number)) for number, kind in enumerate(KINDS)}
OTHER = sha256(b"something else")
WITHIN = 10.0
STEADY = 0.6
MANY = 2_000


@dataclass
class Phase:
    """What was true between two acts. listed: the kinds of pictures that should be hits.  since, until: monotonic."""

    listed: str
    since: float
    until: float = 0.0


@dataclass
class Crawl:
    """A crawl that goes on, and what was done to its lists. took: act -> seconds until both workers knew."""

    vangnet: Vangnet
    site: Site
    logs: list[Path]
    phases: list[Phase] = field(default_factory=list)
    took: dict[str, float] = field(default_factory=dict)

    def act(self, listed: str, *command: object) -> None:
        """Run a command, wait until both workers follow, and let them work like that for a moment."""
        before = [self.told(log) for log in self.logs]
        if self.phases:
            self.phases[-1].until = time.monotonic()
        done = self.vangnet.run(*command)
        assert done.returncode == 0, done.stderr
        start = time.monotonic()
        until(
            lambda: all(self.told(log) > count for log, count in zip(self.logs, before, strict=True)),
            f"both workers to follow {command}",
            WITHIN,
        )
        now = time.monotonic()
        self.took[" ".join(map(str, command[:2]))] = now - start
        # What was on its way to a sandbox when the state came is matched as before.
        time.sleep(STEADY)
        self.phases.append(Phase(listed, now + STEADY / 2))

    @staticmethod
    def told(log: Path) -> int:
        return log.read_text().count("the hash lists changed")

    def list_file(self, name: str, *lines: str) -> Path:
        path = self.vangnet.home.parent / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return path


@pytest.fixture
def site() -> Iterator[Site]:
    start = html("".join(f'<img src="/{kind}/{number}.jpg">' for number in range(MANY // 3) for kind in KINDS))
    pages: dict[str, object] = {"/": start}
    for kind in KINDS:
        pages |= {f"/{kind}/{number}.jpg": image(PICTURES[kind]) for number in range(MANY // 3)}
    with serve(pages) as found:
        yield found


@pytest.fixture
def crawl(tmp_path: Path, site: Site) -> Iterator[Crawl]:
    own = tmp_path / "server"
    own.mkdir(mode=0o700)
    with ExitStack() as stack:
        server = stack.enter_context(embedded_server(own))
        environment = {"REDIS_URL": server.url, "VANGNET_REVISIT_SPACING": "0"}
        vangnet = Vangnet(tmp_path / "home", environment=environment, program=warm_command())
        vangnet.hash_list(sha256(PICTURES["a"]), OTHER, name="a")
        vangnet.hash_list(sha256(PICTURES["b"]), name="b")
        vangnet.json("campaign", "create", vangnet.campaign(site.root + "/", rate=45))
        vangnet.json("campaign", "start", "test")
        logs = [tmp_path / "one.log", tmp_path / "two.log"]

        def started(command: str, log: Path) -> subprocess.Popen[str]:
            return stack.enter_context(ending(vangnet.start(command, log=stack.enter_context(log.open("w")))))

        started("recorder", tmp_path / "recorder.log")
        workers = [started("worker", log) for log in logs]
        found = Crawl(vangnet, site, logs)
        until(lambda: all("serving a run" in log.read_text() for log in logs), "both workers", 240)
        until(lambda: vangnet.json("hits", "list"), "the first hit")
        yield found
        # Nobody was restarted over all that.
        assert [worker.poll() for worker in workers] == [None, None]
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        for worker in workers:
            assert worker.wait(60) == 0


def settled(vangnet: Vangnet) -> bool:
    """Whether nothing is on its way any more."""
    waiting = vangnet.json("campaign", "status", "test")["waiting"]
    return not {"leased", "res"} & waiting.keys()


def test_lists_change_under_a_crawl(crawl: Crawl) -> None:
    vangnet, site = crawl.vangnet, crawl.site
    first = vangnet.json("hashes", "lists")
    crawl.act("b", "hashes", "disable", "a")
    crawl.act("ab", "hashes", "enable", "a")
    crawl.act("b", "hashes", "import", crawl.list_file("a.txt", OTHER), "--list", "a")
    crawl.act("bc", "hashes", "import", crawl.list_file("c.txt", sha256(PICTURES["c"])), "--list", "c")
    crawl.act("c", "hashes", "drop", "b")
    until(lambda: all("a new index is in use" in log.read_text() for log in crawl.logs), "a new generation", 60)
    time.sleep(STEADY)
    crawl.phases[-1].until = time.monotonic()
    vangnet.json("campaign", "pause", "test")
    until(lambda: settled(vangnet), "what is on its way")

    hits = vangnet.json("hits", "list")
    found = {hit["image_url"].removeprefix(site.root): hit for hit in hits}
    assert len(found) == len(hits)
    assert {hit["sightings"] for hit in hits} == {1}
    for phase in crawl.phases:
        asked = [path for at, path in site.requests if phase.since < at < phase.until and path.endswith(".jpg")]
        assert {path[1] for path in asked} == set(KINDS), phase
        assert {path for path in asked if path in found} == {path for path in asked if path[1] in phase.listed}, phase
    facts = {(match["list"], match["list_version"]) for hit in hits for match in hit["matches"]}
    assert {("a", 1), ("c", 1)} <= facts
    marks = {path[1]: hit["mark"]["reason"] if hit["mark"] else None for path, hit in found.items()}
    assert marks == {"a": "entry-withdrawn", "b": "list-dropped", "c": None}
    assert len(first) == 2
    assert max(crawl.took.values()) < WITHIN
