"""Workers, recorders and zygotes that are there at once: forked from processes that have imported what they import.

More than half of the processor time of a small crawl are imports. Where a test calls a crawl in its own process, the
service's `Crew` starts its children through this: with the same command line, environment, log and signals, and the
same code from `entry` on. Who starts `vangnet crawl`, `worker` or a sandbox gets processes that start as anywhere.
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from types import SimpleNamespace
from typing import IO, Any
from unittest import mock

from crawler.sandbox import launcher
from crawler.sandbox.forget import FORGETFUL
from crawler.sandbox.kernels import kernel_cache
from crawler.service import processes
from tests.servers.unblocked import excused

ROOT = Path(__file__).resolve().parents[2]
AT_START = ("PYTHONPATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "TZ", "SSL_CERT_FILE", *FORGETFUL)
"""What is read before or while the first modules are imported, and so cannot be given to a process that has."""
LOOK = 0.02
ALONE = {f"{name}_NUM_THREADS": "1" for name in ("NUMBA", "OMP", "OPENBLAS", "MKL")}
"""Only a process of one thread may be forked from."""


class Forked:
    """What the service and the sandbox use of a `subprocess.Popen`."""

    def __init__(self, template: str, order: object, descriptors: list[int]) -> None:
        """template: the path of its socket."""
        self.returncode: int | None = None
        self._link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with excused():
            self._link.connect(template)
            socket.send_fds(self._link, [json.dumps(order).encode()], descriptors)
            self.pid = int(self._link.recv(100))

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._link], [], [], 0.0)[0]:
            with excused():
                self.returncode = os.waitstatus_to_exitcode(int(self._link.recv(100)))
            self._link.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        deadline = time.monotonic() + (timeout or 0.0)
        while (code := self.poll()) is None:
            if timeout is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("vangnet", timeout)
            time.sleep(LOOK)
        return code

    def terminate(self) -> None:
        self._send(15)

    def kill(self) -> None:
        self._send(9)

    def _send(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def start_forked(crew: str, command: list[str], *, env: Mapping[str, str], stderr: IO[bytes], **streams: Any) -> Forked:
    """As `Popen` where `Crew` calls it. crew: the path of the template's socket."""
    assert command[:3] == [sys.executable, "-m", "crawler"]
    assert streams == {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "start_new_session": True}
    return Forked(crew, {"arguments": command[3:], "environment": dict(env)}, [stderr.fileno()])


@contextmanager
def crew_started_by(popen: Callable[..., Any]) -> Iterator[None]:
    names = SimpleNamespace(Popen=popen, DEVNULL=subprocess.DEVNULL, TimeoutExpired=subprocess.TimeoutExpired)
    with mock.patch.object(processes, "subprocess", names):
        yield


class Templates:
    """The processes to fork from, started when they are first needed; they end with this one."""

    def __init__(self, kernels: Path) -> None:
        self._environment = os.environ | FORGETFUL | ALONE | {"NUMBA_CACHE_DIR": str(kernel_cache(kernels))}
        self._held = ExitStack()

    @cached_property
    def ready(self) -> tuple[str, str]:
        """Paths of the sockets where workers and recorders are ordered, and zygotes."""
        directory = self._held.enter_context(TemporaryDirectory(prefix="vangnet-warm-"))
        zygote = self._template("zygote", directory)
        return self._template("crew", directory, zygote), zygote

    def start(self, command: list[str], *, env: Mapping[str, str], stderr: IO[bytes], **streams: Any) -> Any:
        """As `Popen` where `Crew` calls it."""
        if any(env.get(name) != self._environment.get(name) for name in AT_START):
            return subprocess.Popen(command, env=env, stderr=stderr, **streams)
        return start_forked(self.ready[0], command, env=env, stderr=stderr, **streams)

    def close(self) -> None:
        self._held.close()

    def _template(self, kind: str, directory: str, zygotes: str = "") -> str:
        """Start it. Returns the path of its socket, which takes orders while it still imports."""
        path = f"{directory}/{kind}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(path)
            listener.listen()
            life, ours = os.pipe()
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.servers.template", kind, str(listener.fileno()), str(life), zygotes],
                env=self._environment,
                cwd=ROOT,
                pass_fds=[listener.fileno(), life],
                start_new_session=True,
            )
        os.close(life)
        self._held.callback(process.wait, 30)
        self._held.callback(os.close, ours)
        return path


def forked_zygote(template: str, control: socket.socket, complaints: int, cache: Path) -> Forked:
    """As `_start` of the sandbox's launcher."""
    environment = {"LC_ALL": "C.UTF-8", "PATH": os.defpath, "NUMBA_CACHE_DIR": str(cache), **FORGETFUL, **ALONE}
    return Forked(template, {"environment": environment}, [control.fileno(), complaints])


def run_forked(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`vangnet` as a process of one thread that has imported and compiled what fingerprints need."""
    (templates,) = TEMPLATES
    with TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        code = Forked(templates.ready[1], {"arguments": arguments}, [out.fileno(), err.fileno()]).wait(120)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(arguments, code, out.read(), err.read())


TEMPLATES: list[Templates] = []
"""Those of this test process, once there are any."""


@contextmanager
def warm_processes(kernels: Path) -> Iterator[None]:
    """In it, crawls that are called in this process have forked workers, recorders and zygotes."""
    templates = Templates(kernels)
    TEMPLATES.append(templates)
    with crew_started_by(templates.start):
        try:
            yield
        finally:
            TEMPLATES.remove(templates)
            templates.close()


def warm_command() -> tuple[str, ...]:
    """What Python runs as `vangnet` so that a crawl command, a process of its own, has a forked crew, and a worker that
    is started as anywhere a forked zygote.

    The crew does not notice when its command is killed: for crawls that come to their end, or are told to.
    """
    (templates,) = TEMPLATES
    return "-m", "tests.servers.warm", *templates.ready


if __name__ == "__main__":
    from crawler.cli.main import entry

    crew, zygote = sys.argv[1:3]
    del sys.argv[1:3]
    launcher._start = partial(forked_zygote, zygote)
    with crew_started_by(partial(start_forked, crew)):
        entry()
