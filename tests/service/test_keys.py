from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from crawler.errors import NotAuthorised, Refused
from crawler.service.keys import rotate_keys
from crawler.service.users import add_user
from crawler.store import audit, resealing
from crawler.store.actors import Actor, Role
from crawler.store.database import Database, open_store
from crawler.store.decisions import add_note, note_text
from crawler.store.hit_views import hits_json
from crawler.store.hits import record
from tests.store.factories import ANNA, ATTRIBUTION, IMAGE_URL, report


def fill(db: Database, notes: int = 10) -> list[str]:
    record(db, report(), ATTRIBUTION)
    add_user(db, ANNA, "anna", "admin")
    with db.write():
        return [add_note(db, ANNA, "x", "note", f"note {number}") for number in range(notes)]


def test_every_sealed_column_is_known(db: Database) -> None:
    found = {(each.table, each.column, each.key) for each in resealing.sealed_columns(db)}
    assert found >= {
        ("campaigns", "file", "name"),
        ("credentials", "totp", "actor"),
        ("decisions", "assessment", "id"),
        ("decisions", "assessor", "id"),
        ("hits", "image_url", "id"),
        ("hits", "page_url", "id"),
        ("hits", "redirects", "id"),
        ("images", "md5", "id"),
        ("images", "sha256", "id"),
        ("notes", "text", "id"),
        ("sightings", "image_url", "id"),
        ("sightings", "page_url", "id"),
        ("sightings", "redirects", "id"),
    }


def test_a_new_key_seals_everything(db: Database) -> None:
    notes = fill(db)
    values = db.value("SELECT count(*) FROM notes") + 9
    done = rotate_keys(db, ANNA)
    assert done == {"key": "seal-2", "resealed": values, "kept": ["seal-1"], "forgotten": []}
    with open_store(db.home) as again:
        assert again.keys.current == 2
        assert resealing.left_over(again) == 0
        assert note_text(again, notes[3]) == "note 3"
        assert [hit["image_url"] for hit in hits_json(again, reveal=True)] == [IMAGE_URL]
    assert rotate_keys(db, ANNA, forget_old=True)["forgotten"] == ["seal-1", "seal-2"]
    assert sorted(path.name for path in db.home.keys.glob("seal-*")) == ["seal-3"]
    with open_store(db.home) as again:
        assert note_text(again, notes[9]) == "note 9"
        assert audit.verify(again).intact


def test_who_has_the_database_open_goes_over_to_the_new_key(db: Database) -> None:
    """A recorder that went on sealing with a key that is forgotten afterwards would lose what it recorded."""
    fill(db)
    with open_store(db.home) as recorder:
        rotate_keys(db, ANNA, forget_old=True)
        assert [hit["image_url"] for hit in hits_json(recorder, reveal=True)] == [IMAGE_URL]
        hit = record(recorder, report("later", image_url="https://gallery.example/later.jpg"), ATTRIBUTION)
        assert resealing.left_over(recorder) == 0
    with open_store(db.home) as again:
        assert hit.hit_id in {each["id"] for each in hits_json(again, reveal=True)}


def test_a_rotation_that_is_killed_goes_on(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resealing, "BATCH", 3)
    notes = fill(db, 120)
    home, chance = db.home, random.Random(7)
    db.close()
    finished = 0
    for _ in range(12):
        child = os.fork()
        if child == 0:
            with open_store(home) as own:
                rotate_keys(own, ANNA)
            os._exit(0)
        time.sleep(chance.uniform(0.0, 0.12))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        finished += os.WIFEXITED(status)
        with open_store(home) as own:
            assert [note_text(own, note) for note in notes] == [f"note {number}" for number in range(120)]
            assert [hit["image_url"] for hit in hits_json(own, reveal=True)] == [IMAGE_URL]
            assert audit.verify(own).intact
    assert finished < 12
    (home.keys / ".seal-1.123.ab").write_text("left by a process that was killed")
    with open_store(home) as own:
        rotate_keys(own, ANNA, forget_old=True)
    with open_store(home) as own:
        assert (resealing.left_over(own), len(own.keys.seals)) == (0, 1)
    assert len(list(home.keys.iterdir())) == 3


def test_keys_from_elsewhere_are_not_made_here(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(db)
    names = {"seal-1": "VANGNET_SECRET_SEAL_1", "blind": "VANGNET_SECRET_BLIND", "audit": "VANGNET_SECRET_AUDIT"}
    for name, variable in names.items():
        monkeypatch.setenv(variable, (db.home.keys / name).read_text().strip())
        (db.home.keys / name).unlink()
    with open_store(db.home) as own, pytest.raises(Refused, match="provide seal-2 there too"):
        rotate_keys(own, ANNA)
    monkeypatch.setenv("VANGNET_SECRET_SEAL_2", "ab" * 32)
    with open_store(db.home) as own:
        assert rotate_keys(own, ANNA)["key"] == "seal-2"
        assert resealing.left_over(own) == 0
    assert not list(db.home.keys.iterdir())


def test_only_an_admin_rotates(db: Database) -> None:
    with pytest.raises(NotAuthorised):
        rotate_keys(db, Actor("bert", frozenset(Role) - {Role.ADMIN}, "cli"))
    assert [path.name for path in db.home.keys.glob("seal-*")] == ["seal-1"]


def test_two_rotations_at_once_are_one(db: Database) -> None:
    record(db, report(), ATTRIBUTION)

    def second(_: int) -> None:
        with pytest.raises(Refused, match="another process rotates"):
            rotate_keys(db, ANNA, forget_old=True)

    assert rotate_keys(db, ANNA, forget_old=True, progress=second)["key"] == "seal-2"
    assert rotate_keys(db, ANNA)["key"] == "seal-3"
