"""What the recorder's process looks after between batches: floods that were not seen yet, alerts that nobody answers,
and thresholds that somebody changed."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from crawler.errors import VangnetError
from crawler.options import Options
from crawler.review.quarantine import FloodRule
from crawler.store import alerts, floods, thresholds
from crawler.store.database import Database

_EVERY = 60.0
_log = structlog.get_logger()
_WATCHED = ("quarantine_domains", "quarantine_window", "alert_escalation", "checks_per_day", "screen_margin")
"""Options that decide what is matched, held back or told: a change of one is on record."""


def flood_rule(options: Options) -> FloodRule:
    """The rule that the options set."""
    return FloodRule(options.quarantine_domains, options.quarantine_window)


async def keep_watch(db: Database, options: Options, stop: asyncio.Event) -> None:
    """Look once a minute, until `stop` is set."""
    while not stop.is_set():
        try:
            look(db, options)
        except VangnetError as error:
            _log.warning("alerts not looked after", error=str(error))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _EVERY)


def look(db: Database, options: Options) -> None:
    """One look. Raises StoreUnavailable."""
    for entry in floods.sweep(db, flood_rule(options)):
        _log.warning("entry in quarantine", entry=entry)
    with db.write():
        thresholds.note(db, {name: getattr(options, name) for name in _WATCHED})
        risen = alerts.escalate(db, options.alert_escalation)
    for alert in risen:
        _log.error("nobody has answered an alert", alert=alert.id, kind=alert.kind, level=alert.level)
