"""Processor time of whole trees of processes, by what each process is for. Linux only: read from /proc."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

_TICKS = os.sysconf("SC_CLK_TCK")
ROLES = {
    "crawler.sandbox.zygote": "sandbox",
    "\0worker\0": "worker",
    "\0recorder\0": "recorder",
    "\0scrapy\0": "scrapy",
    "\0crawl\0": "crawl command",
    "redis-server": "redis",
    "valkey-server": "redis",
    "nginx": "nginx",
    "bench.serving": "server",
}
"""What stands in a command line, and what such a process is called here; the first that fits counts."""


@dataclass(frozen=True, slots=True)
class Process:
    """seconds: of processor time, with that of its children that have ended and been waited for."""

    parent: int
    seconds: float
    resident: int


def cpu_clock_of(pid: int) -> int:
    """The clock of a process's processor time, for `time.clock_gettime`; its layout is the kernel's, see
    clock_getcpuclockid(3)."""
    return ~pid << 3 | 2


def processes() -> dict[int, Process]:
    """All processes that can be seen, by process id."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (each := _process(entry)) is not None:
            found[int(entry.name)] = each
    return found


def _process(entry: Path) -> Process | None:
    try:
        # The name in parentheses may hold spaces; the fields of proc(5) are counted from behind it.
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    ticks = sum(int(fields[n]) for n in (11, 12, 13, 14))
    return Process(int(fields[1]), ticks / _TICKS, int(fields[21]) * os.sysconf("SC_PAGE_SIZE"))


def role(pid: int) -> str:
    """What a process is for, by its command line."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return "gone"
    return next((name for text, name in ROLES.items() if text in line), "other")


class Account:
    """Processor time of some processes and all below them. names: role of each process, once seen."""

    def __init__(self, roots: Iterable[int]) -> None:
        self._roots = set(roots)
        self._names: dict[int, str] = {}

    def spent(self) -> dict[str, float]:
        """Seconds of processor time so far, by role."""
        total: Counter[str] = Counter()
        for pid, process in self._below():
            # A process is looked up more than once until it has become what it will be (fork, then exec).
            if self._names.get(pid, "other") in ("other", "gone"):
                self._names[pid] = role(pid)
            total[self._names[pid]] += process.seconds
        return dict(total)

    def _below(self) -> list[tuple[int, Process]]:
        found = processes()
        return [(pid, process) for pid, process in found.items() if self._belongs(pid, found)]

    def _belongs(self, pid: int, found: Mapping[int, Process]) -> bool:
        while pid in found:
            if pid in self._roots:
                return True
            pid = found[pid].parent
        return False


@dataclass(frozen=True, slots=True)
class Counts:
    """How far a crawl is. hits: images found on the list, as far as it says so itself."""

    images: int
    pages: int
    hits: int = 0


@dataclass(frozen=True, slots=True)
class Window:
    """What happened between two moments of a crawl. spent: seconds of processor time, by role."""

    seconds: float
    images: int
    pages: int
    spent: dict[str, float]

    @property
    def rate(self) -> float:
        """Images per second."""
        return self.images / self.seconds

    def micros(self, name: str) -> float:
        """Microseconds of processor time per image."""
        return 1e6 * self.spent.get(name, 0.0) / self.images

    @property
    def budget(self) -> str:
        """All roles, the dearest first, and how busy the cores were with them."""
        order = sorted(self.spent, key=lambda name: -self.spent[name])
        parts = [f"{name} {self.micros(name):,.0f}" for name in order if self.micros(name) >= 1]
        busy = sum(self.spent.values()) / self.seconds
        return f"{', '.join(parts)} us of processor time per image; {busy:.2f} of {os.cpu_count()} cores busy"


class TooSlow(Exception):
    """A crawl did not get as far as it should within its time, or ended."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The part of a crawl to watch: from `first` images done until `last` are, or for so many seconds.

    patience: seconds until `first` at the most.
    """

    first: int
    last: int
    seconds: float
    patience: float


def window(
    look: Callable[[], Counts | None], account: Account, stretch: Stretch, running: Sequence[subprocess.Popen[Any]]
) -> Window:
    """Watch a stretch of a crawl. look: None while there is nothing to see.  running: its processes. Raises TooSlow."""
    deadline = monotonic() + stretch.patience
    while (start := look()) is None or start.images < stretch.first:
        if monotonic() > deadline or any(process.poll() is not None for process in running):
            raise TooSlow(f"{start.images if start else 0} of {stretch.first} images, then nothing more")
        sleep(0.1)
    begun, before = monotonic(), account.spent()
    end = start
    while end.images < stretch.last and monotonic() - begun < stretch.seconds:
        sleep(0.1)
        end = look() or end
    seconds, after = monotonic() - begun, account.spent()
    spent = {name: total - before.get(name, 0.0) for name, total in after.items()}
    return Window(seconds, end.images - start.images, end.pages - start.pages, spent)
