"""Bringing a list into service: freely in the lab; by a second person, after a trial, where lists are governed."""

from __future__ import annotations

from dataclasses import replace

from crawler.errors import NotAuthorised, Refused
from crawler.service import lists as acts
from crawler.service.actors import require
from crawler.service.manifests import check_valid
from crawler.service.trial import Trial
from crawler.store import arrivals, audit, decisions, manifests
from crawler.store.actors import Actor
from crawler.store.database import Database
from crawler.store.hit_marks import remark_list
from crawler.store.lists import HashList


def waiting(db: Database, actor: Actor, name: str) -> HashList | None:
    """The list, when enabling it takes a trial: its latest version has never been enabled. None: it takes none.

    Raises InvalidInput when there is no such list; NotAuthorised for the person who imported the version; Refused when
    a list outside of the lab has no manifest, or when the key that signed it was revoked meanwhile.
    """
    require(db, actor, "lists.enable")
    row = acts.known(db, name)
    if db.home.lab and not row.governed:
        return None
    if not row.governed:
        raise Refused(f"list {name!r} has no manifest; import it again with --manifest FILE")
    if manifests.was_enabled(db, row.id, row.version):
        return None
    if manifests.importer(db, row.id, row.version) == actor.name:
        _refuse(db, actor, row, "own")
        raise NotAuthorised(f"{actor.name!r} imported version {row.version} of {name!r}; a second person enables it")
    if not manifests.key_in_force(db, row.id, row.version):
        _refuse(db, actor, row, "key")
        raise Refused(f"the key that signed the manifest of {name!r} was revoked; import it with another manifest")
    return row


def enable(
    db: Database, actor: Actor, name: str, *, trial: Trial | None = None, despite: str | None = None
) -> HashList:
    """Let crawls match against a list's latest version, the running ones within seconds. Returns the list as it then
    stands.

    trial: what `try_list` found; needed where `waiting` says so.  despite: why it is enabled although it would hit
    harmless images; kept sealed.
    Raises as `waiting` does; Refused when the trial would hit something and no reason is given, when it was not made,
    or was of another version.
    """
    row = waiting(db, actor, name)
    if row is None:
        return acts.set_enabled(db, actor, name, True)
    check_valid(db, [replace(row, served=row.version)])
    if trial is None:
        raise Refused(f"version {row.version} of {name!r} has not been tried on harmless images yet")
    if trial.hits and not (despite and despite.strip()):
        _refuse(db, actor, row, "trial")
        raise Refused(
            f"version {row.version} of {name!r} would hit {len(trial.hits)} of {trial.images} harmless images; tell "
            "its owner, or give --despite REASON"
        )
    with db.write():
        # While it was tried, somebody may have imported another version, or a list of the same name.
        now = acts.known(db, name)
        if not (trial.list_id, trial.version) == (row.id, row.version) == (now.id, now.version):
            raise Refused(
                f"list {name!r} is no longer the one that was tried; enable it again, to try version {now.version}"
            )
        manifests.note_enabling(db, actor, row.id, row.version, corpus=trial.images, would_hit=len(trial.hits))
        detail: dict[str, object] = {"version": row.version, "corpus": trial.images, "would_hit": len(trial.hits)}
        if trial.hits and despite:
            detail["note"] = decisions.add_note(db, actor, name, "despite", despite.strip())
        arrivals.copy_first(db)
        marks = remark_list(db, row.id)
        audit.append(db, actor, "lists.enable", name, detail=detail | marks.detail())
        enabled = acts.known(db, name)
    arrivals.copy_rest(db)
    return enabled


def _refuse(db: Database, actor: Actor, row: HashList, why: str) -> None:
    with db.write():
        detail = {"why": why, "version": row.version}
        audit.append(db, actor, "lists.enable", row.name, result="refused", detail=detail)
