"""The index files of this machine: there, whole, and what they are called."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

from crawler.errors import HomeUnusable, IndexCorrupt


class IndexFiles:
    """Remembers which files it has read, so that each one is read once."""

    def __init__(self) -> None:
        self._sound: set[tuple[str, int, int, int]] = set()

    async def check(self, path: Path, sha256: str) -> None:
        """Return when the file at `path` has this sha256 (hex); about 1 s per GB at its first time.

        Raises HomeUnusable when it is not there, IndexCorrupt when it is another one, or is not whole yet.
        """
        try:
            seen = _state(path)
            if seen in self._sound:
                return
            found = await asyncio.to_thread(_sha256, path)
        except FileNotFoundError as error:
            raise HomeUnusable(
                f"this machine does not have the index {path.name}; copy it to {path.parent} from the machine that "
                "started the campaign"
            ) from error
        except OSError as error:
            raise IndexCorrupt(f"{path}: the index cannot be read: {os.strerror(error.errno or 0)}") from error
        if found != sha256:
            raise IndexCorrupt(
                f"{path}: the index's bytes do not have the sha256 of its name; copy it again, from the machine that "
                "started the campaign"
            )
        self._sound.add(seen)


def _state(path: Path) -> tuple[str, int, int, int]:
    """What changes when the file does."""
    state = path.stat()
    return path.name, state.st_ino, state.st_size, state.st_mtime_ns


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
