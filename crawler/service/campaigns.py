"""Acts on campaign files: create, approve, list, show.

What the store calls the state of a campaign is about its file: created, or approved. Whether a run of it goes on is
said by its marker in Redis (`service/steer.py`); so pausing never passes for an approval.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from crawler.campaign import Campaign, load_campaign, parse_campaign
from crawler.errors import CampaignInvalid, NotAuthorised, Refused
from crawler.options import Options
from crawler.service.actors import require
from crawler.service.revealing import may_reveal
from crawler.store import audit, campaigns
from crawler.store.actors import Actor
from crawler.store.campaigns import CampaignRow
from crawler.store.database import Database
from crawler.store.times import iso
from crawler.urls import masked

"""Characters of a reason."""


def create_campaign(
    db: Database, actor: Actor, file: Path, *, lab: bool, replace: bool = False
) -> tuple[dict[str, Any], bool]:
    """Validate a campaign file and keep it. Returns the campaign as listings print it, and whether anything changed.

    Raises CampaignInvalid, also when another file stands under its name and `replace` is not given; NotAuthorised.
    """
    require(db, actor, "campaigns.write")
    campaign = load_campaign(file, lab=lab)
    changed = keep_file(db, actor, file, campaign.name, replace=replace)
    return _listed(db, known(db, campaign.name)), changed


def keep_file(db: Database, actor: Actor, file: Path, name: str, *, replace: bool) -> bool:
    """Keep a valid file under its campaign's name; whether anything changed. Raises as `create_campaign` does."""
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CampaignInvalid(f"{file}: changed while it was read; try again") from error
    digest = hashlib.sha256(text.encode()).hexdigest()
    with db.write():
        before = campaigns.file_text(db, name)
        changed = campaigns.save(db, actor, name, text, digest, replace=replace)
        if changed and before is not None:
            _note_thresholds(db, actor, name, before, text)
    return changed


def _note_thresholds(db: Database, actor: Actor, name: str, before: str, after: str) -> None:
    """What counts as a match is on record in words, not only as another digest of the file."""
    new = asdict(parse_campaign(after, f"campaign {name}", lab=db.home.lab).match)
    try:
        old = asdict(parse_campaign(before, f"campaign {name}", lab=db.home.lab).match)
    except CampaignInvalid:
        # Kept by a version that accepted other files; what it said is lost, that it changed is not.
        old = None
    if old != new:
        audit.append(db, actor, "campaigns.thresholds", name, detail={"before": old, "after": new})


def approve_campaign(db: Database, actor: Actor, name: str) -> dict[str, Any]:
    """Approve a campaign's file as it stands. Returns the campaign as listings print it.

    Outside of the lab, whoever brought the file in may not approve it.
    Raises NotAuthorised, CampaignInvalid when there is no such campaign.
    """
    require(db, actor, "campaigns.approve")
    with db.write():
        row = known(db, name)
        own = not db.home.lab and _author(db, name) == actor.name
        if own:
            audit.append(db, actor, "campaigns.approve", name, result="refused", detail={"why": "own"})
        elif row.state != "approved":
            campaigns.set_state(db, actor, name, "approved")
    if own:
        raise NotAuthorised(f"{actor.name!r} created campaign {name!r}; a second person has to approve it")
    return _listed(db, known(db, name))


def require_approval(db: Database, options: Options, name: str) -> None:
    """Return when a campaign may be crawled, and spoken for, under these options. Raises Refused."""
    if _unapproved(db, options, name):
        raise Refused(f"campaign {name!r} is not approved: a second person runs `vangnet campaign approve {name}`")


def _unapproved(db: Database, options: Options, name: str) -> bool:
    row = campaigns.load(db, name)
    return options.require_campaign_approval and (row is None or row.state == "created")


def require_absolute_seeds(campaign: Campaign) -> None:
    """Return when a kept campaign names its seed files by absolute paths. Raises CampaignInvalid."""
    if any(not Path(file).is_absolute() for file in campaign.seeds.files):
        raise CampaignInvalid(
            f"campaign {campaign.name!r} names seed files relative to its own; give absolute paths, or use "
            "`vangnet crawl FILE`"
        )


def list_campaigns(db: Database, actor: Actor) -> list[dict[str, Any]]:
    """All campaigns, by name: {"name", "state", "sha256", "created_at", "changed_at", "runs", "last_run"}.

    runs: how many.  last_run: {"campaign", "run", "started_at", "finished_at", "summary"}, None when there is none.
    Raises NotAuthorised.
    """
    require(db, actor, "campaigns.read")
    return [_listed(db, row) for row in campaigns.all_campaigns(db)]


def show_campaign(
    db: Database, actor: Actor, name: str, *, lab: bool, reveal_reason: str | None = None
) -> dict[str, Any]:
    """One campaign, as `list_campaigns` has it, with {"author", "file": {section: {key: value}}, "history": [runs]}.

    Seeds are masked unless this is the lab or a reason to reveal them is given.
    Raises NotAuthorised, CampaignInvalid when there is none of this name, InvalidInput for an empty reason.
    """
    require(db, actor, "campaigns.read")
    row = known(db, name)
    reveal = may_reveal(db, actor, "campaigns.reveal", name, reveal_reason)
    document = json.loads(stored_campaign(db, name, lab=lab).to_json())
    if not reveal:
        key = db.sealer.mask_key()
        document["seeds"]["urls"] = [masked(url, key) for url in document["seeds"]["urls"]]
        for hidden in ("domains", "files", "pointers"):
            document["seeds"][hidden] = ["…" for _ in document["seeds"][hidden]]
    history = [campaigns.run_json(run) for run in campaigns.runs(db, name)]
    return _listed(db, row) | {"author": _author(db, name), "file": document, "history": history}


def stored_campaign(db: Database, name: str, *, lab: bool) -> Campaign:
    """The campaign that was kept under a name; its seed files are named as in the file, and not opened.

    Raises CampaignInvalid when there is none, or when its file is not valid under the settings in force.
    """
    text = campaigns.file_text(db, name)
    if text is None:
        raise _unknown(name)
    return parse_campaign(text, f"campaign {name}", lab=lab)


def _unknown(name: str) -> CampaignInvalid:
    return CampaignInvalid(f"there is no campaign {name!r}; see `vangnet campaign list`")


def known(db: Database, name: str) -> CampaignRow:
    """The campaign of this name. Raises CampaignInvalid when there is none."""
    row = campaigns.load(db, name)
    if row is None:
        raise _unknown(name)
    return row


def _author(db: Database, name: str) -> str | None:
    """Who brought the file in as it stands."""
    saved = [event for event in audit.events(db, object_id=name) if event["act"] == "campaigns.save"]
    return str(saved[-1]["actor"]) if saved else None


def _listed(db: Database, row: CampaignRow) -> dict[str, Any]:
    history = campaigns.runs(db, row.name)
    return {
        "name": row.name,
        "state": row.state,
        "sha256": row.sha256,
        "created_at": iso(row.created_at),
        "changed_at": iso(row.changed_at),
        "runs": len(history),
        "last_run": campaigns.run_json(history[-1]) if history else None,
    }


def legal_basis(db: Database, options: Options, name: str) -> str | None:
    """What a kept campaign says that it rests on; None when it is not kept here (any more), or not approved."""
    if campaigns.load(db, name) is None or _unapproved(db, options, name):
        return None
    return stored_campaign(db, name, lab=options.lab).about.legal_basis
