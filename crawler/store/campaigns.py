"""Campaigns and their numbered runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crawler.errors import CampaignInvalid
from crawler.records import RunId
from crawler.store import audit
from crawler.store.actors import Actor
from crawler.store.database import Database, Row
from crawler.store.times import iso, iso_optional


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """A campaign as it is stored.  sha256: hex, of the file's text.  Times: seconds since the epoch."""

    name: str
    sha256: str
    state: str
    created_at: float
    changed_at: float


@dataclass(frozen=True, slots=True)
class Run:
    """One run.  finished_at, summary: None while it is not finished."""

    id: RunId
    started_at: float
    finished_at: float | None
    summary: dict[str, Any] | None


def save(db: Database, actor: Actor, name: str, text: str, sha256: str, *, replace: bool = False) -> bool:
    """Keep a validated campaign file under its name. Returns whether anything changed.

    text: the file as it was read; it is sealed, since seeds may become the pages of hits.
    Raises CampaignInvalid when another file stands under the name and `replace` is not given.
    """
    with db.write():
        found = load(db, name)
        if found is not None and found.sha256 == sha256:
            return False
        if found is not None and not replace:
            raise CampaignInvalid(
                f"campaign {name!r} exists with another file; give --replace to change it, or another name"
            )
        sealed, now = db.sealer.seal("campaigns", "file", name, text), db.clock()
        if found is None:
            row = {"name": name, "file": sealed, "sha256": sha256, "state": "created"}
            db.insert("campaigns", row | {"created_at": now, "changed_at": now})
        else:
            # What was approved was the file as it stood before.
            sql = "UPDATE campaigns SET file = ?, sha256 = ?, state = 'created', changed_at = ? WHERE name = ?"
            db.execute(sql, sealed, sha256, now, name)
        audit.append(db, actor, "campaigns.save", name, detail={"sha256": sha256, "replaced": found is not None})
        return True


def load(db: Database, name: str) -> CampaignRow | None:
    """The campaign of this name, or None."""
    found = db.row("SELECT name, sha256, state, created_at, changed_at FROM campaigns WHERE name = ?", name)
    return None if found is None else CampaignRow(**found)


def file_text(db: Database, name: str) -> str | None:
    """The text of a campaign's file, or None when there is no such campaign."""
    sealed = db.value("SELECT file FROM campaigns WHERE name = ?", name)
    return db.sealer.open_optional("campaigns", "file", name, sealed)


def all_campaigns(db: Database) -> list[CampaignRow]:
    """Every campaign, by name."""
    rows = db.rows("SELECT name, sha256, state, created_at, changed_at FROM campaigns ORDER BY name")
    return [CampaignRow(**row) for row in rows]


def set_state(db: Database, actor: Actor, name: str, state: str) -> None:
    """Move a campaign to `state` ("created", "approved", "running", "paused", "stopped", "finished").

    Raises CampaignInvalid when there is none of this name.
    """
    with db.write():
        if not db.execute("UPDATE campaigns SET state = ?, changed_at = ? WHERE name = ?", state, db.clock(), name):
            raise CampaignInvalid(f"there is no campaign {name!r}; see `vangnet campaign list`")
        audit.append(db, actor, f"campaigns.{state}", name)


def unfinished_run(db: Database, name: str) -> Run | None:
    """The latest run of a campaign that has not finished, or None."""
    sql = "SELECT * FROM runs WHERE campaign = ? AND finished_at IS NULL ORDER BY number DESC LIMIT 1"
    found = db.row(sql, name)
    return None if found is None else _run(found)


def runs(db: Database, name: str) -> list[Run]:
    """All runs of a campaign, the first one first."""
    return [_run(row) for row in db.rows("SELECT * FROM runs WHERE campaign = ? ORDER BY number", name)]


def start_run(db: Database, actor: Actor, name: str) -> RunId:
    """Number and note a new run.

    Raises CampaignInvalid when there is no such campaign, or when a run of it is unfinished.
    """
    with db.write():
        campaign = load(db, name)
        if campaign is None:
            raise CampaignInvalid(f"there is no campaign {name!r}; see `vangnet campaign list`")
        if unfinished_run(db, name) is not None:
            raise CampaignInvalid(f"campaign {name!r} has an unfinished run; resume it with `vangnet crawl`")
        number = int(db.value("SELECT coalesce(max(number), 0) + 1 FROM runs WHERE campaign = ?", name))
        row = {"campaign": name, "number": number, "file_sha256": campaign.sha256, "started_at": db.clock()}
        db.insert("runs", row)
        run = RunId(name, number)
        audit.append(db, actor, "runs.start", str(run), detail={"file": campaign.sha256})
        return run


def finish_run(db: Database, actor: Actor, run: RunId, summary: Mapping[str, Any]) -> bool:
    """Note that a run is over, with its summary. Returns False when it was so already; the first summary stays."""
    with db.write():
        sql = "UPDATE runs SET finished_at = ?, summary = ? WHERE campaign = ? AND number = ? AND finished_at IS NULL"
        changed = db.execute(sql, db.clock(), json.dumps(dict(summary)), run.campaign, run.number)
        if changed:
            audit.append(db, actor, "runs.finish", str(run))
        return bool(changed)


def run_json(run: Run) -> dict[str, Any]:
    """A run as listings print it."""
    return {
        "campaign": run.id.campaign,
        "run": run.id.number,
        "started_at": iso(run.started_at),
        "finished_at": iso_optional(run.finished_at),
        "summary": run.summary,
    }


def _run(row: Row) -> Run:
    summary = None if row["summary"] is None else json.loads(row["summary"])
    return Run(RunId(row["campaign"], row["number"]), row["started_at"], row["finished_at"], summary)
