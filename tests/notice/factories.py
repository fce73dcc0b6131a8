"""A notice made up for tests."""

from __future__ import annotations

from dataclasses import replace

from crawler.notice.facts import Issuer, Notice, NoticeUrl
from crawler.notice.instruments import INSTRUMENTS

AT = 1_780_000_000.0
ISSUER = Issuer("Autoriteit (proef)", "notices@authority.example", "bezwaar@authority.example")
FIRST = NoticeUrl(
    "h1", "https://img.gallery.example/a.jpg", "https://gallery.example/p", "192.0.2.7", "gallery.example", AT, "A"
)
SECOND = NoticeUrl("h2", "https://192.0.2.9/", None, "192.0.2.9", None, AT, "C", "A1", inline=2)


def notice(**changes: object) -> Notice:
    made = Notice(
        id="ab12cd34",
        instrument=INSTRUMENTS["notice"],
        deadline_hours=24,
        issuer=ISSUER,
        contact="abuse@tulip.example",
        hoster="Tulip Hosting B.V.",
        legal_bases=("Section 1 of the test act",),
        issued_at=AT,
        urls=(FIRST, SECOND),
        message_id="<0123@authority.example>",
    )
    return replace(made, **changes)
