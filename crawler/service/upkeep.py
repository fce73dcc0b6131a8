"""Backup, restore and retention of the database.

A backup holds what the database holds, sealed as it is there; its keys are not in it, and are kept elsewhere.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from crawler.errors import InvalidInput, Refused, StoreDamaged, StoreUnavailable, Unavailable
from crawler.home import Home
from crawler.options import Options
from crawler.service.actors import account, require
from crawler.service.indexing import unused_files
from crawler.service.launch import locked
from crawler.service.session import open_session
from crawler.service.texts import plain
from crawler.store import audit, deliveries, people, retention
from crawler.store.actors import Actor
from crawler.store.database import Database, open_store
from crawler.store.exclusive import alone_with
from crawler.store.opening import replacing

_DAY: Final = 86_400.0
_PEOPLE_DAYS: Final = 30.0
_INDEX_DAYS: Final = 30.0
_CHUNK: Final = 1 << 20
_ERASED_AT_ONCE: Final = 500
_REST: Final = 0.025


def back_up(db: Database, actor: Actor, file: Path) -> dict[str, Any]:
    """Write a consistent copy of the database, mode 0600. Returns {"file", "bytes", "sha256", "events"}.

    Crawling and deciding go on meanwhile.
    Raises NotAuthorised, InvalidInput when the file exists or its directory does not, Unavailable and StoreUnavailable
    when it cannot be written.
    """
    require(db, actor, "store.backup")
    if file.exists():
        raise InvalidInput(f"{plain(file)} exists; give a new name")
    if not file.parent.is_dir():
        raise InvalidInput(f"there is no directory {plain(file.parent)}; make it, or give another place")
    with db.write():
        audit.append(db, actor, "store.backup", "")
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    before = os.umask(0o077)
    try:
        db.copy_to(fresh)
        _flush(fresh)
        fresh.replace(file)
        size, digest = file.stat().st_size, _digest(file)
    except OSError as error:
        raise Unavailable(f"backup {file}: {error.strerror}; make room, or give another place") from error
    finally:
        os.umask(before)
        fresh.unlink(missing_ok=True)
    head = audit.head(db)
    return {"file": str(file), "bytes": size, "sha256": digest, "events": head.serial if head else 0}


def restore(home: Home, user: str | None, file: Path, *, replace: bool) -> dict[str, Any]:
    """Put a backup in the place of the database of a home. Returns {"file", "events", "before"}.

    The backup is checked first: the home's keys have to fit, and its audit chain to hold. The database that was there
    is kept beside it, under the name `before`. Sessions end; notices that were to leave are in doubt, for they may have
    left after the backup was made.
    user: as --user gave it. The database that is there says who may do this; where there is none that can be read, it
    is whoever has the keys. What happened since the backup is in `before` alone, and so are its audit events.
    Raises InvalidInput when there is no such file or it is one of the home's own; Refused when a database is there and
    `replace` is not given, and while another process restores; NotAuthorised; StoreUnavailable when the backup does not
    fit, or the database is in use.
    """
    if not file.is_file():
        raise InvalidInput(f"there is no file {plain(file)}")
    _is_backup(home, file)
    there = home.database.exists()
    if there and not replace:
        raise Refused(f"home {home.root} has a database; give --replace to put the backup in its place")
    with (home.root / "restore.lock").open("w") as lock:
        if not locked(lock):
            raise Refused(f"another process restores into {home.root}; wait for it")
        actor = _restorer(home, user) if there else account(home, user)
        return _restored(home, file, actor)


def _restored(home: Home, file: Path, actor: Actor) -> dict[str, Any]:
    fresh, kept = _fresh(home), _kept(home)
    there = home.database.exists()
    try:
        _remove(fresh)
        _copy(file, fresh)
        events = _checked(home, fresh, actor)
        if there:
            with alone_with(home.database):
                # Linked and not moved: whoever is killed in between leaves a database in its place.
                _remove(kept)
                os.link(home.database, kept)
                _follow(home.database, kept)
                fresh.replace(home.database)
        else:
            with replacing(home.database):
                if home.database.exists():
                    raise Refused(f"home {home.root} has a database by now; give --replace to put the backup there")
                _remove(home.database)
                fresh.replace(home.database)
        _flush(home.root)
    except OSError as error:
        raise Unavailable(f"restoring into {home.root}: {error.strerror}; nothing was replaced") from error
    finally:
        _remove(fresh)
    return {"file": str(file), "events": events, "before": str(kept) if there else None}


def retain(db: Database, actor: Actor, options: Options, *, dry_run: bool) -> dict[str, Any]:
    """Erase what may not be kept any longer. Returns {"dry_run", "hits", "sightings", "sessions", "sign_ins",
    "index_files"}.

    hits: rejected, removed or moved ones whose URLs are erased; who comes by again is recognised by keyed numbers.
    sightings: of these, deleted.  sessions, sign_ins: ended sessions and failed sign-ins of more than 30 days ago.
    index_files: those that no run asked for in 30 days, but for the latest; they hold codes of older versions of lists.
    dry_run: only count.
    Raises NotAuthorised, StoreUnavailable.
    """
    require(db, actor, "retention.run")
    now = db.clock()
    limits = now - options.retention_rejected * _DAY, now - options.retention_closed * _DAY
    before = now - _PEOPLE_DAYS * _DAY
    unused = unused_files(db.home, now - _INDEX_DAYS * _DAY)
    if dry_run:
        due = retention.due(db, *limits)
        return {"dry_run": True} | retention.count(db, due, before) | {"index_files": len(unused)}
    done, found = Counter[str](), [""]
    while found:
        # So many at once, each time with their own event: the recorder and the desk go on in between.
        with db.write():
            found = retention.due(db, *limits, after=found[-1], most=_ERASED_AT_ONCE)
            said = retention.count(db, found, before) | {"index_files": 0 if done else len(unused)}
            if found or not done:
                retention.erase(db, found, before)
                audit.append(db, actor, "retention.run", "", detail=said | {"erased": found})
            done.update(said)
        time.sleep(_REST)
    for path in unused:
        path.unlink(missing_ok=True)
    db.shrink_log()
    return {"dry_run": False} | dict(done)


def _is_backup(home: Home, file: Path) -> None:
    """Raises InvalidInput for what restoring would delete or overwrite before it is read, or would read only half."""
    if file.resolve() in {path.resolve() for path in (home.database, _fresh(home), _kept(home))}:
        raise InvalidInput(f"{plain(file)} is a place that restoring writes to; move it elsewhere first")
    if any(path.exists() and path.stat().st_size for path in _beside(file)):
        raise InvalidInput(f"{plain(file)} is a copy of a database at work, whose log is apart; give one of `backup`")


def _checked(home: Home, path: Path, actor: Actor) -> int:
    """How many events the chain of a backup has. Raises StoreUnavailable."""
    try:
        with open_store(home, path=path) as db:
            return _made_fit(db, actor)
    except StoreDamaged as error:
        raise _spoilt("the file is damaged") from error


def _made_fit(db: Database, actor: Actor) -> int:
    damage = db.value("PRAGMA quick_check")
    verdict = audit.verify(db)
    if damage != "ok" or not verdict.intact:
        raise _spoilt(verdict.problem or "the file is damaged")
    if not verdict.events:  # every backup has at least its own
        raise _spoilt("the file is empty")
    with db.write():
        # Sessions may have ended, and notices may have left, since the backup was made.
        people.end_sessions(db)
        doubtful = deliveries.doubt_all(db, "a backup was restored; it may have left after the backup was made")
        audit.append(db, actor, "store.restore", "", detail={"doubt": doubtful})
    db.shrink_log()
    return verdict.events


def _spoilt(problem: str) -> StoreUnavailable:
    return StoreUnavailable(f"the backup is not what was written: {problem}; take another one")


def _restorer(home: Home, user: str | None) -> Actor:
    """Who restores, as the database that is there knows them. Raises NotAuthorised, StoreUnavailable."""
    try:
        with open_session(home, user) as at:
            require(at.db, at.actor, "store.restore")
            return at.actor
    except StoreDamaged:
        # It cannot say who may, and is what this command is there for. It stays, for whoever asks.
        return account(home, user)


def _follow(path: Path, kept: Path) -> None:
    """The log of a damaged database could not be folded into it: it goes along, and never into another one."""
    for old, new in zip(_beside(path), _beside(kept), strict=True):
        if old.exists():
            old.replace(new)


def _fresh(home: Home) -> Path:
    return home.database.with_name("vangnet.sqlite.restored")


def _kept(home: Home) -> Path:
    return home.database.with_name("vangnet.sqlite.before")


def _copy(file: Path, fresh: Path) -> None:
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with file.open("rb") as source, os.fdopen(descriptor, "wb") as target:
        shutil.copyfileobj(source, target, _CHUNK)


def _remove(database: Path) -> None:
    """With its logs: SQLite would play them into whatever comes under the same name."""
    for path in (database, *_beside(database)):
        path.unlink(missing_ok=True)


def _beside(path: Path) -> list[Path]:
    return [path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal")]


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()
