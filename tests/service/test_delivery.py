from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from crawler.errors import NotAuthorised, OptionInvalid, Refused
from crawler.notice.outbox import Attempt, DirectoryOutbox, Envelope, Fate
from crawler.notice.smtp import SmtpOutbox
from crawler.service import notices as service
from crawler.service.case_acts import confirm_case, hold_case, reopen_case
from crawler.service.case_undo import may_undo, undo_case
from crawler.service.delivery import outbox_of, resolve_notice, send_notices
from crawler.service.hits import show_hit
from crawler.service.keys import rotate_keys
from crawler.service.receipts import list_receipts, read_inbox
from crawler.store import audit, deliveries, notices
from crawler.store.database import Database, open_store
from tests.notice.test_inbox import delivery_report
from tests.servers.mail import dying_server, mail_server
from tests.service.noticed import ANALYST, APPROVER, OPTIONS, OTHER, hit

NOW = 1_780_000_000.0


class Died(BaseException):
    """As if the process were killed."""


class Dying:
    """An outbox whose process is killed. taken: whether the mail had gone by then."""

    channel = "smtp"

    def send(self, envelope: Envelope) -> Attempt:
        raise Died


def approved(db: Database, number: int = 1) -> str:
    hit(db, number)
    notice = str(service.draft_notices(db, ANALYST, OPTIONS)["drafts"][0]["id"])
    service.approve_notice(db, APPROVER, OPTIONS, notice)
    return notice


def send(db: Database, outbox: object) -> dict[str, object]:
    return send_notices(db.home, db, APPROVER, OPTIONS, outbox)


def case_of(db: Database, hit_id: str) -> str:
    return str(db.value("SELECT case_id FROM hits WHERE id = ?", hit_id))


def state(db: Database, notice: str) -> str:
    found = notices.find(db, notice)
    assert found is not None
    return found.state


def test_a_notice_leaves_once_and_its_clock_runs(db: Database) -> None:
    db.clock = lambda: NOW
    notice = approved(db)
    with mail_server() as box:
        outbox = SmtpOutbox("127.0.0.1", box.port, "none")
        assert send(db, outbox)["sent"] == [notice]
        assert send(db, outbox)["sent"] == []
        assert box.mails == [notices.mail_of(db, notice)]
    (shown,) = service.list_notices(db, ANALYST)
    assert (shown["state"], shown["delivered_at"], shown["due_at"], shown["overdue"]) == (
        "sent",
        "2026-05-28T20:26:40.000Z",
        "2026-05-29T20:26:40.000Z",
        False,
    )
    (named,) = notices.hits_of(db, notice)
    assert show_hit(db, ANALYST, named.id)["status"] == "noticed"
    (attempt,) = deliveries.attempts_of(db, notice)
    assert (attempt["result"], attempt["said"]) == ("accepted", "250 2.0.0 queued as 1")
    db.clock = lambda: NOW + 25 * 3600
    assert service.list_notices(db, ANALYST)[0]["overdue"] is True


def test_a_server_that_is_away_is_tried_again_with_pauses_and_the_same_mail(db: Database) -> None:
    db.clock = lambda: NOW
    notice = approved(db)
    with dying_server("greeting") as box:
        done = send(db, SmtpOutbox("127.0.0.1", box.port, "none"))
    assert (done["later"], done["next_attempt_at"]) == ([notice], "2026-05-28T20:31:40.000Z")
    with mail_server() as box:
        outbox = SmtpOutbox("127.0.0.1", box.port, "none")
        assert send(db, outbox)["sent"] == []
        db.clock = lambda: NOW + 301
        assert send(db, outbox)["sent"] == [notice]
        assert box.mails == [notices.mail_of(db, notice)]
    assert [attempt["result"] for attempt in deliveries.attempts_of(db, notice)] == ["later", "accepted"]


def test_a_refused_notice_has_failed_and_its_hits_are_free(db: Database) -> None:
    notice = approved(db)
    with mail_server(answers={"RCPT": "550 5.1.1 no such user"}) as box:
        assert send(db, SmtpOutbox("127.0.0.1", box.port, "none"))["failed"] == [notice]
    (draft,) = service.draft_notices(db, ANALYST, OPTIONS)["drafts"]
    assert draft["id"] != notice


