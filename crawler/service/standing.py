"""How a list stands beside what it holds: crawled with, quarantined, under which manifest."""

from __future__ import annotations

from typing import Any

from crawler.service.dropping import asked_for, drop_json
from crawler.service.manifests import manifest_json
from crawler.store import coverage, floods, manifests
from crawler.store.database import Database
from crawler.store.lists import HashList
from crawler.store.times import iso


def standing_json(db: Database, row: HashList) -> dict[str, Any]:
    """What `hashes lists --json` adds to a list: {"seen", "quarantined", "manifest", "drop_asked"}.

    seen: [{"version", "imported_at", "urls", "known", "share"}], the latest versions first: of the URLs that the
    largest run of each campaign fetched, how many were fetched by a run with this version or a later one; share is None
    while no run has finished.  quarantined: entries that wait for a person.  manifest: of the latest version, None
    when it has none.  drop_asked: {"by", "at"} of who asks that it be dropped.
    """
    manifest = manifests.manifest_of(db, row.id, row.version)
    seen = [
        {
            "version": each.version,
            "imported_at": iso(each.imported_at),
            "urls": each.urls,
            "known": each.known,
            "share": None if each.share is None else round(each.share, 4),
        }
        for each in coverage.seen_since(db, row.id)
    ]
    return {
        "seen": seen,
        "quarantined": floods.waiting(db, row.id),
        "manifest": None if manifest is None else manifest_json(manifest),
        "drop_asked": drop_json(asked_for(db, row)),
    }
