"""People are told of alerts by mail: once a level, for as long as nobody answers, and with ids only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes
from email.policy import SMTP

import pytest

from crawler.errors import OptionInvalid
from crawler.notice.outbox import Attempt, Envelope, Fate
from crawler.notice.smtp import SmtpOutbox
from crawler.options import Options
from crawler.records import AddressFacts, Attribution, RowMatch
from crawler.review.quarantine import FloodRule
from crawler.service import quarantine
from crawler.service.alarms import check_alerts, tell, trouble_telling
from crawler.service.findings import Look
from crawler.service.watch import look
from crawler.store import alerts, audit, floods
from crawler.store.database import Database
from crawler.store.hits import record_many
from tests.servers.mail import Mailbox, dying_server, mail_server
from tests.store.factories import ANNA, add_list, code_entry, home_at, image, report

RULE = FloodRule(domains=3, window=1e6)
NOW = 1_780_000_100.0
OPTIONS = Options(
    quarantine_domains=3,
    alert_address="wacht@autoriteit.example",
    escalation_address="hoofd@autoriteit.example",
    notice_sender="vangnet@autoriteit.example",
)


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(db: Database, monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr("crawler.store.database.time.time", found)
    db.clock = found
    return found


@pytest.fixture
def entry(db: Database, clock: Clock) -> int:
    """An entry that floods."""
    add_list(db, [code_entry(1, external_id="owner-key-1")])
    for number in range(3):
        name = f"site{number}.example"
        found = image(f"image {number}", RowMatch(1, "pdq", 20, 31))
        made = report(f"s{number}", image_url=f"https://{name}/secret-{number}.jpg", found=found)
        (done,) = record_many(db, [(made, Attribution(name, name, f"192.0.2.{number}", AddressFacts()))])
        floods.settle(db, [done.hit_id], RULE)
    assert [alert.object for alert in alerts.open_alerts(db)] == ["entry-1"]
    return 1


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mail_server() as found:
        yield found


def to(box: Mailbox) -> SmtpOutbox:
    return SmtpOutbox("127.0.0.1", box.port, "none", timeout=5.0)


def sent(db: Database, box: Mailbox) -> int:
    return tell(db.home, OPTIONS, to(box))


def results(db: Database) -> list[tuple[int, str, str]]:
    events = (event for event in audit.events(db, object_id="entry-1") if event["act"] == "alerts.mail")
    return [(event["detail"]["level"], event["detail"]["to"], event["detail"]["result"]) for event in events]


def test_each_level_is_told_once_and_the_next_to_more_people(
    db: Database, clock: Clock, entry: int, box: Mailbox
) -> None:
    assert [sent(db, box), sent(db, box)] == [1, 0]
    clock.now += OPTIONS.alert_escalation
    look(db, OPTIONS)
    assert [sent(db, box), sent(db, box)] == [2, 0]
    assert box.recipients == [OPTIONS.alert_address, OPTIONS.alert_address, OPTIONS.escalation_address]
    assert results(db) == [(1, "first", "accepted"), (2, "first", "accepted"), (2, "next", "accepted")]
    ids = [message_from_bytes(mail, policy=SMTP)["Message-ID"] for mail in box.mails]
    assert len(set(ids)) == 3
    quarantine.lift(db, ANNA, entry, reason="a logo", rule=RULE)
    clock.now += 10 * OPTIONS.alert_escalation
    look(db, OPTIONS)
    assert sent(db, box) == 0


def test_a_mail_has_ids_only(db: Database, entry: int, box: Mailbox) -> None:
    sent(db, box)
    (mail,) = box.mails
    text = message_from_bytes(mail, policy=SMTP).as_string()
    assert "entry-1" in text and "quarantine list" in text and alerts.open_alerts(db)[0].id in text
    code = code_entry(1).value.hex()
    for secret in ("owner-key", "tulips", "secret", "site0", ".example/", "http", "192.0.2", code, code[:12]):
        assert secret not in text


@pytest.mark.parametrize("step", ["greeting", "DATA", "dot"])
def test_what_was_not_taken_for_certain_is_sent_again_under_the_same_name(
    db: Database, clock: Clock, entry: int, box: Mailbox, step: str
) -> None:
    with dying_server(step) as dying:
        assert sent(db, dying) == 0
        assert sent(db, dying) == 0  # its time has not come
    clock.now += 61
    assert sent(db, box) == 1
    expected = "doubt" if step == "dot" else "later"
    assert results(db) == [(1, "first", expected), (1, "first", "accepted")]
    for before in dying.mails:
        assert before.replace(b"\r\n.\r\n", b"\r\n") == box.mails[0]


def test_a_server_that_refuses_is_asked_until_it_takes_it(db: Database, clock: Clock, entry: int, box: Mailbox) -> None:
    waits = []
    for _ in range(7):
        box.answers["RCPT"] = "550 no such person"
        assert sent(db, box) == 0
        due = db.value("SELECT next_attempt_at FROM alert_mails")
        waits.append(due - clock.now)
        clock.now = due
    assert waits == [60, 120, 240, 480, 960, 1800, 1800]
    box.answers.clear()
    assert sent(db, box) == 1


class Killed(BaseException):
    """As if the process were killed."""


class Killing:
    channel = "smtp"
    mails: list[bytes]

    def send(self, envelope: Envelope) -> Attempt:
        self.mails = [envelope.mail]
        raise Killed


def test_a_process_that_is_killed_while_it_sends_leaves_the_mail_to_the_next(
    db: Database, entry: int, box: Mailbox
) -> None:
    way = Killing()
    with pytest.raises(Killed):
        tell(db.home, OPTIONS, way)
    assert sent(db, box) == 1
    assert box.mails == way.mails


def test_without_a_way_or_an_address_that_is_said(db: Database, entry: int, box: Mailbox) -> None:
    assert tell(db.home, replace(OPTIONS, alert_address=""), to(box)) == 0
    with pytest.raises(OptionInvalid, match="ALERT_ADDRESS"):
        tell(db.home, replace(OPTIONS, alert_address="nobody"), to(box))
    with pytest.raises(OptionInvalid, match="ALERT_ADDRESS"):
        tell(db.home, replace(OPTIONS, alert_address="a..b@autoriteit.example"), to(box))
    with pytest.raises(OptionInvalid, match="NOTICE_SENDER"):
        tell(db.home, replace(OPTIONS, notice_sender=""), to(box))
    assert box.mails == []


def test_a_home_that_cannot_be_written_is_said_beside_other_work(db: Database, entry: int, box: Mailbox) -> None:
    (db.home.root / "alerts.lock").mkdir()
    assert "alerts.lock" in (trouble_telling(db.home, OPTIONS, to(box)) or "")


def test_the_doctor_sees_that_nobody_is_told(db: Database, entry: int, box: Mailbox) -> None:
    def found(options: Options, lab: bool = True) -> list[tuple[str, str]]:
        home = db.home if lab else home_at(db.home.root.parent / "production", lab=False)
        return [(each.level.value, each.what) for each in check_alerts(Look(home, options, db, db.clock()))]

    ((level, what), *_) = found(replace(OPTIONS, alert_address=""), lab=False)
    assert (level, "nobody is told" in what) == ("problem", True)
    assert [level for level, _ in found(OPTIONS)] == ["warning", "warning"]
    sent(db, box)
    assert [level for level, _ in found(OPTIONS)] == ["warning"]
    quarantine.uphold(db, ANNA, entry, reason="a logo", rule=RULE)
    assert found(OPTIONS) == [("ok", "none is open")]


def test_a_directory_takes_alerts_where_it_takes_notices(db: Database, entry: int) -> None:
    assert tell(db.home, OPTIONS) == 1
    (file,) = (db.home.root / "outbox").iterdir()
    assert file.name.startswith("alert-") and Fate.ACCEPTED.value in results(db)[0]
