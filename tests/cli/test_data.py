"""`vangnet data load` and `update`, as a person at a terminal sees them, against a server on loopback."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from crawler.errors import StoreUnavailable
from tests.attribute.excerpts import TEXTS, write
from tests.cli.running import Run, runner


class Published(BaseHTTPRequestHandler):
    """Publishes the excerpts under their names, and answers that are not as announced."""

    def do_GET(self) -> None:
        name, _, licence = self.path[1:].partition("?")
        if name == "moved":
            self.send_response(302)
            self.send_header("Location", "/delegated")
            self.end_headers()
            return
        text = TEXTS.get(name.removesuffix("-short"))
        if text is None:
            self.send_error(404 if licence != "key=hidden" else 403)
            return
        content = text.encode() if isinstance(text, str) else text
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:-9] if name.endswith("-short") else content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), Published)
    thread = Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{made.server_address[1]}"
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(monkeypatch, capsys, "--settings", "settings.lab", "--home", str(home))


def test_files_are_loaded_and_used(run: Run, tmp_path: Path) -> None:
    done = run("data", "load", *write(tmp_path / "files"), "--json").document()
    assert done["refused"] == {}
    assert {row["name"] for row in done["loaded"]} >= {"inetnum", "country-inetnum", "origin-ris-4", "public-suffixes"}
    status = run("data", "status", "--json").document()
    assert status["suffixes"] == {"source": "Public Suffix List", "version": "2026-06-16"}
    assert all(row["loaded_at"] and row["origin"] for row in status["tables"])
    found = run("attribute", "http://45.9.1.130/a", "--no-reverse", "--json").document()
    assert (found["hoster"]["network"], found["sponsor"]) == ("Küche", "Polder Hosting B.V.")
    assert [row["country"] for row in found["countries"]] == ["NL", "NL"]
    assert {row["source"] for row in found["countries"]} == {
        "RIPE database, inetnum",
        "ripencc delegation statistics",
    }
    assert found["abuse"]["contact"] == "abuse@polder.example"
    assert found["abuse"]["found"]["date"] == "2026-06-12"
    assert "NOMB1-RIPE" in found["abuse"]["rejected"][0]["fact"]
    assert (found["cdn"], found["reverse_dns"], found["cohosted"]) == (None, None, {"domains": [], "total": 0})
    assert run("scope", "45.9.0.1", "--json").code == 0
    shown = run("attribute", "45.9.1.130", "--no-reverse").out
    assert "Polder Hosting B.V." in shown
    (event,) = [each for each in run("audit", "list", "--json").document() if each["act"] == "data.load"]
    assert {row["name"] for row in event["detail"]["tables"]} == {row["name"] for row in done["loaded"]}


def test_a_bad_file_is_one_line_and_changes_nothing(run: Run, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.write_text("64496\t45.9.0.0/22\t340\nnonsense\n")
    ran = run("data", "load", *write(tmp_path / "files", "delegated"), bad)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        f"vangnet: {bad}: line 2: is not 'origin<TAB>prefix<TAB>peers'; it is cut off or another format\n"
    )
    assert [row["kind"] for row in run("data", "status", "--json").document()["tables"]] == ["suffixes"]
    assert run("data", "load", tmp_path / "absent").err.endswith("cannot be read: No such file or directory\n")
    assert run("data", "load").code == 2
    assert run("data", "load", bad, "--as", "nonsense").code == 2


def test_what_cannot_be_recorded_is_not_loaded(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **named: object) -> None:
        raise StoreUnavailable("the disk fails or is full")

    monkeypatch.setattr("crawler.service.data.audit.append", full)
    ran = run("data", "load", *write(tmp_path / "files", "delegated"))
    assert (ran.code, ran.err) == (1, "vangnet: the disk fails or is full\n")
    assert [row["kind"] for row in run("data", "status", "--json").document()["tables"]] == ["suffixes"]


def test_no_room_for_tables_is_one_line_and_changes_nothing(run: Run, home: Path, tmp_path: Path) -> None:
    run("data", "load", *write(tmp_path / "files", "delegated"))
    lines = "".join(f"64496\t45.{n >> 8}.{n & 255}.0/24\t300\n" for n in range(4_000))
    (tmp_path / "routes").write_text(lines)
    before = sorted(path.name for path in (home / "tables" / "loaded").iterdir())
    options = ("--home", home, "--settings", "settings.lab")
    ended = subprocess.run(
        [sys.executable, "-m", "crawler", *options, "data", "load", tmp_path / "routes"],
        # The kernel refuses to let a file grow beyond this; to a program that is what a full disk is.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40 << 10, 40 << 10)),
        # Compiled modules would be cut off as well, and stay.
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
    assert "cannot hold the tables: File too large; make room or mend it" in ended.stderr
    assert sorted(path.name for path in (home / "tables" / "loaded").iterdir()) == before
    (row, _) = run("data", "status", "--json").document()["tables"]
    assert row["name"] == "country-ripencc"


def test_what_a_killed_update_fetched_is_removed_by_the_next(
    run: Run, home: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = home / "tables" / ".fetched-left"
    left.mkdir(parents=True)
    (left / "0").write_text("half")
    at_work = home / "tables" / ".fetched-at-work"
    at_work.mkdir()
    monkeypatch.setenv("VANGNET_DATA_SOURCES", f"{server}/delegated")
    opened = os.open(at_work, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        assert run("data", "update").code == 0
    finally:
        os.close(opened)
    assert [path.name for path in (home / "tables").glob(".fetched*")] == [".fetched-at-work"]


def test_update_takes_what_is_published(run: Run, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["moved", *(name for name in TEXTS if name != "delegated")]
    monkeypatch.setenv("VANGNET_DATA_SOURCES", " ".join(f"{server}/{name}" for name in names))
    done = run("data", "update", "--json").document()
    assert len(done["loaded"]) == len(TEXTS) + 2, "two tables of each dump of networks"
    assert run("scope", "45.9.0.1", "--json").document()["reason"] == "country"


def test_update_keeps_what_it_cannot_replace(run: Run, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ("delegated", "routes4-short", "absent", "secret?key=hidden")
    monkeypatch.setenv("VANGNET_DATA_SOURCES", " ".join(f"{server}/{name}" for name in wanted))
    ran = run("data", "update", "--json")
    done = json.loads(ran.out)
    assert ran.code == 1
    assert [row["name"] for row in done["loaded"]] == ["country-ripencc"]
    assert done["refused"] == {
        f"{server}/routes4-short": "the answer broke off",
        f"{server}/absent": "HTTP status 404",
        f"{server}/secret": "HTTP status 403",
    }
    assert "hidden" not in ran.out + ran.err, "an address may hold a licence key"
    assert f"not taken: {server}/absent: HTTP status 404" in ran.err


def test_without_a_network_that_is_said(run: Run, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    port = int(server.rpartition(":")[2])
    dead = "http://127.0.0.1:9" if port != 9 else "http://127.0.0.1:10"
    monkeypatch.setenv("VANGNET_DATA_SOURCES", f"{dead}/a {dead}/b")
    ran = run("data", "update")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"vangnet: nothing could be fetched ({dead}/a: cannot be reached (")
    assert "is there a network? `vangnet data load FILE...` takes files" in ran.err
    assert len(ran.err.splitlines()) == 1
    monkeypatch.setenv("VANGNET_DATA_SOURCES", "nonsense")
    assert run("data", "update").code == 1
