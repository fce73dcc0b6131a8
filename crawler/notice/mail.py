"""A notice as the mail that leaves: a feedback report (RFC 5965) with the text for people and the XARF reports.

    multipart/report; report-type=feedback-report
        text/plain                  Dutch and English
        message/feedback-report     the fields of RFC 5965, with one Reported-URI for each URL
        application/json …          one XARF report for each URL

RFC 5965 wants the offending mail as the third part. There is none: what is reported is a URL, so the XARF reports stand
there, as XARF's own mail form has it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage, MIMEPart
from email.policy import SMTP
from email.utils import format_datetime
from secrets import token_hex
from typing import Any, Final

from crawler import __version__
from crawler.notice.facts import Notice, plain
from crawler.notice.text import notice_text, subject
from crawler.notice.xarf import reports

MOST_URIS: Final = 1_000
"""Reported-URI fields; all URLs stand in the text and in the XARF reports."""


def new_message_id(domain: str) -> str:
    """A Message-ID (RFC 5322), made once at approval and the same at every attempt from then on."""
    return f"<{token_hex(16)}@{domain}>"


def write_mail(notice: Notice) -> bytes:
    """The whole message with CRLF line ends, ready for SMTP. Raises VangnetError as `reports` does."""
    mail = EmailMessage(policy=SMTP)
    issuer = notice.issuer
    mail["From"] = Address(plain(issuer.name), addr_spec=issuer.sender)
    mail["To"] = Address(addr_spec=notice.contact)
    mail["Reply-To"] = Address(addr_spec=issuer.contact)
    mail["Subject"] = subject(notice)
    mail["Date"] = format_datetime(datetime.fromtimestamp(int(notice.issued_at), UTC))
    mail["Message-ID"] = notice.message_id
    mail["MIME-Version"] = "1.0"
    mail.add_header("Content-Type", "multipart/report", **{"report-type": "feedback-report"})
    mail.attach(_text(notice_text(notice)))
    mail.attach(_feedback(notice))
    for number, report in enumerate(reports(notice), 1):
        mail.attach(_json(f"xarf-{number}.json", json.dumps(report, indent=2)))
    return mail.as_bytes()


def text_of(mail: bytes) -> str:
    """The text for people in a message of `write_mail`, with LF line ends."""
    return str(_parts(mail)[0].get_content()).replace("\r\n", "\n")


def reports_of(mail: bytes) -> list[dict[str, Any]]:
    """The XARF reports in a message of `write_mail`."""
    return [json.loads(part.get_content()) for part in _parts(mail)[2:]]


def _parts(mail: bytes) -> list[MIMEPart]:
    return list(message_from_bytes(mail, EmailMessage, policy=SMTP).iter_parts())


def _text(text: str) -> EmailMessage:
    part = EmailMessage(policy=SMTP)
    part.set_content(text, cte="quoted-printable")
    return part


def _json(name: str, text: str) -> EmailMessage:
    part = EmailMessage(policy=SMTP)
    part.set_content(text.encode(), "application", "json", cte="base64", disposition="attachment", filename=name)
    return part


def _feedback(notice: Notice) -> EmailMessage:
    part = EmailMessage(policy=SMTP)
    part["Content-Type"] = "message/feedback-report"
    part["Content-Disposition"] = "inline"
    fields = [
        ("Feedback-Type", "abuse"),
        ("User-Agent", f"Vangnet/{__version__}"),
        ("Version", "1"),
        ("Reporting-MTA", f"dns; {notice.issuer.domain}"),
        ("Incidents", str(len(notice.urls))),
    ]
    addresses = {url.ip for url in notice.urls}
    if len(addresses) == 1:
        fields.append(("Source-IP", addresses.pop()))
    fields += [("Reported-Domain", name) for name in sorted({url.domain for url in notice.urls if url.domain})]
    fields += [("Reported-URI", url.url) for url in notice.urls[:MOST_URIS]]
    part.set_payload("".join(f"{name}: {value}\r\n" for name, value in fields))
    return part
