"""What a run's workers have to be told: how the lists that count differ from its index file, and the files for that.

What counts is the served version of a list. A difference that is long becomes a file of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from crawler.bus.lists import Published
from crawler.errors import IndexCorrupt, Refused
from crawler.home import Home
from crawler.match.contents import IndexInfo, IndexRow
from crawler.match.live import MOST_BYTES, ListState, merged, pack_state
from crawler.service.indexing import index_of
from crawler.service.lists import can_raise, counting
from crawler.store import entries, floods, indexes, list_states, lists
from crawler.store.database import Database, open_store
from crawler.store.lists import HashList

MOST_ADDED = 10_000
"""Entries that are sent beside a file; more of them are worth a new one."""

MOST_RANGES = 50_000
"""Masked ranges beside a file that are worth a new one."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Difference:
    """What a run's workers are to be told; None: it is too long, and only a new file will bring it.

    outgrown: the file should be replaced by one of the lists as they are now.  empty: no list that counts could raise a
    hit.
    """

    state: Published | None
    outgrown: bool
    empty: bool


@dataclass(frozen=True, slots=True)
class Look:
    """What to compare the lists with. index: sha256 (hex) of a run's file.  names: as its campaign names lists.

    before: the file that this one replaced, which workers may still have.  unread: whether the file has to be read, as
    it is not the one of the last look.
    """

    index: str
    names: Sequence[str] = ()
    before: str | None = None
    unread: bool = False


def difference(home: Home, look: Look) -> Difference:
    """How the lists that count for a run differ from the file that it has, noted under a number of its own."""
    sound = not look.unread or _sound(home, look.index)
    with open_store(home) as db:
        with db.read():  # a million entries may have been withdrawn, and others write meanwhile
            chosen = counting(db, look.names)
            found = [_compared(db, each, chosen) for each in (look.before, look.index) if each is not None]
            empty = not can_raise(db, chosen)
        *old, state = [_published(db, each) for each in found]
    outgrown = found[-1].outgrown or state is None or not sound
    if state is not None and old:
        state = replace(state, before=old[0])
    return Difference(state, outgrown, empty)


@dataclass(frozen=True, slots=True)
class _Compared:
    """state: what to add to a file and to mask in it, without a number.  known: list id -> version, of what it knows.

    outgrown: the file should be replaced.
    """

    state: ListState
    known: dict[int, int]
    outgrown: bool


def _compared(db: Database, index: str, chosen: Sequence[HashList]) -> _Compared:
    file = indexes.versions(db, index)
    masked = merged(list_states.masked(db, file, chosen))
    counts = {row.id: list_states.added_count(db, row, file.get(row.id, 0)) for row in chosen}
    # What does not count is left out, so that nobody takes it for searched.
    known = {row.id: file[row.id] for row in chosen if row.id in file}
    added, room = list[IndexRow](), MOST_ADDED
    for row in sorted(chosen, key=lambda row: counts[row.id]):
        if counts[row.id] <= room:
            added += list_states.added(db, row, file.get(row.id, 0))
            room -= counts[row.id]
            known[row.id] = row.served or 0
    added += list_states.returned(db, indexes.without(db, index), file, chosen)
    outgrown = not file or len(masked) > MOST_RANGES or sum(counts.values()) > MOST_ADDED
    return _Compared(ListState(0, index, masked, tuple(added)), known, outgrown)


def _published(db: Database, found: _Compared) -> Published | None:
    """Under a number of its own; None when it is too long."""
    index = found.state.index
    with db.write():
        number = list_states.note_state(db, index, found.known)
    packed = pack_state(replace(found.state, number=number))
    return Published(number, index, packed) if len(packed) <= MOST_BYTES else None


def rebuilt(home: Home, names: Sequence[str]) -> IndexInfo:
    """The index file of the lists that count for a run now. Raises HomeUnusable, StoreUnavailable, Refused."""
    with open_store(home) as db:
        with suppress(Refused):  # a list was dropped meanwhile: without it, then
            return index_of(home, db, counting(db, names), say=_log.warning)
        return index_of(home, db, counting(db, names), say=_log.warning)


def likely(db: Database, names: Sequence[str] = ()) -> list[list[HashList]]:
    """What would count if somebody enabled one more list, or the version of it that waits, which is to take effect at
    once. Only where that brings so much that it takes a file."""
    chosen = counting(db, names)
    found = []
    for row in lists.all_lists(db):
        following = replace(row, served=row.version)
        after = row.served or 0 if row.enabled else 0
        if (not names or row.name in names) and list_states.added_count(db, following, after) > MOST_ADDED:
            found.append([*(other for other in chosen if other.id != row.id), following])
    return found


def prepared(home: Home, chosen: Sequence[HashList]) -> None:
    """Build the index file of these versions of lists, enabled or not, unless there is one. It is told to nobody."""
    with open_store(home) as db:
        index_of(home, db, chosen, rows=entries.rows_of_versions)


def _file(home: Home, index: str) -> Path:
    return home.index / f"{index}.vgx"


def signature(home: Home, index: str) -> tuple[int, int, int] | None:
    """What changes when an index file does; None when it is not there."""
    try:
        found = _file(home, index).stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _sound(home: Home, index: str) -> bool:
    from crawler.match.index import open_index  # brings the compiler along

    try:
        open_index(_file(home, index), index, verify=True)
    except IndexCorrupt:
        return False
    return True


def stamp(db: Database, chosen: Sequence[HashList]) -> tuple[object, ...]:
    """What changes when a state does."""
    return (*((row.id, row.served, row.kind) for row in chosen), *floods.upheld(db))
