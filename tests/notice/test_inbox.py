from __future__ import annotations

from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.notice.inbox import MAX_BYTES, MAX_TEXT, Answer, read_answer
from crawler.records import Rejected

OURS = "<0123@authority.example>"


def delivery_report(action: str, original: str = "text/rfc822-headers") -> bytes:
    lines = [
        "From: MAILER-DAEMON@mx.example",
        "Auto-Submitted: auto-replied",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
        "",
        "--b",
        "Content-Type: text/plain",
        "",
        "About your mail.",
        "--b",
        "Content-Type: message/delivery-status",
        "",
        "Reporting-MTA: dns; mx.example",
        "",
        "Final-Recipient: rfc822; abuse@tulip.example",
        f"Action: {action}",
        "Status: 5.1.1",
        "",
        "--b",
        f"Content-Type: {original}",
        "",
        f"Message-ID: {OURS}",
        "Subject: [ab12]",
        "",
        "--b--",
        "",
    ]
    return "\r\n".join(lines).encode()


@pytest.mark.parametrize("original", ["text/rfc822-headers", "message/rfc822"])
@pytest.mark.parametrize(
    ("action", "kind"),
    [("delivered", "delivered"), ("relayed", "delivered"), ("failed", "failed"), ("delayed", "delayed")],
)
def test_a_delivery_report_says_what_became_of_which_mail(action: str, kind: str, original: str) -> None:
    answer = read_answer(delivery_report(action, original))
    assert isinstance(answer, Answer)
    assert (answer.kind, answer.refers) == (kind, (OURS,))
    assert "About your mail." in answer.text


@pytest.mark.parametrize(("automatic", "kind"), [("no", "reply"), ("auto-replied", "automatic")])
def test_an_answer_is_recognised(automatic: str, kind: str) -> None:
    mail = EmailMessage()
    mail["In-Reply-To"], mail["References"] = OURS, f"<other@x.example> {OURS}"
    mail["Auto-Submitted"] = automatic
    mail.set_content("Removed.\n" + "x" * (2 * MAX_TEXT))
    answer = read_answer(mail.as_bytes())
    assert isinstance(answer, Answer)
    assert (answer.kind, answer.refers) == (kind, (OURS, "<other@x.example>"))
    assert len(answer.text) == MAX_TEXT
    assert read_answer(mail.as_bytes()) == answer


def test_what_is_too_large_is_not_read() -> None:
    assert read_answer(b"x" * (MAX_BYTES + 1)) == Rejected("too-large")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=2_000) | st.binary(max_size=300).map(lambda junk: delivery_report("failed")[:-40] + junk))
def test_junk_is_read_without_harm(mail: bytes) -> None:
    assert isinstance(read_answer(mail), Answer | Rejected)
