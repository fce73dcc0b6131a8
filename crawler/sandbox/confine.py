"""How a sandbox child closes itself in: descriptors, privileges, limits, then the seccomp filter.

Nothing here can be undone by the process. Sources: prctl(2), setrlimit(2), capabilities(7), close_range(2).
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from crawler.errors import SandboxUnavailable
from crawler.sandbox import seccomp

# The descriptor that a child talks through. 0 to 2 are /dev/null, so that no message of a C library lands in it.
CONTROL = 3

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 1, 4, 24, 38, 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
_CAPSET = {"x86_64": 126, "aarch64": 91}


@dataclass(frozen=True, slots=True)
class Limits:
    """memory_budget: bytes of address space on top of what the process has mapped when it closes itself in.
    cpu_seconds: processor time of the whole life of a child; a backstop for a parent that cannot kill any more.
    require_seccomp: False lets a child run without the filter where the kernel has none."""

    memory_budget: int
    cpu_seconds: int
    require_seccomp: bool = True


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when the thread that started it ends. `parent`: its expected process id.

    Raises SandboxUnavailable when the parent is gone already.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SandboxUnavailable("sandbox: the process that started it has ended")


def ignore_polite_signals() -> None:
    """Ctrl-C and a service manager's SIGTERM reach the whole group; the worker decides when its sandbox ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def silence() -> None:
    """Point descriptors 0, 1 and 2 at /dev/null."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard, inheritable=False)
    os.close(null)


def close_in(control: int, limits: Limits) -> None:
    """Give up everything but memory, processor time and the socket `control`, which becomes descriptor CONTROL.

    Call it in a process with one thread, with everything imported, compiled and mapped that will be needed: no file can
    be opened afterwards. Raises SandboxUnavailable when a step fails; the process must end then.
    """
    try:
        _keep_only(control)
        _volunteer_for_oom()
        mapped = _address_space()
        _prctl(_PR_SET_DUMPABLE, 0)
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        _drop_capabilities()
        _limit(limits, mapped)
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, "unknown")
        raise SandboxUnavailable(f"sandbox: the kernel refused to take privileges away ({name})") from error
    if limits.require_seccomp or seccomp.unavailable() is None:
        seccomp.install(CONTROL)


def _keep_only(control: int) -> None:
    silence()
    if control != CONTROL:
        os.dup2(control, CONTROL, inheritable=False)
    for descriptor in [int(link.name) for link in Path("/proc/self/fd").iterdir()]:
        if descriptor > CONTROL:
            with suppress(OSError):  # that of the listing itself is closed already
                os.close(descriptor)


def _volunteer_for_oom() -> None:
    """A machine that runs out of memory should lose a child, which is replaced, not the worker."""
    Path("/proc/self/oom_score_adj").write_text("900", encoding="ascii")


def _address_space() -> int:
    """Bytes of address space in use now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()


def _prctl(option: int, argument: int, more: int = 0) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    unsigned = ctypes.c_ulong
    if library.prctl(option, unsigned(argument), unsigned(more), unsigned(0), unsigned(0)) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _drop_capabilities() -> None:
    """Empty the bounding, ambient, permitted, effective and inheritable sets; without privileges they are empty."""
    for capability in range(64):
        try:
            _prctl(_PR_CAPBSET_DROP, capability)
        except OSError as error:
            if error.errno == errno.EPERM:  # not privileged: no_new_privs keeps the bounding set out of reach
                break
            if error.errno == errno.EINVAL:  # past the kernel's last capability
                break
            raise
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    number = _CAPSET.get(os.uname().machine)
    if number is None:
        return
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).syscall(number, ctypes.byref(header), ctypes.byref(nothing)) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def _limit(limits: Limits, mapped: int) -> None:
    space = mapped + limits.memory_budget
    for kind, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_AS, space),
    ):
        resource.setrlimit(kind, (value, value))
    # At the lower one SIGXCPU comes, which tells the reason; at the upper one SIGKILL.
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 1))
