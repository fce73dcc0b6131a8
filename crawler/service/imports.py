"""Importing hash lists: a file becomes the next version of a list, all of it or nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crawler.errors import HashListInvalid
from crawler.match.entries import BadLine, ImportOptions
from crawler.match.importers.detect import REPLACING, detect, read
from crawler.service import manifests
from crawler.service.actors import require
from crawler.store import arrivals, audit, lists
from crawler.store import manifests as kept_manifests
from crawler.store.actors import Actor
from crawler.store.database import Database
from crawler.store.hit_marks import remark_list
from crawler.store.lists import HashList, ListVersion, Near
from crawler.store.manifests import Signed
from crawler.store.staging import Difference, Staging

Progress = Callable[[int, int], None]
"""Called with bytes read so far and altogether."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_NAMED_LINES = 5
_ESTABLISHED = 100
_KEPT_SHARE = 0.1


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
        with arrivals.importing(db):
            before = lists.find(db, name)
            replaces = format_name in REPLACING
            change = arrivals.difference(db, staging, name, options.kind, replaces=replaces)
            if before and not replace and _another(before, change):
                raise HashListInvalid(_stands_otherwise(path, before, change))
            near: Near = "confirm" if db.home.lab else "assess"
            with arrivals.arriving(db, name, options.kind, near, change) as arrival, db.write():
                version = lists.add_version(
                    db,
                    arrival,
                    actor,
                    kind=options.kind,
                    format_name=format_name,
                    skipped=left.reasons,
                    governed=not db.home.lab,
                    categories=options.categories,
                )
                if signed:
                    kept_manifests.keep(db, version.list.id, version.list.version, signed)
                marks = remark_list(db, version.list.id)
                detail = _import_detail(version, signed) | marks.detail()
                audit.append(db, actor, "lists.import", name, detail=detail)
    db.shrink_log()
    return version


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


def _another(before: HashList, change: Difference) -> bool:
    """Whether the file holds next to nothing of the list as it stood: somebody else's file, under the wrong name."""
    kept = before.entries - change.withdrawn
    return before.entries >= _ESTABLISHED and kept < before.entries * _KEPT_SHARE


def _stands_otherwise(path: Path, before: HashList, change: Difference) -> str:
    return (
        f"{path}: has {before.entries - change.withdrawn} of the {before.entries} entries of list {before.name!r}; "
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
