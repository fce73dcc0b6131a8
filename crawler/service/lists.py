"""Acts on hash lists: import, enable, disable, drop, and the index that workers match against."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crawler.errors import HashListInvalid, IndexCorrupt, InvalidInput, NothingToMatch, Refused
from crawler.fingerprint import hashers
from crawler.home import Home
from crawler.match.contents import IndexInfo, IndexRow
from crawler.match.entries import DIGEST_BYTES, BadLine, ImportOptions
from crawler.match.importers.detect import REPLACING, detect, read
from crawler.service import manifests
from crawler.service.actors import require
from crawler.store import audit, floods, indexes, lists
from crawler.store import manifests as kept_manifests
from crawler.store.actors import Actor
from crawler.store.database import Database
from crawler.store.hit_marks import remark_list
from crawler.store.lists import HashList, ListVersion
from crawler.store.manifests import Signed
from crawler.store.staging import Staging
from crawler.store.times import iso

Progress = Callable[[int, int], None]
"""Called with bytes read so far and altogether."""

Rows = Callable[[Database, Sequence[HashList]], Iterator[IndexRow]]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_NAMED_LINES = 5
_ESTABLISHED = 100
_KEPT_SHARE = 0.1
_RAISING = {*DIGEST_BYTES, "pdq"}  # what can raise a hit, beside plug-ins; a pHash only corroborates one


@dataclass(slots=True)
class _Left:
    """The lines of a file that are no entries."""

    first: list[BadLine] = field(default_factory=list)
    bad: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


def import_list(
    db: Database,
    actor: Actor,
    path: Path,
    *,
    name: str,
    options: ImportOptions,
    skip_invalid: bool = False,
    manifest: Path | None = None,
    replace: bool = False,
    progress: Progress | None = None,
) -> ListVersion:
    """Import a file as the next version of the list `name`, which is enabled when it is new. All of it, or nothing.

    Outside of the lab it needs a manifest, and the version waits until a second person enables it.

    Entries that are there already stay what they are. Formats that hold a whole list (all but ncmec) withdraw what the
    file no longer has; ncmec withdraws what its tombstones name.
    skip_invalid: leave out what is malformed or refused by a poison guard, and count it by reason.
    manifest: its file, signed in `FILE.sig`; the categories that it names are those that count.
    replace: also when next to nothing of the list as it stands is in the file.
    Raises HashListInvalid for a file that is not a list, for malformed lines (the first ones named by number) without
    `skip_invalid`, for a file without an entry, for a manifest that does not fit, and for a name that is no name or
    stands with another kind or other content; Refused without a valid manifest; NotAuthorised; StoreUnavailable.
    """
    require(db, actor, "lists.import")
    if not _NAME.match(name):
        raise HashListInvalid(f"{name!r} is no name for a list; use up to 64 letters, digits, '.', '-' and '_'")
    signed = manifests.checked(db, manifest, name, path)
    format_name = detect(path, options)
    options = manifests.counting(signed, options, format_name)
    with Staging(db) as staging:
        left = _stage(staging, path, options, format_name, progress)
        if left.bad and not skip_invalid:
            raise HashListInvalid(_bad_lines(path, left))
        if not staging.taken and not staging.buried:
            raise HashListInvalid(f"{path}: no entry in it; to empty a list, run `vangnet hashes drop {name}`")
        if signed and manifest:
            manifests.check_covered(signed, manifest, path)
        staging.attach()
        with db.write():
            before = lists.find(db, name)
            version = lists.add_version(
                db,
                staging,
                actor,
                name=name,
                kind=options.kind,
                near="confirm" if db.home.lab else "assess",
                format_name=format_name,
                replaces=format_name in REPLACING,
                skipped=left.reasons,
                governed=not db.home.lab,
                categories=options.categories,
            )
            if before and not replace and _another(before, version):
                raise HashListInvalid(_stands_otherwise(path, before, version))
            if signed:
                kept_manifests.keep(db, version.list.id, version.list.version, signed)
            marks = remark_list(db, version.list.id)
            audit.append(db, actor, "lists.import", name, detail=_import_detail(version, signed) | marks.detail())
    db.shrink_log()
    return version


def set_enabled(db: Database, actor: Actor, name: str, enabled: bool) -> HashList:
    """Match against a list, or no longer: the running crawls too, within seconds. Returns the list as it then stands.

    Raises InvalidInput when there is no such list, NotAuthorised; Refused when no version of it has been brought into
    service as `service.enabling` does.
    """
    act = "lists.enable" if enabled else "lists.disable"
    require(db, actor, act)
    with db.write():
        found = known(db, name)
        if enabled and found.governed and not kept_manifests.was_enabled(db, found.id, found.served):
            raise Refused(f"no version of list {name!r} has been enabled by a second person yet")
        changed = lists.set_enabled(db, found.id, enabled)
        marks = remark_list(db, found.id)
        audit.append(db, actor, act, name, result="done" if changed else "unchanged", detail=marks.detail())
        return known(db, name)


def drop(db: Database, actor: Actor, name: str) -> int:
    """Delete a list's entries and the index files that hold them; its hits keep what they say. Returns the number of
    entries.

    Raises InvalidInput when there is no such list, NotAuthorised.
    """
    require(db, actor, "lists.drop")
    with db.write():
        found = known(db, name)
        entries = lists.drop(db, found.id)
        files = indexes.forget_list(db, found.id)
        marks = remark_list(db, found.id)
        audit.append(db, actor, "lists.drop", name, detail={"entries": entries} | marks.detail())
    for file in files:
        with suppress(OSError):
            file.unlink()
    db.shrink_log()
    return entries


def all_lists(db: Database, actor: Actor) -> list[HashList]:
    """Every list that is not dropped, by name. Raises NotAuthorised."""
    require(db, actor, "lists.read")
    return lists.all_lists(db)


def list_json(row: HashList) -> dict[str, Any]:
    """A list as `hashes lists --json` prints it.  unsearchable: entries that are kept, though nothing searches them."""
    return {
        "name": row.name,
        "kind": row.kind,
        "enabled": row.enabled,
        "version": row.version,
        "imported_at": iso(row.imported_at),
        "format": row.format,
        "entries": row.entries,
        "by_algorithm": row.by_algorithm,
        "categories": row.categories,
        "by_category": row.by_category,
        "unsearchable": sum(count for name, count in row.by_algorithm.items() if not _searchable(row, name)),
        "near": row.near,
        "served": row.served,
    }


def version_json(version: ListVersion) -> dict[str, Any]:
    """What an import did, as `hashes import --json` prints it."""
    counts = {"added": version.added, "withdrawn": version.withdrawn, "duplicates": version.duplicates}
    return list_json(version.list) | counts | {"skipped": version.skipped}


def ensure_index(
    home: Home, db: Database, names: Sequence[str] = (), *, say: Callable[[str], None] | None = None
) -> IndexInfo:
    """The index file of the enabled lists, or of those of `names`; built when there is none for their versions yet.

    say: is told in a line when a file that should be there has to be built again.
    Raises NothingToMatch when no enabled block list has an entry that can raise a hit, or when one of `names` is not
    there or disabled; HomeUnusable when the file cannot be written.
    """
    return index_of(home, db, _chosen(db, names), say=say)


def index_of(
    home: Home,
    db: Database,
    chosen: Sequence[HashList],
    *,
    say: Callable[[str], None] | None = None,
    rows: Rows = lists.index_rows,
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
            return index
        except IndexCorrupt as error:
            if say:
                say(f"{error}; doing that now")
    index = build_index(rows(db, chosen), home.index, plugged)
    with db.write():
        indexes.note(db, key, index, chosen)
    return index


def _stage(staging: Staging, path: Path, options: ImportOptions, format_name: str, progress: Progress | None) -> _Left:
    left = _Left()
    for batch in read(path, options, format_name):
        staging.add(batch.entries)
        staging.bury(batch.tombstones)
        left.bad += len(batch.bad)
        left.first += batch.bad[: _NAMED_LINES - len(left.first)]
        left.reasons.update(line.reason for line in batch.bad)
        left.reasons.update(item.reason for item in batch.uncounted)
        if progress:
            progress(batch.position, batch.total)
    return left


def _bad_lines(path: Path, left: _Left) -> str:
    named = "; ".join(f"line {line.number}: {line.reason}" for line in left.first)
    more = f"; and {left.bad - len(left.first)} more" if left.bad > len(left.first) else ""
    return f"{path}: {named}{more}; nothing was imported; mend the file or give --skip-invalid"


def _another(before: HashList, version: ListVersion) -> bool:
    """Whether the file holds next to nothing of the list as it stood: somebody else's file, under the wrong name."""
    kept = before.entries - version.withdrawn
    return before.entries >= _ESTABLISHED and kept < before.entries * _KEPT_SHARE


