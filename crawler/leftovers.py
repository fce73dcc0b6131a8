"""Files that are only there while they are written, as `PREFIX` + process id + `-` + anything: what a killed process
left of them holds values of hash lists, and goes when the next one begins."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def sweep_left(directory: Path, prefix: str) -> None:
    """Remove the files in `directory` that processes left which are no more. prefix: how their names begin.

    What cannot be removed stays; whoever writes there will say why.
    """
    for path in directory.glob(f"{prefix}*-*"):
        process = path.name.removeprefix(prefix).partition("-")[0]
        if process.isdecimal() and not _alive(int(process)):
            with suppress(OSError):
                path.unlink()


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
