"""Processes that close themselves in and report what they became, one packet on a socket. Run by test_confine.py.

`python -m tests.sandbox.hermit NAME DESCRIPTOR`
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

from crawler.errors import SandboxUnavailable
from crawler.sandbox import confine, seccomp
from crawler.sandbox.confine import CONTROL, Limits, close_in, die_with_parent

MIB = 1 << 20


def no_seccomp() -> str:
    return "no seccomp here"


def no_limits(limits: Limits, mapped: int) -> None:
    """Instead of the real ones, for a process that has to read files afterwards."""


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def spin(descriptor: int) -> str:
    close_in(descriptor, Limits(64 * MIB, cpu_seconds=1))
    while True:
        pass


def fail_closed(descriptor: int) -> str:
    seccomp.unavailable = no_seccomp
    try:
        close_in(descriptor, Limits(64 * MIB, cpu_seconds=9))
    except SandboxUnavailable as error:
        return str(error)
    return "went on without a filter"


def limits_alone(descriptor: int) -> str:
    seccomp.unavailable = no_seccomp
    close_in(descriptor, Limits(64 * MIB, cpu_seconds=9, require_seccomp=False))
    kinds = (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC)
    limits = [resource.getrlimit(kind) for kind in (*kinds, resource.RLIMIT_CPU)]
    try:
        os.open("/etc/passwd", os.O_RDONLY)
    except OSError as error:
        return repr((limits, error.errno))
    return "opened"


def privileges(descriptor: int) -> str:
    seccomp.unavailable = no_seccomp
    confine._limit = no_limits
    close_in(descriptor, Limits(64 * MIB, cpu_seconds=9, require_seccomp=False))
    open_ones = [number for number in range(300) if is_open(number)]
    text = Path("/proc/self/status").read_text(encoding="ascii")
    lines = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    return repr((open_ones, [int(lines[name], 16) for name in ("NoNewPrivs", "CapInh", "CapPrm", "CapEff", "CapAmb")]))


def orphan(descriptor: int) -> str:
    os.dup2(descriptor, CONTROL)
    try:
        die_with_parent(os.getpid())
    except SandboxUnavailable as error:
        return str(error)
    return "started"


if __name__ == "__main__":
    said = globals()[sys.argv[1]](int(sys.argv[2]))
    os.write(CONTROL, said.encode())
    os._exit(0)