def test_after_enough_attempts_it_has_failed(db: Database) -> None:
    notice = approved(db)
    now = [NOW]
    db.clock = lambda: now[0]
    with db.write():
        db.execute("UPDATE notices SET next_attempt_at = 0")
    results = []

    class Away:
        channel = "smtp"

        def send(self, envelope: Envelope) -> Attempt:
            return Attempt(Fate.LATER, "450 not now")

    for _ in range(12):
        now[0] += 14_401
        done = send(db, Away())
        results += [name for name in ("later", "failed") if done[name]]
    assert results == ["later"] * 11 + ["failed"]
    assert state(db, notice) == "failed"


@pytest.mark.parametrize("arrived", [True, False])
def test_a_doubt_waits_for_a_person(db: Database, arrived: bool) -> None:
    notice = approved(db)
    with dying_server("dot") as box:
        outbox = SmtpOutbox("127.0.0.1", box.port, "none")
        assert send(db, outbox)["doubt"] == [notice]
        assert send(db, outbox)["sent"] == []
        assert len(box.mails) == 1
    done = resolve_notice(db, APPROVER, notice, arrived=arrived, reason="called them")
    assert done["state"] == ("sent" if arrived else "approved")
    with mail_server() as box:
        send(db, SmtpOutbox("127.0.0.1", box.port, "none"))
        assert len(box.mails) == (0 if arrived else 1)
    with pytest.raises(Refused, match="only one in doubt"):
        resolve_notice(db, APPROVER, notice, arrived=True, reason="again")


@pytest.mark.parametrize(("action", "after"), [("delivered", "sent"), ("failed", "failed"), ("delayed", "doubt")])
def test_a_receipt_decides_a_doubt(db: Database, tmp_path: Path, action: str, after: str) -> None:
    notice = approved(db)
    with dying_server("dot") as box:
        send(db, SmtpOutbox("127.0.0.1", box.port, "none"))
    row = notices.find(db, notice)
    assert row is not None and row.message_id is not None
    mails = tmp_path / "mails"
    mails.mkdir()
    report = delivery_report(action).replace(b"<0123@authority.example>", row.message_id.encode())
    (mails / "1.eml").write_bytes(report)
    done = read_inbox(db, ANALYST, mails)
    assert (done["new"], done["of_no_notice"]) == (1, 0)
    assert state(db, notice) == after
    assert read_inbox(db, ANALYST, mails)["new"] == 0
    (receipt,) = list_receipts(db, ANALYST, notice)
    assert "About your mail." in receipt["text"]


def test_a_process_that_died_while_sending_leaves_a_doubt_and_never_a_second_mail(db: Database) -> None:
    notice = approved(db)
    with pytest.raises(Died):
        send(db, Dying())
    assert state(db, notice) == "sending"
    with open_store(db.home) as other, mail_server() as box:
        outbox = SmtpOutbox("127.0.0.1", box.port, "none")
        assert send_notices(other.home, other, APPROVER, OPTIONS, outbox)["doubt"] == [notice]
        assert box.mails == []
    assert "notices.left-behind" in [event["act"] for event in audit.events(db, object_id=notice)]


def test_a_directory_tells_by_itself_what_a_dead_process_left(db: Database, tmp_path: Path) -> None:
    notice = approved(db)
    outbox = DirectoryOutbox(tmp_path / "out")

    class Killed(DirectoryOutbox):
        def send(self, envelope: Envelope) -> Attempt:
            super().send(envelope)
            raise Died

    with pytest.raises(Died):
        send(db, Killed(tmp_path / "out"))
    assert send(db, outbox)["sent"] == [notice]
    (file,) = (tmp_path / "out").iterdir()
    assert file.read_bytes() == notices.mail_of(db, notice)


@pytest.mark.parametrize("other", ["smtp", "directory"])
def test_another_way_out_does_not_tell_what_a_dead_process_left(db: Database, tmp_path: Path, other: str) -> None:
    notice = approved(db)

    class Killed(DirectoryOutbox):
        def send(self, envelope: Envelope) -> Attempt:
            super().send(envelope)
            raise Died

    with pytest.raises(Died):
        send(db, Killed(tmp_path / "out"))
    with mail_server() as box:
        smtp = SmtpOutbox("127.0.0.1", box.port, "none")
        outbox = smtp if other == "smtp" else DirectoryOutbox(tmp_path / "elsewhere")
        done = send(db, outbox)
        assert (done["sent"], done["doubt"], box.mails) == ([], [notice], [])
    assert not (tmp_path / "elsewhere").exists()


