"""The desk as a person uses it: with a browser, with the keyboard, on a wide screen and on a telephone."""

from __future__ import annotations

import email
from dataclasses import replace
from pathlib import Path

import pyotp
from playwright.sync_api import Browser, Page, expect

from crawler.records import Evidence, RowMatch
from crawler.service.users import Enrolled, add_user
from crawler.store.database import Database
from crawler.store.hits import record
from tests.service.frontiers import keep_approved
from tests.store.factories import (
    ANNA,
    ATTRIBUTION,
    FACTS,
    add_list,
    code_entry,
    digest_entry,
    image,
    report,
    store_at,
)
from tests.web.chromium import NEEDED, chromium, narrow_enough, opened, served
from tests.web.conftest import statuses

__all__ = ["chromium"]
pytestmark = NEEDED


def fill(db: Database) -> None:
    """Items of every class, one of them from somebody who writes to deceive."""
    add_list(db, [digest_entry("an image", category="1"), code_entry(1, category="2")], name="baseline", near="assess")
    ids = {row["algorithm"]: row["id"] for row in db.rows("SELECT algorithm, id FROM hash_entries")}
    sure, near = RowMatch(ids["sha256"], "sha256"), RowMatch(ids["pdq"], "pdq", 26, 31, "mirror")
    sources = (("geo-whois", "country NL"), ("asn", "origin AS64496"))
    evidence = tuple(Evidence(fact, source, "2026-06-17", "192.0.2.0/24") for source, fact in sources)
    evil = '<img src=x onerror="alert(1)">'
    sites = (("gallery.example", sure), ("forum.example", sure), ("\u202ebo\u200bard.example", near))
    for number, (site, match) in enumerate(sites):
        text = "an image" if match is sure else "another"
        facts = replace(FACTS, evidence=evidence, holder=evil if match is near else "Tulip B.V.")
        place = replace(ATTRIBUTION, domain=site, icann_domain=site, facts=facts)
        url = f"https://img.{'board' if match is near else site.partition('.')[0]}.example/secret-name-{number}.jpg"
        record(
            db, report(f"s{number}", image_url=url, found=image(text, match), found_at=1_780_000_000.0 + number), place
        )


def sign_in(page: Page, url: str, who: Enrolled) -> None:
    assert who.password and who.totp
    page.goto(url)
    page.keyboard.type(who.person.name)
    page.keyboard.press("Tab")
    page.keyboard.type(who.password)
    page.keyboard.press("Tab")
    page.keyboard.type(pyotp.TOTP(who.totp).now())
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Queue")).to_be_visible()


def test_from_sign_in_to_a_decision(chromium: Browser, tmp_path: Path) -> None:
    with store_at(tmp_path, lab=False) as db:
        fill(db)
        keep_approved(db)
        add_user(db, ANNA, "beheer", "admin")
        anna, bert = add_user(db, ANNA, "anna", "analyst"), add_user(db, ANNA, "bert", "approver")
        item = db.value("SELECT id FROM cases WHERE site = 'gallery.example'")
        troubles: list[str] = []
        asked: set[str] = set()
        with served(db.home.root) as url:
            page = opened(chromium, 1280, troubles, asked)
            sign_in(page, url, anna)
            page.screenshot(path=tmp_path / "queue-1280.png", full_page=True)
            page.keyboard.press("n")
            expect(page.get_by_role("heading", name="gallery.example")).to_be_visible()
            assert "secret-name" not in page.content()
            page.screenshot(path=tmp_path / "item-1280.png", full_page=True)
            page.keyboard.press("c")
            page.keyboard.type("stands on the list")
            page.keyboard.press("Enter")
            expect(page.get_by_role("status")).to_contain_text("Done: confirm")
            assert statuses(db, item) == {"confirmed"}
            page.keyboard.press("u")
            page.keyboard.press("Enter")
            expect(page.get_by_role("status")).to_contain_text("Done: undo")
            assert statuses(db, item) == {"claimed"}

            other = opened(chromium, 390, troubles, asked)
            sign_in(other, url, bert)
            assert narrow_enough(other)
            other.screenshot(path=tmp_path / "queue-390.png", full_page=True)
            other.locator("a.row", has_text="ard.example").click()
            expect(other.get_by_text('<img src=x onerror="alert(1)">').first).to_be_visible()
            assert narrow_enough(other)
            other.get_by_text("Reveal URLs").click()
            other.get_by_label("Why they have to be seen").fill("to call the hoster")
            other.get_by_role("button", name="Reveal").click()
            expect(other.get_by_text("https://img.board.example/secret-name-2.jpg").first).to_be_visible()
            assert narrow_enough(other)
            other.screenshot(path=tmp_path / "item-390.png", full_page=True)
            other.get_by_role("button", name="Sign out").click()
            other.goto(f"{url}queue")
            expect(other.get_by_role("button", name="Sign in")).to_be_visible()
    assert troubles == []
    assert all(address.startswith(url) for address in asked), "no page reaches beyond the desk"


