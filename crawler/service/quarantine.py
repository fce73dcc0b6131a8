"""Acts on entries in quarantine: list them, let one go on, or take it out of service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crawler.errors import InvalidInput, Refused
from crawler.review.quarantine import FloodRule
from crawler.service.actors import require
from crawler.service.revealing import given_reason
from crawler.store import alerts, audit, floods
from crawler.store.actors import Actor
from crawler.store.database import Database
from crawler.store.floods import Quarantine
from crawler.store.times import iso, iso_optional


def list_quarantines(db: Database, actor: Actor) -> list[dict[str, Any]]:
    """The entries that were ever put in quarantine, those that wait first: {"entry" (its number), "label", "list",
    "state" ("waiting", "lifted", "upheld"), "since", "domains" (unrelated ones), "hits" (that wait), "alert" (level of
    the open alert or None), "decided_at", "decided_by"}. Raises NotAuthorised.
    """
    require(db, actor, "lists.read")
    levels = {alert.object: alert.level for alert in alerts.open_alerts(db) if alert.kind == floods.ALERT}
    return [_shown(each, levels.get(f"entry-{each.entry}")) for each in floods.quarantines(db)]


def lift(db: Database, actor: Actor, entry: int, *, reason: str, rule: FloodRule) -> dict[str, Any]:
    """Let an entry and its hits go on. Returns the entry as `list_quarantines` has it, and "moved", the hits that are
    new again.

    reason: why, kept sealed.  rule: in force; the entry is put in quarantine again when it has spread twice as far.
    Raises InvalidInput for an entry that never was in quarantine or an empty reason, Refused when it does not wait,
    NotAuthorised.
    """
    require(db, actor, "entries.lift")
    return _decide(db, actor, entry, ("waiting", "upheld"), uphold=False, reason=reason, rule=rule)


def uphold(db: Database, actor: Actor, entry: int, *, reason: str, rule: FloodRule) -> dict[str, Any]:
    """Match against an entry no more, and reject the hits that rest on it alone; as `lift`.

    Once more for an entry that was upheld: rejects what came in since.
    """
    require(db, actor, "entries.uphold")
    return _decide(db, actor, entry, ("waiting", "upheld"), uphold=True, reason=reason, rule=rule)


def _decide(
    db: Database, actor: Actor, entry: int, states: Sequence[str], *, uphold: bool, reason: str, rule: FloodRule
) -> dict[str, Any]:
    text = given_reason(reason)
    act = "entries.uphold" if uphold else "entries.lift"
    with db.write():
        found = _known(db, entry)
        refused = found.state not in states
        if refused:
            audit.append(db, actor, act, f"entry-{entry}", result="refused", detail={"why": found.state})
        else:
            moved = floods.decide(db, actor, entry, uphold=uphold, reason=text, rule=rule)
    if refused:
        raise Refused(f"entry {entry} is {found.state}; there is nothing to decide")
    return _shown(_known(db, entry), None) | {"moved": moved}


def _known(db: Database, entry: int) -> Quarantine:
    for found in floods.quarantines(db, entry=entry):
        return found
    raise InvalidInput(f"entry {entry} is not in quarantine; see `vangnet hashes quarantine list`")


def _shown(each: Quarantine, level: int | None) -> dict[str, Any]:
    return {
        "entry": each.entry,
        "label": each.label,
        "list": each.list,
        "state": each.state,
        "since": iso(each.since),
        "domains": each.domains,
        "hits": each.waiting,
        "alert": level,
        "decided_at": iso_optional(each.decided_at),
        "decided_by": each.decided_by,
    }