def _stands_otherwise(path: Path, before: HashList, version: ListVersion) -> str:
    return (
        f"{path}: has {before.entries - version.withdrawn} of the {before.entries} entries of list {before.name!r}; "
        "nothing was imported; give another --list, or --replace if the list has really changed so"
    )


def _import_detail(version: ListVersion, signed: Signed | None) -> dict[str, Any]:
    return {
        "categories": version.list.categories,
        "key": signed and signed.key,
        "version": version.list.version,
        "kind": version.list.kind,
        "format": version.list.format,
        "entries": version.list.entries,
        "added": version.added,
        "withdrawn": version.withdrawn,
        "skipped": version.skipped,
    }


def known(db: Database, name: str) -> HashList:
    """The list of this name. Raises InvalidInput when there is none, or it was dropped."""
    found = lists.find(db, name)
    if found is None:
        raise InvalidInput(f"there is no list {name!r}; see `vangnet hashes lists`")
    return found


def enabled(db: Database, names: Sequence[str] = ()) -> list[HashList]:
    """The enabled lists, or those of `names` among them."""
    return [row for row in lists.all_lists(db) if row.enabled and (not names or row.name in names)]


def counting(db: Database, names: Sequence[str] = ()) -> list[HashList]:
    """As `enabled`, without those whose manifest has expired: what crawls that run match against."""
    return [row for row in enabled(db, names) if not manifests.expired(db, row)]


def can_raise(db: Database, chosen: Sequence[HashList]) -> bool:
    """Whether any of these lists serves an entry that could raise a hit."""
    raising = _RAISING.union(hashers.installed())
    return any(row.kind == "block" and not raising.isdisjoint(lists.served_algorithms(db, row)) for row in chosen)


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


def _searchable(row: HashList, algorithm: str) -> bool:
    if algorithm in DIGEST_BYTES:
        return True
    return row.kind == "block" and (algorithm in {"pdq", "phash"} or algorithm in hashers.installed())
