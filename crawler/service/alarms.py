"""Telling people of alerts: by mail, on the way that notices take; each level once, until the mail server took it.

What leaves names ids only. A mail whose fate is in doubt is sent again, under the same Message-ID: hearing twice of an
alert does no harm, and not hearing of it does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import structlog

from crawler.errors import OptionInvalid, VangnetError
from crawler.home import Home
from crawler.notice.alert import AlertMail, next_attempt, write_alert
from crawler.notice.facts import mail_address
from crawler.notice.outbox import Envelope, Fate, Outbox
from crawler.options import Options
from crawler.records import Rejected
from crawler.service.delivery import outbox_of
from crawler.service.findings import Finding, Look, ok, problem, warning
from crawler.service.launch import locked
from crawler.store import alerts
from crawler.store.alerts import Alert, Recipient
from crawler.store.database import Database, open_store

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Due:
    """A mail to be sent now. attempts: before."""

    alert: Alert
    recipient: Recipient
    address: str
    attempts: int


def tell(home: Home, options: Options, outbox: Outbox | None = None) -> int:
    """Send the mails that are due, on a connection of its own, so that a slow mail server holds up nobody who records.
    Returns how many were taken. Of several processes of one home, one does so. Where nobody is named, nothing is sent.

    outbox: the way out; None: as the options say.
    Raises OptionInvalid when there is no way out, or an address is none; StoreUnavailable; OSError when the home
    cannot be written.
    """
    if not options.alert_address:
        return 0
    way = outbox or outbox_of(home, options)
    for name in ("notice_sender", "alert_address", "escalation_address"):
        address = getattr(options, name)
        if isinstance(mail_address(address), Rejected) and (address or name != "escalation_address"):
            raise OptionInvalid(f"VANGNET_{name.upper()} is no mail address; alerts are told by mail")
    with (home.root / "alerts.lock").open("w") as lock:
        if not locked(lock):
            return 0
        with open_store(home) as db:
            return sum([_send(db, options.notice_sender, way, due) for due in list(_due(db, options))])


def trouble_telling(home: Home, options: Options, outbox: Outbox) -> str | None:
    """As `tell`, for a command that does so beside its own work: what was wrong, None when nothing was."""
    try:
        tell(home, options, outbox)
    except (VangnetError, OSError) as error:
        return str(error)
    return None


def check_alerts(look: Look) -> list[Finding]:
    """Whether somebody hears of alerts, and has heard of those that are open."""
    found = []
    if not (look.options.alert_address or look.home.lab):
        mend = "set VANGNET_ALERT_ADDRESS, and VANGNET_ESCALATION_ADDRESS for when nobody answers"
        found.append(problem("alerts", "nobody is told of them: an entry that floods waits unseen", mend))
    if look.db is None:
        return found
    opened = alerts.open_alerts(look.db)
    if opened:
        what = f"{len(opened)} wait for an answer, up to level {max(each.level for each in opened)}"
        found.append(warning("alerts", what, "see `vangnet hashes quarantine list`"))
    if look.options.alert_address and (silent := alerts.untold(look.db)):
        what = f"{len(silent)} of which no mail was taken yet"
        found.append(warning("alerts", what, "see that the mail server answers, and that `vangnet recorder` runs"))
    return found or [ok("alerts", "none is open")]


def _due(db: Database, options: Options) -> Iterator[_Due]:
    """Only the present level of each alert: what it was before says nothing more."""
    for alert in alerts.open_alerts(db):
        told: list[tuple[Recipient, str]] = [("first", options.alert_address)]
        if alert.level > 1 and options.escalation_address not in ("", options.alert_address):
            told.append(("next", options.escalation_address))
        for recipient, address in told:
            attempts = alerts.mail_due(db, alert, recipient)
            if attempts is not None:
                yield _Due(alert, recipient, address, attempts)


def _send(db: Database, sender: str, outbox: Outbox, due: _Due) -> bool:
    """One attempt, and what it came to on record. Whether the mail was taken."""
    alert = due.alert
    mail = AlertMail(
        alert=alert.id,
        kind=alert.kind,
        object=alert.object,
        level=alert.level,
        since=alert.opened_at,
        at=alert.escalated_at or alert.opened_at,
        role=due.recipient,
        sender=sender,
        recipient=due.address,
    )
    fate = outbox.send(Envelope(mail.name, sender, due.address, write_alert(mail))).fate
    taken, attempts = fate is Fate.ACCEPTED, due.attempts + 1
    with db.write():
        again = None if taken else next_attempt(attempts, db.clock())
        alerts.note_mail(db, alert, due.recipient, attempts=attempts, result=fate.value, again=again)
    if not taken:
        _log.error("mail of an alert was not taken; it is tried again", alert=alert.id, result=fate.value)
    return taken
