"""What processes hold in their memory, read from outside through /proc."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np

_REGION = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (....) \S+ \S+ \d+ *(.*)")
_PIECE = 16 << 20
_PAGE = os.sysconf("SC_PAGE_SIZE")
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
    with Path(f"/proc/{pid}/pagemap").open("rb", buffering=0) as pages:
        memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
        try:
            for first, last, name, shared in _regions(pid):
                # Of shared memory, what others wrote is there although this process never looked at it.
                for start, end in [(first, last)] if shared else _touched(pages, first, last):
                    for data in _pieces(memory, start, end, overlap):
                        for match in pattern.finditer(data):
                            found.setdefault(numbers[match[0]], []).append(name)
        finally:
            os.close(memory)
    return found


def _touched(pages: IO[bytes], start: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts of a region that anything was ever written to: pages in memory or in swap.

    A browser reserves gigabytes, and reading what it never used takes longer than all else.
    Source: Linux `Documentation/admin-guide/mm/pagemap.rst`: bit 63 present, 62 swapped.
    """
    pages.seek(start // _PAGE * 8)
    entries = np.frombuffer(pages.read((end - start) // _PAGE * 8), np.uint64)
    used = np.concatenate(([0], (entries >> np.uint64(62) != 0).astype(np.int8), [0]))
    edges = np.flatnonzero(np.diff(used))
    for first, last in edges.reshape(-1, 2).tolist():
        yield start + first * _PAGE, start + last * _PAGE


def _regions(pid: int) -> Iterator[tuple[int, int, str, bool]]:
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        match = _REGION.match(line)
        assert match is not None, line
        start, end, rights, name = match.groups()
        if rights[0] == "r" and (rights[1] == "w" or name.startswith(_OURS)):
            yield int(start, 16), int(end, 16), f"{name or 'anonymous'} {start}-{end}", rights[3] == "s"


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
