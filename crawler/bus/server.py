"""The embedded server: a Redis or Valkey of one home on a private unix socket, shared by the commands of that home.

Every command that uses it holds a shared lock for as long as it lives; the kernel drops the lock even after `kill -9`.
Who leaves and can take the lock alone was the last, and stops the server. Start and stop exclude each other by a
second lock. What the server wrote stays under the home (append-only file), so a stopped crawl goes on later.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, RedisError
from redis.retry import Retry

from crawler.bus.binary import ServerBinary, Writer, choose_binary
from crawler.errors import HomeUnusable, RedisUnavailable

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_ANSWER_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that answers on a unix socket."""

    socket: Path

    @property
    def url(self) -> str:
        """What goes into REDIS_URL."""
        return f"unix://{self.socket}"


@contextmanager
def embedded_server(directory: Path) -> Iterator[RunningServer]:
    """The server whose data lies in `directory` (0700, made before): started, or joined when it runs already.

    Raises HomeUnusable, RedisUnavailable.
    """
    directory = directory.absolute()  # the server, which starts in it, would look for a relative one below itself
    with _lock_file(directory / "users.lock") as users:
        with _exclusive(directory / "start.lock"):
            fcntl.flock(users, fcntl.LOCK_SH)
            socket = socket_path(directory)
            _evict(directory, socket)
            _patient(directory, socket)
            server = RunningServer(socket) if _answers(socket) else start_server(directory, socket)
        try:
            yield server
        finally:
            with _exclusive(directory / "start.lock"):
                if _last(users):
                    stop_server(server)


def _evict(directory: Path, socket: Path) -> None:
    """Stop a server of a home that was deleted and made anew at the same path: it holds the old one's data."""
    pid = _pid(directory / "server.pid")
    if _answers(socket) and (pid is None or not _serves(pid, directory)):
        stop_server(RunningServer(socket))


def _patient(directory: Path, socket: Path) -> None:
    """Wait for a server that lives and does not answer: it loads its file, or the machine stands still.

    A second one beside it would write to the same file. Raises RedisUnavailable when it stays silent.
    """
    deadline = time.monotonic() + _START_SECONDS
    while not _answers(socket):
        pid = _pid(directory / "server.pid")
        if pid is None or not _serves(pid, directory):
            return
        if time.monotonic() > deadline:
            raise RedisUnavailable(
                f"the embedded server (process {pid}) lives and does not answer; stop it and try again"
            )
        time.sleep(0.1)


def _serves(pid: int, directory: Path) -> bool:
    """Whether a process is a server that was started in `directory`; process numbers come again."""
    try:
        return Path(f"/proc/{pid}/cwd").samefile(directory) and _alive(pid)
    except OSError:
        return False


def socket_path(directory: Path) -> Path:
    """A short path (sockets take 107 bytes) in a directory of ours alone, one per home."""
    root = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    own = root / f"vangnet-{os.getuid()}"
    try:
        own.mkdir(mode=0o700, exist_ok=True)
        state = own.lstat()
    except OSError as error:
        raise HomeUnusable(f"{own}: {error.strerror}; set XDG_RUNTIME_DIR to a directory of yours") from error
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid() or stat.S_IMODE(state.st_mode) & 0o077:
        raise HomeUnusable(f"{own} is not a private directory of this user; remove it or set XDG_RUNTIME_DIR")
    name = blake2b(str(directory.resolve()).encode(), digest_size=8).hexdigest()
    return own / f"{name}.sock"


def start_server(directory: Path, socket: Path) -> RunningServer:
    """Start a server and wait until it answers. A socket that a killed server left behind is removed.

    The server detaches itself, so it outlives the command that happened to start it, and Ctrl-C does not reach it.
    """
    binary = choose_binary(_writer(directory))
    socket.unlink(missing_ok=True)
    pid_file, log = directory / "server.pid", directory / "server.log"
    pid_file.unlink(missing_ok=True)
    configuration = _configuration(directory, socket, pid_file, log)
    started = subprocess.run(
        [binary.path, "-"], input=configuration, text=True, capture_output=True, cwd=directory, check=False
    )
    deadline = time.monotonic() + _START_SECONDS
    while not _answers(socket):
        pid = _pid(pid_file)
        gone = pid is not None and not _alive(pid)
        if started.returncode != 0 or gone or time.monotonic() > deadline:
            raise RedisUnavailable(f"the embedded server ({binary}) did not start: {_last_line(log)}; see {log}")
        time.sleep(0.01)
    _remember(directory, binary)
    return RunningServer(socket)


def stop_server(server: RunningServer) -> None:
    """Stop a server cleanly: what it holds is on disk afterwards. Quiet when it is gone already."""
    client = _client(server.socket, _STOP_SECONDS)
    try:
        pid = int(client.info("server")["process_id"])
        client.shutdown()
    except (RedisError, OSError):
        return
    finally:
        client.close()
    deadline = time.monotonic() + _STOP_SECONDS
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.005)
    if not _alive(pid):
        server.socket.unlink(missing_ok=True)


def _client(socket: Path, timeout: float) -> Redis:
    # Without this, a missing socket is tried again and again for seconds.
    return Redis(unix_socket_path=str(socket), socket_timeout=timeout, retry=Retry(NoBackoff(), 0))


def _configuration(directory: Path, socket: Path, pid_file: Path, log: Path) -> str:
    values = {
        "port": "0",
        "unixsocket": f'"{socket}"',
        "unixsocketperm": "700",
        "dir": f'"{directory}"',
        "logfile": f'"{log}"',
        "loglevel": "warning",
        "daemonize": "yes",
        "pidfile": f'"{pid_file}"',
        "save": '""',
        "appendonly": "yes",
        "appendfsync": "everysec",
        # Compressed text would hide from a search for what must not be there.
        "rdbcompression": "no",
        "maxmemory-policy": "noeviction",
    }
    return "".join(f"{name} {value}\n" for name, value in values.items())


def _answers(socket: Path) -> bool:
    client = _client(socket, _ANSWER_SECONDS)
    try:
        return bool(client.ping())
    except BusyLoadingError:
        return False
    except (RedisError, OSError):
        return False
    finally:
        client.close()


def _pid(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text())
    except (OSError, ValueError):
        return None


def _alive(pid: int) -> bool:
    """What ended is dead even while nobody reaps it: in a container, the first process is late or never does."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def _writer(directory: Path) -> Writer | None:
    try:
        found = json.loads((directory / "server.json").read_text())
        major, minor = found["version"]
        return Writer(str(found["family"]), (int(major), int(minor)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HomeUnusable(f"{directory / 'server.json'} is damaged; remove the directory {directory}") from error


def _remember(directory: Path, binary: ServerBinary) -> None:
    fresh = directory / "server.json.new"
    fresh.write_text(json.dumps({"family": binary.family, "version": binary.version}) + "\n")
    fresh.replace(directory / "server.json")


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return "it wrote no log"
    return lines[-1] if lines else "it wrote no log"


@contextmanager
def _lock_file(path: Path) -> Iterator[int]:
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise HomeUnusable(f"{path}: {error.strerror}; the home must be writable") from error
    try:
        yield lock
    finally:
        os.close(lock)


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    with _lock_file(path) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _last(users: int) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
