"""The home of a demonstration: fresh at the start, and never anybody else's data."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crawler.bus.server import embedded_server
from crawler.errors import HomeUnusable, Unavailable
from crawler.home import Home, open_home

MARKER = "demo.lock"
"""Stands in every home that a demonstration made, and is locked while one runs."""

FILES = "demo"
"""Directory for the lab's campaign and list."""

_DATABASE = ("vangnet.sqlite", "vangnet.sqlite-wal", "vangnet.sqlite-shm")
REMOVED = (
    *_DATABASE,
    "index",
    "keys",
    "logs",
    "server",
    "tables",
    FILES,
    "outbox",
    "report",
    "notices.lock",
    "home.json",
)
"""What a new demonstration removes of the last one. Compiled kernels stay; they make its start faster."""


@contextmanager
def demo_home(root: Path) -> Iterator[Home]:
    """A lab home at `root` for one demonstration.

    What an earlier demonstration left there is removed first. A directory with anything else in it is used as it is,
    and nothing of it is removed.
    Raises HomeUnusable for a production home or one that cannot be written, Unavailable while another demonstration
    uses it.
    """
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        ours = (root / MARKER).exists() or not any(root.iterdir())
        lock = os.open(root / MARKER, os.O_RDWR | os.O_CREAT, 0o600) if ours else os.open(root, os.O_RDONLY)
    except OSError as error:
        raise _unusable(root, error) from error
    try:
        _lock(lock, root)
        if ours:
            _clear(root)
        home = open_home(root, lab=True)
        (home.root / FILES).mkdir(mode=0o700, exist_ok=True)
        (home.root / "tables").mkdir(mode=0o700, exist_ok=True)
        yield home
    finally:
        os.close(lock)


def _lock(lock: int, root: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise Unavailable(f"home {root}: a demonstration runs there; wait for it or give another --home") from error


def _clear(root: Path) -> None:
    if (root / "server" / "server.json").exists():
        # A demonstration that was killed left its server running; whoever joins and leaves last stops it.
        with embedded_server(root / "server"):
            pass
    try:
        for path in (root / name for name in REMOVED):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise _unusable(root, error) from error


def _unusable(root: Path, error: OSError) -> HomeUnusable:
    return HomeUnusable(f"home {root}: {error.strerror or error}; give another --home or mend it")
