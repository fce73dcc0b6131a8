"""The processes of a crawl, found as the system knows them: workers, recorder, sandboxes, embedded server."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    words: tuple[str, ...]


def processes() -> list[Process]:
    """All that live now."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            words = (directory / "cmdline").read_bytes().decode(errors="replace").split("\0")
            parent = (directory / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue  # it ended meanwhile
        if words[0]:  # a process that ended and was not waited for has none
            found.append(Process(int(directory.name), int(parent), tuple(words)))
    return found


def crew(crawl: int) -> dict[str, int]:
    """Name ("recorder", "worker-1", …) -> process, of the crawl command `crawl`; not those that ended."""
    found: dict[str, int] = {}
    for process in processes():
        if process.parent == crawl and {"worker", "recorder"} & set(process.words):
            # What a process is called stands in the name of its log alone.
            log = Path(f"/proc/{process.pid}/fd/2")
            try:
                found[log.readlink().stem] = process.pid
            except OSError:
                continue
    return found


def workers(crawl: int) -> list[int]:
    """Worker processes, by name."""
    return [pid for name, pid in sorted(crew(crawl).items()) if name.startswith("worker-")]


def zygotes(crawl: int) -> list[int]:
    """The sandbox's zygotes of all workers."""
    parents = set(workers(crawl))
    return sorted(p.pid for p in processes() if p.parent in parents and "crawler.sandbox.zygote" in p.words)


def sandboxes(crawl: int) -> list[int]:
    """The confined children of all zygotes."""
    parents = set(zygotes(crawl))
    return sorted(process.pid for process in processes() if process.parent in parents)


def server(home: Path) -> int:
    """The embedded server of a home."""
    return int((home / "server" / "server.pid").read_text())


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal; a process that is gone already is as dead as it should be."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


@contextmanager
def frozen(pids: Iterable[int]) -> Iterator[None]:
    """Processes that do nothing until the block ends."""
    stopped = list(pids)
    for pid in stopped:
        kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            kill(pid, signal.SIGCONT)