def test_a_hit_withdrawn_meanwhile_takes_the_approval_back(db: Database, tmp_path: Path) -> None:
    kept, gone = hit(db, 1), hit(db, 2)
    notice = str(service.draft_notices(db, ANALYST, OPTIONS)["drafts"][0]["id"])
    service.approve_notice(db, APPROVER, OPTIONS, notice)
    with db.write():
        db.execute("UPDATE hits SET status = 'new' WHERE id = ?", gone)
    assert send(db, DirectoryOutbox(tmp_path))["changed"] == [notice]
    (draft,) = service.list_notices(db, ANALYST)
    assert (draft["state"], draft["hits"], draft["message_id"]) == ("draft", 1, None)
    service.approve_notice(db, APPROVER, OPTIONS, notice)
    assert send(db, DirectoryOutbox(tmp_path))["sent"] == [notice]
    assert [row.id for row in notices.hits_of(db, notice)] == [kept]


def test_an_approver_who_confirms_a_hit_later_stops_one_notice_and_nothing_else(db: Database, tmp_path: Path) -> None:
    notice, other = approved(db), hit(db, 2, OTHER)
    (draft,) = service.draft_notices(db, ANALYST, OPTIONS)["drafts"]
    service.approve_notice(db, APPROVER, OPTIONS, draft["id"])
    case = case_of(db, notices.hits_of(db, notice)[0].id)
    reopen_case(db, APPROVER, case, reason="another look")
    confirm_case(db, APPROVER, case, reason="it is")
    assert rotate_keys(db, ANALYST)["resealed"]
    done = send(db, DirectoryOutbox(tmp_path))
    assert (done["sent"], done["changed"], state(db, notice)) == ([draft["id"]], [notice], "draft")
    assert show_hit(db, ANALYST, other)["status"] == "noticed"
    with pytest.raises(NotAuthorised, match="second person"):
        service.approve_notice(db, APPROVER, OPTIONS, notice)
    assert service.withdraw_notice(db, ANALYST, notice)["state"] == "withdrawn"


def test_what_is_left_of_a_changed_notice_joins_the_draft_that_is_there(db: Database, tmp_path: Path) -> None:
    gone, kept = hit(db, 1), hit(db, 2)
    notice = approved(db, 3)
    later = hit(db, 4)
    (draft,) = service.draft_notices(db, ANALYST, OPTIONS)["drafts"]
    reopen_case(db, ANALYST, case_of(db, gone), reason="another look")
    done = send(db, DirectoryOutbox(tmp_path))
    assert (done["changed"], done["errors"], state(db, notice)) == ([notice], [], "withdrawn")
    named = {row.id for row in notices.hits_of(db, draft["id"])}
    assert {kept, later} < named and len(named) == 3 and gone not in named


def test_one_bad_notice_does_not_stop_the_others(db: Database, tmp_path: Path) -> None:
    bad = approved(db)
    good = str(service.draft_notices(db, ANALYST, OPTIONS)["drafts"][0]["id"]) if hit(db, 2, OTHER) else ""
    service.approve_notice(db, APPROVER, OPTIONS, good)
    with db.write():
        db.execute("UPDATE notices SET mail = x'00' WHERE id = ?", bad)
    done = send(db, DirectoryOutbox(tmp_path))
    assert (done["sent"], [error["notice"] for error in done["errors"]]) == ([good], [bad])
    assert state(db, bad) == "approved"


@pytest.mark.parametrize("fate", [Fate.ACCEPTED, Fate.DOUBT])
def test_nothing_is_taken_back_while_a_hoster_may_have_been_told(db: Database, fate: Fate) -> None:
    named = hit(db)
    (draft,) = service.draft_notices(db, ANALYST, OPTIONS)["drafts"]
    service.approve_notice(db, APPROVER, OPTIONS, draft["id"])
    case = case_of(db, named)

    def refused() -> None:
        for act in (
            lambda: undo_case(db, ANALYST, case),
            lambda: reopen_case(db, APPROVER, case, reason="r"),
            lambda: hold_case(db, APPROVER, case, owner="police", days=1, reason="r"),
        ):
            with pytest.raises(Refused, match=f"named in notice {draft['id']}"):
                act()
        assert not may_undo(db, ANALYST, case)

    class Meanwhile:
        channel = "smtp"

        def send(self, envelope: Envelope) -> Attempt:
            refused()
            return Attempt(fate, "250 OK")

    send(db, Meanwhile())
    if fate is Fate.DOUBT:
        refused()
        resolve_notice(db, APPROVER, draft["id"], arrived=True, reason="called them")
    assert show_hit(db, ANALYST, named)["status"] == "noticed"


