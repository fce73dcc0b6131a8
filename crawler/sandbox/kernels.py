"""Where compiled kernels lie: what is in there is executed, so it is ours alone and of this version."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from pathlib import Path

from crawler.errors import SandboxUnavailable


def kernel_cache(directory: Path) -> Path:
    """The part of the cache in `directory` that belongs to this version, for `NUMBA_CACHE_DIR`; made if missing.

    numba compares the file that a kernel stands in with what it was compiled from, but neither the files that it calls
    into nor itself: so after an upgrade nothing of before is looked at.
    Raises SandboxUnavailable unless both are directories of ours alone.
    """
    prepare(directory)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    mine = directory / f"vangnet-{version('vangnet')}-numba-{version('numba')}-python-{python}"
    prepare(mine)
    return mine.absolute()


def prepare(directory: Path) -> None:
    """Make a directory (0700) if it is missing. Raises SandboxUnavailable when others may reach it."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.stat()
    except OSError as error:
        raise SandboxUnavailable(f"sandbox: {directory}: {error.strerror}; give a writable cache directory") from error
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise SandboxUnavailable(f"sandbox: {directory}: others may reach it; chown it to this user and chmod it 700")
