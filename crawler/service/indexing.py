"""The index file that workers match against: found, or built from the lists that count."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from crawler.errors import IndexCorrupt, NothingToMatch, Refused
from crawler.fingerprint import hashers
from crawler.home import Home
from crawler.match.contents import IndexInfo, IndexRow
from crawler.match.names import SUFFIX
from crawler.service import manifests
from crawler.service.lists import can_raise, enabled
from crawler.store import entries, floods, indexes, lists
from crawler.store.database import Database
from crawler.store.lists import HashList

Rows = Callable[[Database, Sequence[HashList]], Iterator[IndexRow]]


def ensure_index(
    home: Home, db: Database, names: Sequence[str] = (), *, say: Callable[[str], None] | None = None
) -> IndexInfo:
    """The index file of the enabled lists, or of those of `names`; built when there is none for their versions yet.

    say: is told in a line when a file that should be there has to be built again.
    Raises NothingToMatch when no enabled block list has an entry that can raise a hit, or when one of `names` is not
    there or disabled; HomeUnusable when the file cannot be written; Refused when a list was dropped meanwhile.
    """
    return index_of(home, db, _chosen(db, names), say=say)


def index_of(
    home: Home,
    db: Database,
    chosen: Sequence[HashList],
    *,
    say: Callable[[str], None] | None = None,
    rows: Rows = entries.index_rows,
) -> IndexInfo:
    """As `ensure_index`, of just these lists. rows: their entries; those that are served."""
    # The compiler comes with it, which a recorder and most commands can do without.
    from crawler.match.index import build_index, open_index

    plugged = hashers.installed()
    key = indexes.index_key(chosen, plugged, floods.upheld(db))
    index = indexes.built(db, key)
    if index is not None:
        try:
            open_index(index.path, index.sha256, verify=True)
            used(index.path, db.clock())
            return index
        except IndexCorrupt as error:
            if say:
                say(f"{error}; doing that now")
    index = build_index(rows(db, chosen), home.index, plugged)
    with db.write():
        dropped = lists.dropped(db, chosen)
        if not dropped:
            indexes.note(db, key, index, chosen)
        elif not indexes.is_noted(db, index.sha256):  # else it holds nothing of the list, and is another run's
            # By somebody who could not know of this file.
            index.path.unlink(missing_ok=True)
    if dropped:
        raise Refused(f"list {dropped[0]!r} was dropped while its index was built; try again")
    return index


def used(path: Path, at: float) -> None:
    """Note on the file that it was asked for. at: seconds since the epoch."""
    with suppress(OSError):  # it would only be built anew, some day
        os.utime(path, (at, at))


def unused_files(home: Home, since: float) -> list[Path]:
    """The index files that nobody asked for since then (seconds since the epoch), but for the latest."""
    found: list[tuple[float, Path]] = []
    for path in home.index.glob(f"*{SUFFIX}"):
        with suppress(FileNotFoundError):  # its list was dropped just now
            found.append((path.stat().st_mtime, path))
    return [path for asked, path in sorted(found)[:-1] if asked < since]


def _chosen(db: Database, names: Sequence[str]) -> list[HashList]:
    known = {row.name: row for row in lists.all_lists(db)}
    for name in names:
        if name not in known:
            raise NothingToMatch(f"there is no list {name!r}; import it, or take it out of the campaign's match.lists")
        if not known[name].enabled:
            raise NothingToMatch(f"list {name!r} is disabled; enable it, or take it out of the campaign's match.lists")
    chosen = enabled(db, names)
    manifests.check_valid(db, chosen)
    if not can_raise(db, chosen):
        raise NothingToMatch("no enabled list has an entry to match against; run `vangnet hashes import`")
    return chosen
