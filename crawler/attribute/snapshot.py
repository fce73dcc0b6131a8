"""The address tables that come with the package, so that a fresh machine without network knows what is Dutch.

They lie in `data/` as archives (see `archive.py`), which are expanded once per home into files that all processes map.
Their sources and licences stand in `data/README.md`; `make_snapshot.py` made them.
"""

from __future__ import annotations

import os
from hashlib import sha256
from importlib import resources
from pathlib import Path

from crawler.attribute.archive import expand
from crawler.errors import HomeUnusable

NAMES = ("country", "origin-as")
"""The archives, in order of precedence."""


def snapshot_bytes(name: str) -> bytes:
    """A packed table of the package, in memory."""
    return expand(_archive(name), f"packaged table {name}")


def snapshot_file(name: str, directory: Path) -> Path:
    """A packed table of the package as a file in `directory`, expanded there unless it was before.

    Several processes may do this at once. Files of other versions of the package are removed.
    Raises HomeUnusable when the directory cannot be written.
    """
    archive = _archive(name)
    path = directory / f"{name}-{sha256(archive).hexdigest()[:16]}.vga"
    try:
        if not path.exists():
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = directory / f".{name}.{os.getpid()}"
            fresh.write_bytes(expand(archive, f"packaged table {name}"))
            fresh.replace(path)
            for other in directory.glob(f"{name}-{'?' * 16}.vga"):
                if other != path:
                    other.unlink(missing_ok=True)
    except OSError as error:
        raise HomeUnusable(f"{directory}: cannot hold the address tables: {error.strerror}; mend it") from error
    return path


def _archive(name: str) -> bytes:
    return resources.files("crawler.attribute").joinpath("data", f"{name}.vga.xz").read_bytes()
