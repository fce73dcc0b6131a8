from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crawler.options import Options
from crawler.records import RowMatch
from crawler.store import people
from crawler.store.actors import Actor, Role, add_role
from crawler.store.database import Database
from crawler.store.hits import record
from crawler.web.app import desk_app
from crawler.web.ways import Desk
from tests.store.factories import ATTRIBUTION, add_list, code_entry, digest_entry, image, report, store_at
from tests.web.browsing import Browser

SignedIn = Callable[..., Browser]


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """A production home's."""
    with store_at(tmp_path, lab=False) as opened:
        yield opened


@pytest.fixture
def desk(db: Database) -> Desk:
    # Nothing listens there: pages that need the server say so.
    return Desk(db.home, Options(), "unix:///nonexistent/server.sock", patience=0.3)


@pytest.fixture
def signed_in(db: Database, desk: Desk) -> SignedIn:
    """A browser of somebody with this role, signed in already."""

    def browser(name: str, *roles: Role) -> Browser:
        with db.write():
            for role in roles:
                add_role(db, name, role)
            token = f"token of {name}"
            people.open_session(db, Actor(name, frozenset(), "web:127.0.0.1"), token)
        return Browser(desk_app(desk, ["localhost"]), {"vangnet": token})

    return browser


@pytest.fixture
def sure(db: Database) -> str:
    """A case item of class A with two places."""
    done = add_list(db, [digest_entry("an image", category="1")], near="assess")
    entry = db.value("SELECT id FROM hash_entries WHERE list_id = ?", done.list.id)
    for number in (1, 2):
        url = f"https://img.gallery.example/holiday/secret-name-{number}.jpg"
        found = image("an image", RowMatch(entry, "sha256"))
        hit = record(db, report(f"sure {number}", image_url=url, found=found), ATTRIBUTION)
    return case_of(db, hit.hit_id)


@pytest.fixture
def near(db: Database) -> str:
    """A case item of class C, whose list wants an assessment."""
    done = add_list(db, [code_entry(1)], name="codes", near="assess")
    entry = db.value("SELECT id FROM hash_entries WHERE list_id = ?", done.list.id)
    found = image("near", RowMatch(entry, "pdq", 4, 31))
    return case_of(db, record(db, report("near", found=found), ATTRIBUTION).hit_id)


def case_of(db: Database, hit_id: str) -> str:
    return str(db.value("SELECT case_id FROM hits WHERE id = ?", hit_id))


def statuses(db: Database, case_id: str) -> set[str]:
    return {row["status"] for row in db.rows("SELECT status FROM hits WHERE case_id = ?", case_id)}
