"""What processes hold in their memory, read from outside through /proc."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

_REGION = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (....) \S+ \S+ \d+ *(.*)")
_PIECE = 16 << 20
_OURS = "/memfd:"


def descendants(pid: int) -> list[int]:
    """All processes below one."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *descendants(child)]
    return found


def command(pid: int) -> str:
    """Its command line, words joined by a blank."""
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()


def holders(pid: int, secrets: Sequence[bytes]) -> dict[int, list[str]]:
    """Which of `secrets` (by number) lie in a process's memory, and in which regions.

    Looks at whatever the process can have written: all that is writable, and shared memory that others write.
    """
    pattern = re.compile(b"|".join(re.escape(secret) for secret in secrets))
    numbers = {secret: number for number, secret in enumerate(secrets)}
    overlap = max(map(len, secrets)) - 1
    found: dict[int, list[str]] = {}
    memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    try:
        for start, end, name in _regions(pid):
            for data in _pieces(memory, start, end, overlap):
                for match in pattern.finditer(data):
                    found.setdefault(numbers[match[0]], []).append(name)
    finally:
        os.close(memory)
    return found


def _regions(pid: int) -> Iterator[tuple[int, int, str]]:
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        match = _REGION.match(line)
        assert match is not None, line
        start, end, rights, name = match.groups()
        if rights[0] == "r" and (rights[1] == "w" or name.startswith(_OURS)):
            yield int(start, 16), int(end, 16), f"{name or 'anonymous'} {start}-{end}"


def _pieces(memory: int, start: int, end: int, overlap: int) -> Iterator[bytes]:
    while start < end:
        try:
            data = os.pread(memory, min(end - start, _PIECE), start)
        except OSError:  # unmapped meanwhile
            return
        if not data:
            return
        yield data
        if start + len(data) >= end:
            return
        start += max(len(data) - overlap, 1)
