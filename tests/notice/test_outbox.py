from __future__ import annotations

import stat
from pathlib import Path

import pytest

from crawler.notice.outbox import Attempt, DirectoryOutbox, Envelope, Fate
from crawler.notice.smtp import SmtpOutbox
from tests.servers.certificates import self_signed, serving, trusting
from tests.servers.mail import dying_server, mail_server

MAIL = b"Subject: x\r\n\r\nfirst\r\n.dotted\r\n..twice\r\n"
ENVELOPE = Envelope("ab12", "notices@authority.example", "abuse@tulip.example", MAIL)


def smtp(port: int, timeout: float = 5.0) -> SmtpOutbox:
    return SmtpOutbox("127.0.0.1", port, "none", timeout=timeout)


def test_a_mail_arrives_byte_for_byte_with_the_servers_receipt() -> None:
    with mail_server() as box:
        assert smtp(box.port).send(ENVELOPE) == Attempt(Fate.ACCEPTED, "250 2.0.0 queued as 1")
        assert box.mails == [MAIL]
        assert box.recipients == ["abuse@tulip.example"]


@pytest.mark.parametrize(
    ("step", "answer", "fate"),
    [
        ("RCPT", "550 5.1.1 no such user", Fate.REFUSED),
        ("RCPT", "451 4.7.1 greylisted", Fate.LATER),
        ("DATA", "554 5.7.1 spam", Fate.REFUSED),
        ("DATA", "452 4.3.1 disk full", Fate.LATER),
    ],
)
def test_a_server_that_says_no_is_believed(step: str, answer: str, fate: Fate) -> None:
    with mail_server(answers={step: answer}) as box:
        assert smtp(box.port).send(ENVELOPE) == Attempt(fate, answer)
        assert box.mails == []


@pytest.mark.parametrize(("step", "fate"), [("greeting", Fate.LATER), ("DATA", Fate.LATER), ("dot", Fate.DOUBT)])
def test_where_a_server_went_away_decides_what_is_known(step: str, fate: Fate) -> None:
    with dying_server(step) as box:
        assert smtp(box.port).send(ENVELOPE).fate is fate
        assert len(box.mails) == (fate is Fate.DOUBT)


def test_a_server_that_is_too_slow_to_answer_leaves_a_doubt() -> None:
    with mail_server(delay=0.6) as box:
        assert smtp(box.port, timeout=0.2).send(ENVELOPE).fate is Fate.DOUBT


@pytest.mark.parametrize("answer", ["what now", "354 go on", "199 hm"])
def test_an_answer_that_says_neither_yes_nor_no_leaves_a_doubt(answer: str) -> None:
    """Sent again, it might arrive twice."""
    with mail_server(answers={"DATA": answer}) as box:
        attempt = smtp(box.port).send(ENVELOPE)
        assert (attempt.fate, "neither yes nor no" in attempt.why) == (Fate.DOUBT, True)


@pytest.mark.parametrize("host", ["mx..authority.example", f"{'x' * 70}.example", "\u2603..example"])
def test_a_host_that_has_no_name_gets_nothing(host: str) -> None:
    """And leaves no notice behind in doubt, as an error would."""
    attempt = SmtpOutbox(host, 25, "starttls", timeout=1.0).send(ENVELOPE)
    assert (attempt.fate, "is no name of a mail server" in attempt.why) == (Fate.LATER, True)


def test_nobody_listens() -> None:
    with dying_server("greeting") as box:
        port = box.port
    assert smtp(port).send(ENVELOPE).fate is Fate.LATER


def test_a_server_without_tls_gets_nothing_when_tls_is_wanted() -> None:
    with mail_server() as box:
        wanting = SmtpOutbox("127.0.0.1", box.port, "starttls", "user", "secret", timeout=5.0)
        attempt = wanting.send(ENVELOPE)
        assert attempt.fate is Fate.LATER
        assert attempt.said == "the mail server at 127.0.0.1 offers no STARTTLS, so that nothing was sent"
        assert box.mails == []
        assert "secret" not in repr(wanting)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_that_is_known_takes_mail_from_an_account_that_it_knows(security: str, tmp_path: Path) -> None:
    key, certificate = self_signed(tmp_path)
    with mail_server(**{security: serving(key, certificate)}, account=("vangnet", "s3cret")) as box:
        outbox = SmtpOutbox("127.0.0.1", box.port, security, "vangnet", "s3cret", 5.0, trusting(certificate))
        assert outbox.send(ENVELOPE) == Attempt(Fate.ACCEPTED, "250 2.0.0 queued as 1")
        assert (box.mails, box.tries) == ([MAIL], ["vangnet"])


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize(
    ("name", "days", "known", "why"),
    [
        ("127.0.0.1", 1, False, "self-signed certificate"),
        ("mx.example", 1, True, "IP address mismatch, certificate is not valid for '127.0.0.1'"),
        ("127.0.0.1", -1, True, "certificate has expired"),
    ],
)
def test_a_certificate_that_does_not_fit_gets_neither_password_nor_mail(
    security: str, name: str, days: int, known: bool, why: str, tmp_path: Path
) -> None:
    key, certificate = self_signed(tmp_path, name=name, days=days)
    context = trusting(certificate) if known else None
    with mail_server(**{security: serving(key, certificate)}, account=("vangnet", "s3cret")) as box:
        attempt = SmtpOutbox("127.0.0.1", box.port, security, "vangnet", "s3cret", 5.0, context).send(ENVELOPE)
        assert attempt.fate is Fate.LATER
        assert attempt.said.startswith("the certificate of 127.0.0.1 does not fit, so that nothing was sent: ")
        assert why in attempt.said
        assert (box.mails, box.tries) == ([], [])


def test_a_wrong_password_is_told_and_sends_nothing(tmp_path: Path) -> None:
    key, certificate = self_signed(tmp_path)
    with mail_server(starttls=serving(key, certificate), account=("vangnet", "s3cret")) as box:
        wrong = SmtpOutbox("127.0.0.1", box.port, "starttls", "vangnet", "guess", 5.0, trusting(certificate))
        attempt = wrong.send(ENVELOPE)
        assert (attempt.fate, box.mails) == (Fate.LATER, [])
        assert attempt.said.startswith("signing in was refused: 535") and "guess" not in attempt.said


def test_a_server_without_accounts_says_so() -> None:
    with dying_server("dot") as box:
        attempt = SmtpOutbox("127.0.0.1", box.port, "none", "vangnet", "s3cret", 5.0).send(ENVELOPE)
        assert (attempt.fate, box.mails) == (Fate.LATER, [])
        assert attempt.said == "the mail server at 127.0.0.1 has no sign-in; unset VANGNET_SMTP_USER if it needs none"


def test_a_file_is_its_own_receipt(tmp_path: Path) -> None:
    outbox = DirectoryOutbox(tmp_path / "out")
    assert outbox.send(ENVELOPE).fate is Fate.ACCEPTED
    (file,) = (tmp_path / "out").iterdir()
    assert (file.name, file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == ("ab12.eml", MAIL, 0o600)
    assert outbox.send(ENVELOPE).fate is Fate.ACCEPTED
    assert outbox.send(Envelope("ab12", "a@a.example", "b@b.example", b"other")).fate is Fate.REFUSED
    assert file.read_bytes() == MAIL


def test_a_directory_that_cannot_be_written_is_tried_again_later(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    assert DirectoryOutbox(tmp_path / "out").send(ENVELOPE).fate is Fate.LATER
