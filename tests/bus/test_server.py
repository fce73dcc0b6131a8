"""The embedded server: private, shared by the commands of a home, stopped by the last one, recovered after kill -9."""

from __future__ import annotations

import ctypes
import os
import signal
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from redis import Redis

from crawler.bus import binary
from crawler.bus import server as server_module
from crawler.bus.binary import ServerBinary, Writer, choose_binary
from crawler.bus.server import embedded_server, socket_path
from crawler.errors import HomeUnusable, RedisUnavailable


@pytest.fixture(autouse=True)
def short_runtime_directory(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("r")))


PR_SET_CHILD_SUBREAPER = 36


def pid_of(url: str) -> int:
    with Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])


def test_it_is_private_keeps_an_append_only_file_and_never_evicts(tmp_path: Path) -> None:
    with embedded_server(tmp_path) as server:
        mode = server.socket.stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) & 0o077 == 0
        with Redis.from_url(server.url) as client:
            settings = client.config_get()
        assert settings["port"] == "0"
        assert settings["appendonly"] == "yes"
        assert settings["maxmemory-policy"] == "noeviction"
    assert not server.socket.exists()


def test_a_second_command_joins_and_the_last_one_stops_it(tmp_path: Path) -> None:
    with embedded_server(tmp_path) as first:
        pid = pid_of(first.url)
        with embedded_server(tmp_path) as second:
            assert pid_of(second.url) == pid
        assert pid_of(first.url) == pid
    gone(pid)


def test_what_was_written_is_there_at_the_next_start(tmp_path: Path) -> None:
    with embedded_server(tmp_path) as server, Redis.from_url(server.url) as client:
        client.set("kept", "1")
    with embedded_server(tmp_path) as server, Redis.from_url(server.url) as client:
        assert client.get("kept") == b"1"


def test_a_killed_server_leaves_a_stale_socket_that_does_no_harm(tmp_path: Path) -> None:
    with embedded_server(tmp_path) as server:
        pid = pid_of(server.url)
        os.kill(pid, signal.SIGKILL)
        gone(pid)
        assert server.socket.exists()
        with embedded_server(tmp_path) as again:
            assert pid_of(again.url) > 0


def test_a_killed_command_leaves_a_server_that_the_next_one_joins_and_stops(tmp_path: Path) -> None:
    code = (
        "import sys,time;from pathlib import Path;from crawler.bus.server import embedded_server\n"
        "with embedded_server(Path(sys.argv[1])) as s: print(s.url, flush=True); time.sleep(60)"
    )
    command = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert command.stdout is not None
    url = command.stdout.readline().strip()
    pid = pid_of(url)
    command.kill()
    command.wait()
    command.stdout.close()
    with embedded_server(tmp_path) as server:
        assert server.url == url
        assert pid_of(server.url) == pid
    gone(pid)


def gone(pid: int) -> None:
    """Wait until a process is dead; nobody may be there to reap it."""
    deadline = time.monotonic() + 10
    while (path := Path(f"/proc/{pid}/stat")).exists() and time.monotonic() < deadline:
        with suppress(FileNotFoundError):
            if path.read_text().rpartition(")")[2].split()[0] == "Z":
                return
        time.sleep(0.01)
    assert not path.exists()


def test_a_directory_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_to_all = tmp_path / f"vangnet-{os.getuid()}"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with pytest.raises(HomeUnusable, match="not a private directory"):
        socket_path(tmp_path)


REDIS7 = ServerBinary(Path("r"), "redis", (7, 0))
VALKEY9 = ServerBinary(Path("v"), "valkey", (9, 1))


@pytest.mark.parametrize(
    ("reader", "writer", "reads"),
    [
        (REDIS7, None, True),
        (REDIS7, Writer("redis", (7, 0)), True),
        (REDIS7, Writer("redis", (7, 4)), False),
        (REDIS7, Writer("valkey", (9, 1)), False),
        (VALKEY9, Writer("redis", (7, 0)), True),
        (VALKEY9, Writer("redis", (8, 0)), False),
        (VALKEY9, Writer("valkey", (9, 1)), True),
    ],
)
def test_which_server_reads_whose_file(reader: ServerBinary, writer: Writer | None, reads: bool) -> None:
    assert reader.reads(writer) is reads


def test_a_home_that_a_newer_server_wrote_is_named_and_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binary, "candidates", lambda: [REDIS7])
    with pytest.raises(HomeUnusable, match=r"written by valkey 9\.1, and redis 7\.0 cannot read it"):
        choose_binary(Writer("valkey", (9, 1)))
    monkeypatch.setattr(binary, "candidates", list)
    with pytest.raises(RedisUnavailable, match="install redis-server"):
        choose_binary(None)


def test_there_is_always_a_server_program() -> None:
    assert any(candidate.family == "valkey" for candidate in binary.candidates())


def test_a_server_that_stands_still_gets_no_second_one_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_START_SECONDS", 0.1)
    monkeypatch.setattr(server_module, "_ANSWER_SECONDS", 0.2)
    with embedded_server(tmp_path) as server:
        pid = pid_of(server.url)
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(RedisUnavailable, match="lives and does not answer"), embedded_server(tmp_path):
                pass
        finally:
            os.kill(pid, signal.SIGCONT)
        assert pid_of(server.url) == pid


def test_a_server_that_nobody_reaps_is_not_waited_for(tmp_path: Path) -> None:
    """In a container the first process, which inherits the server, may never ask how it ended."""
    adopts = ctypes.CDLL(None).prctl
    adopts(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        with embedded_server(tmp_path) as server:
            pid = pid_of(server.url)
            stopped = time.monotonic()
        assert time.monotonic() - stopped < server_module._STOP_SECONDS / 2
        assert not server.socket.exists()
        assert os.waitpid(pid, 0)[0] == pid  # it was ours to reap
    finally:
        adopts(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
