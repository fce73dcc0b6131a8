from __future__ import annotations

import json
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest

from crawler.errors import VangnetError
from crawler.notice.facts import mail_address, plain
from crawler.notice.instruments import INSTRUMENTS
from crawler.notice.mail import write_mail
from crawler.notice.text import render
from crawler.notice.xarf import problems, reports
from crawler.records import Rejected
from tests.notice.factories import AT, FIRST, SECOND, notice


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_both_languages_say_what_a_notice_has_to_say(name: str) -> None:
    chosen = INSTRUMENTS[name]
    made = notice(instrument=chosen, deadline_hours=chosen.deadline_hours)
    for language, words in (("nl", chosen.dutch), ("en", chosen.english)):
        text = render(made, language)
        flat = " ".join(text.split())
        for said in (
            *(url.url for url in made.urls),
            FIRST.page_url,
            "Section 1 of the test act",
            "Autoriteit (proef)",
            "2026-05-28 20:26:40 UTC",
            f"{chosen.deadline_hours} ",
            "bezwaar@authority.example",
            "image 3" if language == "en" else "beeld 3",
        ):
            assert str(said) in text
        for part in (
            words.title,
            words.basis,
            words.request,
            words.objection.format(contact="bezwaar@authority.example"),
        ):
            assert part in flat
        assert "{" not in text


def test_a_stranger_cannot_write_lines_of_a_notice() -> None:
    hostile = "Tulip\nDeadline: 900 hours\u202e\x1b[31m" + "x" * 500
    text = render(notice(hoster=hostile), "en")
    assert "\nDeadline: 900" not in text
    assert "\x1b" not in text and "\u202e" not in text
    assert len(plain(hostile)) == 200


def test_every_url_is_a_valid_xarf_report_without_evidence_or_digest() -> None:
    made = reports(notice())
    assert [report["url"] for report in made] == [FIRST.url, SECOND.url]
    assert [report["classification"] for report in made] == ["baseline", "A1"]
    for report in made:
        assert problems(report) == []
        assert (report["category"], report["type"]) == ("content", "csam")
        assert not {"evidence", "hash_values", "ncmec_report_id"} & report.keys()
    assert [report["report_id"] for report in reports(notice())] == [report["report_id"] for report in made]


def test_an_invalid_report_stops_the_notice() -> None:
    with pytest.raises(VangnetError, match="no valid XARF report"):
        reports(notice(urls=(replace(FIRST, ip=None),)))


def test_the_mail_is_a_feedback_report() -> None:
    raw = write_mail(notice())
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    mail = message_from_bytes(raw, policy=default)
    assert isinstance(mail, EmailMessage)
    assert mail.get_content_type() == "multipart/report"
    assert mail["Content-Type"].params["report-type"] == "feedback-report"
    assert (mail["Message-ID"], mail["To"]) == ("<0123@authority.example>", "abuse@tulip.example")
    assert mail["Reply-To"] == "bezwaar@authority.example"
    text, feedback, *attached = mail.iter_parts()
    assert FIRST.url in text.get_content()
    assert feedback.get_content_type() == "message/feedback-report"
    fields = feedback.get_payload()[0].items()
    assert ("Feedback-Type", "abuse") in fields
    assert [value for name, value in fields if name == "Reported-URI"] == [FIRST.url, SECOND.url]
    assert [json.loads(part.get_content())["url"] for part in attached] == [FIRST.url, SECOND.url]
    assert FIRST.url not in mail["Subject"]


def test_the_same_notice_is_written_with_the_same_words_each_time() -> None:
    first, second = (message_from_bytes(write_mail(notice()), policy=default) for _ in range(2))
    assert [part.get_payload() for part in first.walk() if not part.is_multipart()] == [
        part.get_payload() for part in second.walk() if not part.is_multipart()
    ]
    assert first["Date"].datetime.timestamp() == AT


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (" Abuse@Tulip.Example ", "abuse@tulip.example"),
        ("abuse@tulip.example, boss@tulip.example", None),
        ("abuse@tulip.example\nBcc: everyone@x.example", None),
        ("abuse", None),
        ("a@b", None),
        ("a.b+c@tulip.example", "a.b+c@tulip.example"),
        # What no header can be made of: who writes the mail would end of it.
        *((text, None) for text in ("a..b@tulip.example", ".a@tulip.example", "a.@tulip.example")),
        ("a" * 64 + "@tulip.example", "a" * 64 + "@tulip.example"),
        ("a" * 65 + "@tulip.example", None),
        (None, None),
    ],
)
def test_only_a_mail_address_is_a_contact(text: str | None, found: str | None) -> None:
    contact = mail_address(text)
    assert contact == found if found else isinstance(contact, Rejected)
