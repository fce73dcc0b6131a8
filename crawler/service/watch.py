"""What the recorder's process looks after between batches: floods that were not seen yet, alerts that nobody answers,
who is told of them, and thresholds that somebody changed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import count

import structlog

from crawler.errors import VangnetError
from crawler.options import Options
from crawler.review.quarantine import FloodRule
from crawler.service.alarms import tell
from crawler.store import alerts, floods, thresholds
from crawler.store.database import Database

_EVERY = 60.0
_SWEEP = 30
"""Looks between two sweeps over all near matches, which read a large table."""

_log = structlog.get_logger()
_WATCHED = ("quarantine_domains", "quarantine_window", "alert_escalation", "checks_per_day", "screen_margin")
"""Options that decide what is matched, held back or told: a change of one is on record."""


def flood_rule(options: Options) -> FloodRule:
    """The rule that the options set."""
    return FloodRule(options.quarantine_domains, options.quarantine_window)


async def keep_watch(db: Database, options: Options, stop: asyncio.Event) -> None:
    """Look once a minute, until `stop` is set."""
    silent = ""
    for number in count():
        if stop.is_set():
            return
        try:
            look(db, options, sweep=number % _SWEEP == 0)
            await asyncio.to_thread(tell, db.home, options)
            silent = ""
        except (VangnetError, OSError) as error:
            if str(error) != silent:
                _log.error("alerts not looked after; tried again each minute", error=str(error))
            silent = str(error)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _EVERY)


def look(db: Database, options: Options, *, sweep: bool = True) -> None:
    """One look. sweep: find floods that no batch has shown, as after a crash. Raises StoreUnavailable."""
    for entry in floods.sweep(db, flood_rule(options)) if sweep else ():
        _log.warning("entry in quarantine", entry=entry)
    with db.write():
        thresholds.note(db, {name: getattr(options, name) for name in _WATCHED})
        risen = alerts.escalate(db, options.alert_escalation)
    for alert in risen:
        _log.error("nobody has answered an alert", alert=alert.id, kind=alert.kind, level=alert.level)
