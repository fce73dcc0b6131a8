"""What browsers leave on a machine while they run, and what is left of them when their worker was killed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from crawler.render.launch import PID_FILE

PREFIX: Final = "vangnet-render-"
"""Of the directories of profiles."""
_STARTING: Final = 120.0
"""Seconds after which a profile whose browser never said its number is left over."""


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    zombie: bool
    private: int
    shared: int


def members(session: int) -> Iterator[_Process]:
    """The processes of a session: number, whether it is dead, bytes of memory that it shares with nobody, and of shared
    memory that it has mapped, such as canvases."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, ValueError, IndexError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == session:
                    yield _Process(int(entry.name), fields[0] == "Z", *_memory(entry))


def _memory(entry: Path) -> tuple[int, int]:
    found = {"RssAnon:": 0, "RssShmem:": 0}
    for line in (entry / "status").read_text().splitlines():
        name, _, value = line.partition("	")
        if name in found:
            found[name] = int(value.split()[0]) << 10
    return found["RssAnon:"], found["RssShmem:"]


def clear_up(directory: Path) -> None:
    """Remove the profiles of browsers whose workers were killed; those of other accounts stay."""
    for profile in directory.glob(f"{PREFIX}*"):
        with suppress(OSError, ValueError):
            if _is_left(profile):
                shutil.rmtree(profile, ignore_errors=True)


def _is_left(profile: Path) -> bool:
    number = profile / PID_FILE
    if number.exists():
        return not any(members(int(number.read_text())))
    return time.time() - profile.stat().st_mtime > _STARTING
