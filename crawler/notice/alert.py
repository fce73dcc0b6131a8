"""The mail that tells people of an alert. It names ids and nothing else: mail is read on phones, and kept by others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

FIRST_WAIT: Final = 60.0
LONGEST_WAIT: Final = 1_800.0
"""Seconds between two attempts. There is no last one: somebody has to hear of it."""

_HOW: Final = {
    "entry-quarantined": "An entry of a hash list matches at many unrelated sites. Its hits wait for a person:\n"
    "  vangnet hashes quarantine list\n"
    "  vangnet hashes quarantine lift NUMBER --reason R\n"
    "  vangnet hashes quarantine uphold NUMBER --reason R",
}
_LOOK: Final = "See `vangnet hashes lists` and `vangnet doctor`."


@dataclass(frozen=True, slots=True)
class AlertMail:
    """alert: its id.  object: the id of what it is about, never a URL or a digest.  level: from 1.
    since, at: seconds since the epoch, when it was opened and when it reached this level.  role: of who is told, a
    short word.  sender, recipient: mail addresses.
    """

    alert: str
    kind: str
    object: str
    level: int
    since: float
    at: float
    role: str
    sender: str
    recipient: str

    @property
    def name(self) -> str:
        """Of this mail among all, the same for every attempt, and safe as a file name."""
        return f"alert-{self.alert}-{self.level}-{self.role}"


def write_alert(mail: AlertMail) -> bytes:
    """The message, with CRLF; the same bytes for every attempt, so that a second delivery is known as one."""
    message = EmailMessage(policy=SMTP)
    message["From"] = Address("Vangnet", addr_spec=mail.sender)
    message["To"] = Address(addr_spec=mail.recipient)
    message["Subject"] = f"Vangnet: alert of level {mail.level}: {mail.kind}"
    message["Date"] = format_datetime(datetime.fromtimestamp(int(mail.at), UTC))
    message["Message-ID"] = f"<{mail.name}@{mail.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Priority"] = "1"
    since = datetime.fromtimestamp(int(mail.since), UTC).isoformat(" ")
    message.set_content(
        f"Alert {mail.alert}: {mail.kind}\nAbout: {mail.object}\nOpen since: {since}\nLevel: {mail.level}\n\n"
        f"{_HOW.get(mail.kind, _LOOK)}\n\nIt rises until somebody answers. This mail cannot be answered.\n",
        cte="quoted-printable",
    )
    return message.as_bytes()


def next_attempt(attempts: int, now: float) -> float:
    """When a mail that was not taken is tried again, after so many attempts."""
    return now + float(min(FIRST_WAIT * 2.0 ** min(max(attempts - 1, 0), 10), LONGEST_WAIT))