def test_a_hit_that_a_delivered_notice_cannot_move_is_on_record(db: Database) -> None:
    named = hit(db)
    notice = approved(db, 2)

    class Meanwhile:
        channel = "smtp"

        def send(self, envelope: Envelope) -> Attempt:
            with db.write():
                db.execute("UPDATE hits SET status = 'removed' WHERE id = ?", named)
            return Attempt(Fate.ACCEPTED, "250 OK")

    assert send(db, Meanwhile())["sent"] == [notice]
    *_, event = audit.events(db, object_id=named)
    assert (event["act"], event["result"]) == ("hits.notice", "refused")


def test_two_notices_leave_though_the_first_is_refused(db: Database) -> None:
    hit(db, 1), hit(db, 2, OTHER)
    for draft in service.draft_notices(db, ANALYST, OPTIONS)["drafts"]:
        service.approve_notice(db, APPROVER, OPTIONS, draft["id"])
    with mail_server(answers={"RCPT": "550 no"}) as box:
        done = send(db, SmtpOutbox("127.0.0.1", box.port, "none"))
    assert (len(done["sent"]), len(done["failed"])) == (1, 1)


def test_only_one_process_sends(db: Database, tmp_path: Path) -> None:
    approved(db)

    class Nested:
        channel = "smtp"

        def send(self, envelope: Envelope) -> Attempt:
            with pytest.raises(Refused, match="another process sends"):
                send(db, self)
            return Attempt(Fate.ACCEPTED, "250 OK")

    assert len(send(db, Nested())["sent"]) == 1


def test_a_reply_is_kept_sealed_with_its_notice(db: Database, tmp_path: Path) -> None:
    notice = approved(db)
    send(db, DirectoryOutbox(tmp_path / "out"))
    row = notices.find(db, notice)
    assert row is not None
    for box in ("new", "cur", "tmp"):
        (tmp_path / "Maildir" / box).mkdir(parents=True)
    body = f"In-Reply-To: {row.message_id}\r\nSubject: Re\r\n\r\nRemoved by Tulip.\r\n"
    (tmp_path / "Maildir" / "new" / "1.x").write_bytes(body.encode())
    (tmp_path / "Maildir" / "cur" / "2.x").write_bytes(b"Subject: spam\r\n\r\nBuy.\r\n")
    done = read_inbox(db, ANALYST, tmp_path / "Maildir")
    assert (done["new"], done["by_kind"], done["of_no_notice"]) == (2, {"reply": 2}, 1)
    assert list_receipts(db, ANALYST, notice)[0]["text"].startswith("Removed by Tulip.")
    assert b"Removed by Tulip" not in db.home.database.read_bytes()


def test_where_notices_go(db: Database, tmp_path: Path) -> None:
    production = replace(db.home, lab=False)
    with pytest.raises(OptionInvalid, match="no way out"):
        outbox_of(production, OPTIONS)
    assert outbox_of(production, replace(OPTIONS, outbox="out")).channel == "directory"
    with pytest.raises(OptionInvalid, match="on this machine"):
        outbox_of(production, replace(OPTIONS, smtp_host="mx.example", smtp_security="none"))
    with pytest.raises(OptionInvalid, match="a password stands in a file"):
        outbox_of(production, replace(OPTIONS, smtp_host="mx.example", smtp_user="u"))
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    secret.chmod(0o644)
    given = replace(OPTIONS, smtp_host="mx.example", smtp_user="u", smtp_password_file=str(secret))
    with pytest.raises(OptionInvalid, match="chmod 600"):
        outbox_of(production, given)
    secret.chmod(0o600)
    outbox = outbox_of(production, given)
    assert isinstance(outbox, SmtpOutbox) and outbox.password == "hunter2"
    assert "hunter2" not in repr(outbox)
