"""Whether pages can be rendered on this machine, and if not, why."""

from __future__ import annotations

import ctypes
import os
import shutil
import sysconfig
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from crawler.render.launch import NOBODY, has_user_namespaces
from crawler.sandbox.seccomp import unavailable as no_seccomp

_PROGRAMS: Final = ("/usr/lib/chromium/chromium", "chromium", "chromium-browser", "google-chrome")
"""Debian's own program goes before its script, which reads files of whoever runs it."""
MEMORY: Final = "/dev/shm"  # noqa: S108  a directory of our own is made below it
"""Where profiles lie unless an option says otherwise."""
_LAUNCHER: Final = "vangnet-chromium"
_TMPFS, _RAMFS = 0x01021994, 0x858458F6


def program() -> str | None:
    """The browser of this machine; None without one."""
    return next((found for each in _PROGRAMS if (found := shutil.which(each))), None)


def launcher() -> Path:
    """The script that starts it, which is installed beside this very Python."""
    return Path(sysconfig.get_path("scripts")) / _LAUNCHER


def is_in_memory(directory: Path) -> bool:
    """Whether files below a directory are in memory only."""
    buffer = ctypes.create_string_buffer(512)
    if ctypes.CDLL(None, use_errno=True).statfs(os.fsencode(directory), buffer) != 0:
        return False
    kind = ctypes.c_long.from_buffer(buffer).value & 0xFFFFFFFF
    return kind in (_TMPFS, _RAMFS)


def unavailable(directory: Path) -> str | None:
    """Why no page can be rendered, None when it can. directory: for profiles."""
    seccomp = no_seccomp()
    reasons = (
        (find_spec("playwright") is not None, "the extra is not installed (pip install 'vangnet[render]')"),
        (program() is not None, "there is no Chromium (Debian's package chromium)"),
        (launcher().exists(), f"{launcher()} is not installed"),
        (is_in_memory(directory), f"{directory} is not in memory (tmpfs): no browser's profile may lie on a disk"),
        (seccomp is None, f"the browser cannot be kept off the network: {seccomp}"),
        (os.geteuid() == 0 or has_user_namespaces(), "this account gets no user namespaces for Chromium's sandbox"),
    )
    return next((reason for holds, reason in reasons if not holds), None)


def weakness() -> str | None:
    """What a browser here does without, although pages are rendered; None when it has all of its walls."""
    if os.geteuid() == 0 and not has_user_namespaces(NOBODY):
        return "Chromium's own sandbox is off, since the kernel gives no user namespaces: it is nobody, off the network"
    return None
