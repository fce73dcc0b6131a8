"""What Playwright starts in place of Chromium: gives up what the browser must not have, starts it, buries its dead.

Before the browser's first instruction its process is nobody (when it was root), can make no socket that leaves the
machine, nor one that reaches another program on it, dumps no core, is the first to go when memory is short, and dies
with the driver that started it. It has none of the worker's environment, which may name servers and passwords. All of
that holds for every process of the browser, and none of it can be undone.

Chromium's own sandbox, which keeps its renderers apart from its other processes, stays on top of that where the kernel
gives an ordinary account a user namespace.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from crawler.render import alone
from crawler.sandbox.seccomp import install_offline

NOBODY: Final = 65534
BINARY, PROFILE, LONGEST_FILE = "VANGNET_CHROMIUM", "VANGNET_PROFILE", "VANGNET_LONGEST_FILE"
"""What the environment has to say: the browser's program, its profile's directory (empty, on tmpfs), bytes."""
PID_FILE: Final = "pid"
"""Below the profile: the number of the browser's first process, which leads a session of its own."""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 36, 38
_CLONE_NEWUSER = 0x10000000
_NICER = 10


def has_user_namespaces(uid: int | None = None) -> bool:
    """Whether an account gets a user namespace, which Chromium's sandbox needs. uid: None for this process's own."""
    child = os.fork()
    if child == 0:
        code = 1
        with suppress(OSError):
            if uid is not None:
                os.setresuid(uid, uid, uid)
            code = 0 if ctypes.CDLL(None).unshare(_CLONE_NEWUSER) == 0 else 1
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def arguments(given: Sequence[str], profile: str, *, sandbox: bool) -> list[str]:
    """What Playwright would start the browser with, but with our profile."""
    kept = [each for each in given if not each.startswith("--user-data-dir=") and each != "--no-sandbox"]
    return [*kept, f"--user-data-dir={profile}", *(() if sandbox else ("--no-sandbox",))]


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl refused")


def _give_up(profile: Path, longest_file: int) -> None:
    """Everything that the browser must not have; for this process, and so for all that it starts."""
    Path("/proc/self/oom_score_adj").write_text("1000")
    if os.geteuid() == 0:
        os.chown(profile, NOBODY, NOBODY)
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    # After the account was changed, which clears it.
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (longest_file, longest_file))
    os.umask(0o077)
    os.nice(_NICER)
    install_offline()
    alone.install()


def _become(command: list[str], profile: str) -> None:
    os.setsid()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # which a fork clears
    Path(profile, PID_FILE).write_text(str(os.getpid()))
    environment = {"HOME": profile, "TMPDIR": profile, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"}
    os.execve(command[0], command, environment)  # noqa: S606  no shell is wanted


def _bury(browser: int) -> int:
    """Wait for the browser, end what it left behind, and return its exit code.

    Its orphans come to this process, so that none of them becomes a zombie of whoever is the machine's first.
    """
    code = 1
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            return code
        if pid == browser:
            code = os.waitstatus_to_exitcode(status)
            with suppress(ProcessLookupError):
                os.killpg(browser, signal.SIGKILL)
            for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
                with suppress(ProcessLookupError):
                    os.kill(int(child), signal.SIGKILL)


def run(given: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the browser to its end. Returns its exit code.

    Raises SandboxUnavailable, OSError when something cannot be given up: then no browser is started.
    """
    profile = environment[PROFILE]
    root = os.geteuid() == 0
    sandbox = has_user_namespaces(NOBODY if root else None)
    if not sandbox and not root:
        # Without it a page that breaks out would be this very account, which has the worker's keys.
        raise PermissionError("no user namespaces: Chromium's sandbox cannot work")
    _give_up(Path(profile), int(environment[LONGEST_FILE]))
    command = [environment[BINARY], *arguments(given, profile, sandbox=sandbox)]
    browser = os.fork()
    if browser == 0:
        try:
            _become(command, profile)
        finally:
            os._exit(127)
    # The pipes to the driver are the browser's alone: whoever waits for their end must not wait for this process.
    os.closerange(3, 64)
    code = _bury(browser)
    return code if code >= 0 else 128 - code


def main() -> int:
    """For the entry point."""
    return run(sys.argv[1:], os.environ)
