from __future__ import annotations

import stat
from pathlib import Path

import pytest

from crawler.notice.outbox import Attempt, DirectoryOutbox, Envelope, Fate
from crawler.notice.smtp import SmtpOutbox
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


def test_nobody_listens() -> None:
    with dying_server("greeting") as box:
        port = box.port
    assert smtp(port).send(ENVELOPE).fate is Fate.LATER


def test_a_server_without_tls_gets_nothing_when_tls_is_wanted() -> None:
    with mail_server() as box:
        wanting = SmtpOutbox("127.0.0.1", box.port, "starttls", "user", "secret", timeout=5.0)
        assert wanting.send(ENVELOPE).fate is Fate.LATER
        assert box.mails == []
        assert "secret" not in repr(wanting)


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
