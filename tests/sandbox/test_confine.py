"""A process that has closed itself in cannot get at anything: each attempt in a process of its own, for real.

They run as the tests do, often as root: what holds for root holds for a service user.
"""

from __future__ import annotations

import errno
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from crawler.sandbox.confine import CONTROL

ROOT = Path(__file__).parent.parent.parent
KILLED = f"signal {int(signal.SIGSYS)}"

REFUSED = (
    "open", "open for writing", "open with openat2", "open another's memory", "stat", "list", "make a directory",
    "change directory", "pipe", "dup", "write to standard error", "write to what was inherited", "send a descriptor",
    "become root", "become dumpable",
)  # fmt: skip
FATAL = (
    "memfd", "mount", "socket", "unix socket", "netlink socket", "socket pair", "listen", "io_uring", "fork", "clone3",
    "thread", "exec", "signal another", "pidfd", "ptrace", "read another's memory", "write another's memory", "bpf",
    "new namespace", "run data", "map executable memory",
)  # fmt: skip
OTHERWISE = {
    "import": "ModuleNotFoundError",
    "raise a limit": "ValueError",
    "512 MiB": "MemoryError",
    "compute": "done",
    "64 MiB": "done",
}

# What any user may do without a sandbox, whatever the kernel's settings.
FREE = (
    "open", "open for writing", "open with openat2", "import", "stat", "list", "make a directory", "change directory",
    "memfd", "pipe", "dup", "write to standard error", "write to what was inherited", "socket", "unix socket",
    "socket pair", "fork", "thread", "signal another", "pidfd", "become dumpable", "raise a limit", "512 MiB",
    "run data", "map executable memory", "compute", "64 MiB",
)  # fmt: skip


def run_intruder(how: str) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.sandbox.intruder", how], cwd=ROOT, capture_output=True, check=True, timeout=60
    )
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def confined() -> dict[str, str]:
    return run_intruder("confined")


@pytest.mark.parametrize("attempt", REFUSED)
def test_is_refused(confined: dict[str, str], attempt: str) -> None:
    assert confined[attempt] == "EPERM"


@pytest.mark.parametrize("attempt", FATAL)
def test_is_fatal(confined: dict[str, str], attempt: str) -> None:
    assert confined[attempt] == KILLED


@pytest.mark.parametrize("attempt", OTHERWISE)
def test_limits_hold_and_work_goes_on(confined: dict[str, str], attempt: str) -> None:
    assert confined[attempt] == OTHERWISE[attempt]


def test_no_attempt_is_forgotten(confined: dict[str, str]) -> None:
    assert confined.keys() == {*REFUSED, *FATAL, *OTHERWISE}


def test_the_attempts_work_without_the_sandbox() -> None:
    free = run_intruder("free")
    assert {name: free[name] for name in FREE} == dict.fromkeys(FREE, "done")
    assert free["exec"] == "status 200"
    assert KILLED not in free.values()


def hermit(name: str) -> tuple[str, int]:
    """What the function of this name in hermit.py reported, and the exit status of its process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        ours.settimeout(30)
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.sandbox.hermit", name, str(theirs.fileno())],
            cwd=ROOT,
            pass_fds=(theirs.fileno(),),
            stderr=subprocess.DEVNULL,
        )
        theirs.close()
        said = ours.recv(1000).decode()
        return said, process.wait(30)


def test_processor_time_is_bounded() -> None:
    said, status = hermit("spin")
    assert said == ""
    assert -status == signal.SIGXCPU


def test_without_a_filter_it_fails_closed() -> None:
    said, _ = hermit("fail_closed")
    assert said.startswith("sandbox: no seccomp here")


def test_even_without_a_filter_the_limits_hold() -> None:
    assert hermit("limits_alone") == (repr(([(0, 0)] * 4 + [(9, 10)], errno.EMFILE)), 0)


def test_privileges_and_descriptors_are_gone() -> None:
    assert hermit("privileges") == (repr(([0, 1, 2, CONTROL], [1, 0, 0, 0, 0])), 0)


def test_an_orphan_does_not_start() -> None:
    assert hermit("orphan") == ("sandbox: the process that started it has ended", 0)
