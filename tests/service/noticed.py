"""A home with hits that were confirmed, for the tests of what comes after."""

from __future__ import annotations

from dataclasses import replace

from crawler.options import Options, load_options
from crawler.records import Attribution
from crawler.service.hits import confirm_hit
from crawler.store.actors import Actor, Role
from crawler.store.database import Database
from crawler.store.hits import record
from tests.store.factories import ATTRIBUTION, FACTS, image, report

ANALYST = Actor("anna", frozenset(Role), "cli")
APPROVER = Actor("bram", frozenset(Role), "cli")
OPTIONS: Options = load_options("settings.lab")
OTHER = replace(
    ATTRIBUTION,
    domain="forum.example",
    icann_domain="forum.example",
    facts=replace(FACTS, holder="Dijk Hosting", abuse_contact="misbruik@dijk.example", asn=64497),
)


def hit(db: Database, number: int = 1, attribution: Attribution = ATTRIBUTION, **changes: object) -> str:
    """A confirmed hit at a URL of its own."""
    site = attribution.domain or attribution.address
    usual = {"image_url": f"https://{site}/secret-{number}.jpg", "found": image(f"image {number}")}
    made = report(f"s{number}", **usual | changes)
    hit_id = record(db, made, attribution).hit_id
    confirm_hit(db, ANALYST, hit_id, reason="stands on the list")
    return hit_id
