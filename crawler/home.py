"""The home directory: where an installation keeps its database, keys, indexes and logs.

vangnet.sqlite      store            keys/       0600 key files
index/              <sha256>.vgx     logs/       structured logs, no URL in them
kernels/            compiled numba kernels (0700)
server/             what the embedded server writes; its socket lies elsewhere (short path)
home.json           {"format": 1, "lab": bool}
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from crawler.errors import HomeUnusable

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Home:
    """Paths of one home. Made by `open_home`; every directory in it has mode 0700."""

    root: Path
    lab: bool

    @property
    def database(self) -> Path:
        return self.root / "vangnet.sqlite"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def index(self) -> Path:
        return self.root / "index"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def kernels(self) -> Path:
        return self.root / "kernels"

    @property
    def server(self) -> Path:
        return self.root / "server"


def open_home(root: Path, *, lab: bool) -> Home:
    """The home at `root`, made on first use.

    lab: whether the process runs with lab settings; a home remembers with which it was made.
    Raises HomeUnusable when it cannot be written, was written by another format, or was made by the lab and is
    opened by a production process (or the other way round).
    """
    home = Home(root.absolute(), lab)
    try:
        for directory in (home.root, home.keys, home.index, home.logs, home.kernels, home.server):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(home.root, os.W_OK | os.X_OK):
            raise PermissionError(f"{home.root} is not writable")
        marker = home.root / "home.json"
        if not marker.exists():
            fresh = home.root / f".home.{os.getpid()}"
            fresh.write_text(json.dumps({"format": FORMAT, "lab": lab}) + "\n")
            fresh.replace(marker)
        _check(home, marker.read_text())
    except OSError as error:
        raise HomeUnusable(f"home {home.root}: {error.strerror or error}; give another --home or mend it") from error
    return home


def _check(home: Home, text: str) -> None:
    try:
        found = json.loads(text)
        format_, lab = int(found["format"]), bool(found["lab"])
    except (ValueError, KeyError, TypeError) as error:
        raise HomeUnusable(f"home {home.root}: home.json is damaged; restore it from a backup") from error
    if format_ != FORMAT:
        raise HomeUnusable(f"home {home.root} has format {format_}, this is {FORMAT}; use the matching version")
    if lab != home.lab:
        made, now = ("lab", "production") if lab else ("production", "lab")
        raise HomeUnusable(f"home {home.root} was made with {made} settings and this is {now}; give another --home")
