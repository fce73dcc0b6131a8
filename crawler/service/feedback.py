"""What the owner of a list is told: which of its entries were confirmed, rejected or are in dispute."""

from __future__ import annotations

from collections import Counter
from typing import Any

from crawler.service.actors import require
from crawler.service.lists import known
from crawler.store import audit, feedback
from crawler.store.actors import Actor
from crawler.store.database import Database
from crawler.store.feedback import EntryOutcome
from crawler.store.times import iso


def feedback_for(db: Database, actor: Actor, name: str) -> dict[str, Any]:
    """{"list", "list_version", "exported_at", "entries": [{"entry", "value", "algorithm", "category", "verdict",
    "confirmed", "rejected", "elsewhere", "quarantine", "withdrawn"}]}, without anything of where the hits were.

    entry: the owner's own id.  value: hexadecimal, only where the list gave no id.  verdict: "confirmed" or "rejected"
    when that is all that people said; "disputed" when they said both, when it waits for an assessment made elsewhere,
    or when the entry is in quarantine or was upheld there. Entries about which nobody has said anything are left out.
    Raises InvalidInput when there is no such list, NotAuthorised.
    """
    require(db, actor, "lists.feedback")
    row = known(db, name)
    found = [(each, verdict) for each in feedback.outcomes(db, row.id) if (verdict := _verdict(each))]
    with db.write():
        counts = Counter(verdict for _, verdict in found)
        audit.append(db, actor, "lists.feedback", name, detail={"version": row.version, **counts})
    return {
        "list": row.name,
        "list_version": row.version,
        "exported_at": iso(db.clock()),
        "entries": [_shown(each, verdict) for each, verdict in found],
    }


def _verdict(each: EntryOutcome) -> str | None:
    if each.elsewhere or each.quarantine in ("waiting", "upheld") or (each.confirmed and each.rejected):
        return "disputed"
    if each.confirmed:
        return "confirmed"
    return "rejected" if each.rejected else None


def _shown(each: EntryOutcome, verdict: str) -> dict[str, Any]:
    return {
        "entry": each.label,
        "value": each.value.hex() if each.label is None else None,
        "algorithm": each.algorithm,
        "category": each.category,
        "verdict": verdict,
        "confirmed": each.confirmed,
        "rejected": each.rejected,
        "elsewhere": each.elsewhere,
        "quarantine": each.quarantine,
        "withdrawn": each.withdrawn,
    }