def test_from_a_confirmation_to_a_notice_that_leaves(chromium: Browser, tmp_path: Path) -> None:
    outbox = tmp_path / "outbox"
    options = {
        "VANGNET_AUTHORITY": "Autoriteit Proeflab",
        "VANGNET_NOTICE_SENDER": "notices@authority.example",
        "VANGNET_OUTBOX": str(outbox),
    }
    with store_at(tmp_path, lab=False) as db:
        fill(db)
        keep_approved(db)
        add_user(db, ANNA, "beheer", "admin")
        anna, bert = add_user(db, ANNA, "anna", "analyst"), add_user(db, ANNA, "bert", "approver")
        troubles: list[str] = []
        asked: set[str] = set()
        with served(db.home.root, **options) as url:
            page = opened(chromium, 390, troubles, asked)
            sign_in(page, url, anna)
            page.get_by_role("button", name="Take the next item").click()
            page.get_by_label("Reason", exact=True).first.fill("stands on the list")
            page.get_by_role("button", name="Confirm").click()
            expect(page.get_by_role("status")).to_contain_text("Done: confirm")
            page.get_by_role("link", name="Notices").click()
            page.get_by_text("Draft to each abuse contact").click()
            page.get_by_role("button", name="Draft", exact=True).click()
            expect(page.get_by_role("status")).to_contain_text("Drafted: 1 hit in 1 draft")
            page.locator("a.row").click()
            expect(page.get_by_text("waits for an approver")).to_be_visible()
            expect(page.get_by_role("button", name="Approve")).to_have_count(0)
            assert "secret-name" not in page.content()
            assert narrow_enough(page)
            page.screenshot(path=tmp_path / "notice-390.png", full_page=True)

            other = opened(chromium, 1280, troubles, asked)
            sign_in(other, url, bert)
            other.get_by_role("link", name="Notices").click()
            other.screenshot(path=tmp_path / "notices-1280.png", full_page=True)
            other.locator("a.row").click()
            expect(other.get_by_label("Text of the notice")).to_contain_text("Autoriteit Proeflab")
            other.screenshot(path=tmp_path / "notice-1280.png", full_page=True)
            other.get_by_role("button", name="Approve").click()
            expect(other.get_by_text("by bert")).to_be_visible()
            assert not outbox.exists()
            other.get_by_role("button", name="Send what is approved").click()
            expect(other.get_by_role("status")).to_contain_text("Sent:")
            (row,) = db.rows("SELECT id, state FROM notices")
            assert row["state"] == "sent"
            (mail,) = outbox.iterdir()
            assert mail.name == f"{row['id']}.eml"
            assert email.message_from_bytes(mail.read_bytes())["To"] == FACTS.abuse_contact
            expect(other.get_by_text("No notices here.")).to_be_visible()
            page.goto(f"{url}notices?view=sent")
            expect(page.locator("a.row", has_text=row["id"])).to_be_visible()
            assert narrow_enough(page)
            page.screenshot(path=tmp_path / "notices-390.png", full_page=True)
    assert troubles == []
    assert all(address.startswith(url) for address in asked), "no page reaches beyond the desk"
