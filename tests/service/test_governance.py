from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from crawler.errors import (
    HashListInvalid,
    InvalidInput,
    NotAuthorised,
    NothingToMatch,
    Refused,
    StoreUnavailable,
    VangnetError,
)
from crawler.lab.images import File, Picture, encoded
from crawler.match.entries import ImportOptions
from crawler.match.importers.synthetic import WRITERS, pictures
from crawler.match.index import open_index
from crawler.records import Disclosure
from crawler.service import enabling, manifests
from crawler.service.imports import import_list
from crawler.service.indexing import ensure_index
from crawler.service.lists import set_enabled
from crawler.service.trial import Trial, WouldHit, try_list
from crawler.store import audit, entries, lists
from crawler.store import manifests as kept
from crawler.store.database import Database
from crawler.store.lists import HashList
from tests.service.governed import BERT, OTHER, OWNER, public_pem, register, sign, signed_manifest
from tests.store.factories import ANNA, store_at

CLEAN = Trial(1, 1, 80, ())


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with store_at(tmp_path, lab=False) as opened:
        register(opened, tmp_path)
        yield opened


def digests(path: Path, *texts: str) -> Path:
    path.write_text("".join(f"sha256 {sha256(text.encode()).hexdigest()}\n" for text in texts))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return digests(tmp_path / "tulips.txt", "a", "b", "c")


def bring(db: Database, file: Path, manifest: Path | None, name: str = "tulips", **options: object) -> HashList:
    return import_list(db, ANNA, file, name=name, options=ImportOptions(**options), manifest=manifest).list


def found_by(db: Database) -> int:
    index = ensure_index(db.home, db)
    return open_index(index.path, index.sha256).count("sha256")


def test_a_version_is_served_when_a_second_person_enabled_it(db: Database, file: Path, tmp_path: Path) -> None:
    row = bring(db, file, signed_manifest(tmp_path))
    assert (row.enabled, row.served, row.governed) == (False, None, True)
    with pytest.raises(NothingToMatch):
        ensure_index(db.home, db)
    with pytest.raises(NotAuthorised, match="a second person"):
        enabling.enable(db, ANNA, "tulips", trial=CLEAN)
    with pytest.raises(Refused, match="not been tried"):
        enabling.enable(db, BERT, "tulips")
    row = enabling.enable(db, BERT, "tulips", trial=CLEAN)
    assert (row.enabled, row.served) == (True, 1)
    assert found_by(db) == 3
    last = list(audit.events(db))[-1]
    assert (last["actor"], last["act"], last["detail"]["corpus"]) == ("bert", "lists.enable", 80)


def test_the_version_before_goes_on_being_served(db: Database, file: Path, tmp_path: Path) -> None:
    manifest = signed_manifest(tmp_path)
    bring(db, file, manifest)
    enabling.enable(db, BERT, "tulips", trial=CLEAN)
    row = bring(db, digests(tmp_path / "next.txt", "c", "d", "e", "f", "g"), manifest)
    assert (row.enabled, row.version, row.served) == (True, 2, 1)
    assert found_by(db) == 3
    with pytest.raises(Refused, match="no longer the one that was tried"):
        enabling.enable(db, BERT, "tulips", trial=CLEAN)
    assert found_by(db) == 3
    enabling.enable(db, BERT, "tulips", trial=replace(CLEAN, version=2))
    assert found_by(db) == 5


def test_a_category_is_changed_by_two_persons(db: Database, tmp_path: Path) -> None:
    manifest, path = signed_manifest(tmp_path), tmp_path / "tulips.csv"
    for version, category in ((1, "2"), (2, "1")):
        path.write_text(f"algorithm,value,category\nsha256,{sha256(b'a').hexdigest()},{category}\n")
        bring(db, path, manifest)
        assert version == 1 or entries.entry_facts(db, [1])[1].category == "2"
        enabling.enable(db, BERT, "tulips", trial=replace(CLEAN, version=version))
        assert entries.entry_facts(db, [1])[1].category == category


def test_what_was_enabled_once_is_enabled_again_by_anybody(db: Database, file: Path, tmp_path: Path) -> None:
    bring(db, file, signed_manifest(tmp_path))
    enabling.enable(db, BERT, "tulips", trial=CLEAN)
    set_enabled(db, ANNA, "tulips", False)
    assert enabling.enable(db, ANNA, "tulips").enabled


def test_the_database_itself_wants_two_persons(db: Database, file: Path, tmp_path: Path) -> None:
    row = bring(db, file, signed_manifest(tmp_path))
    with pytest.raises(StoreUnavailable, match="another person"), db.write():
        kept.note_enabling(db, ANNA, row.id, 1, corpus=1, would_hit=0)
    for change in ("enabled = 1", "served_version = 1, enabled = 1"):
        with pytest.raises(StoreUnavailable, match="second person"), db.write():
            db.execute(f"UPDATE hash_lists SET {change}")
    with pytest.raises(StoreUnavailable, match="stays governed"), db.write():
        db.execute("UPDATE hash_lists SET governed = 0, served_version = 1, enabled = 1")
    with pytest.raises(Refused, match="second person"):
        set_enabled(db, BERT, "tulips", True)


def test_a_list_that_would_hit_harmless_images_needs_a_reason(db: Database, file: Path, tmp_path: Path) -> None:
    bring(db, file, signed_manifest(tmp_path))
    floods = Trial(1, 1, 80, (WouldHit("graphic: frame", "7", "pdq", 4),))
    with pytest.raises(Refused, match="would hit 1 of 80"):
        enabling.enable(db, BERT, "tulips", trial=floods)
    assert list(audit.events(db))[-1]["detail"] == {"version": 1, "why": "trial"}
    assert enabling.enable(db, BERT, "tulips", trial=floods, despite="the owner knows").enabled
    assert "note" in list(audit.events(db))[-1]["detail"]


def test_the_trial_finds_what_a_list_would_hit(db: Database, tmp_path: Path) -> None:
    pytest.importorskip("numba")
    from crawler.fingerprint.compute import fingerprint

    harmless = encoded(File(Picture(70_000, 480, 360)))
    made = fingerprint(harmless)
    path = tmp_path / "l.csv"
    path.write_text(f"id,pdq,sha256\nfoul,{made.codes[0].value.hex()},\nother,,{sha256(b'x').hexdigest()}\n")
    row = bring(db, path, signed_manifest(tmp_path))
    other = encoded(File(Picture(70_001, 480, 360)))
    trial = try_list(db, row, [("one", harmless), ("two", other), ("three", b"no image"), ("four", b"x")])
    assert (trial.list_id, trial.version, trial.images) == (row.id, row.version, 4)
    assert [(hit.image, hit.entry, hit.algorithm) for hit in trial.hits] == [
        ("one", "foul", "pdq"),
        ("four", "other", "sha256"),
    ]
    assert list(db.home.root.glob("trial-*")) == []


def test_production_wants_a_manifest_that_a_registered_key_signed(db: Database, file: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="needs a manifest"):
        bring(db, file, None)
    with pytest.raises(Refused, match="no registered key"):
        bring(db, file, signed_manifest(tmp_path, key=OTHER))
    manifest = signed_manifest(tmp_path)
    manifest.write_text(manifest.read_text().replace("tests", "anything"))
    with pytest.raises(Refused, match="no registered key"):
        bring(db, file, manifest)
    sign(manifest)
    assert bring(db, file, manifest).entries == 3


@pytest.mark.parametrize("form", ["raw", "hex", "base64"])
def test_signatures_as_tools_write_them(db: Database, file: Path, tmp_path: Path, form: str) -> None:
    manifest = signed_manifest(tmp_path)
    signature = OWNER.sign(manifest.read_bytes())
    text = {"raw": signature, "hex": signature.hex().encode() + b"\n", "base64": base64.encodebytes(signature)}[form]
    (tmp_path / "tulips.toml.sig").write_bytes(text)
    assert bring(db, file, manifest).entries == 3


def test_a_revoked_key_signs_nothing_more(db: Database, file: Path, tmp_path: Path) -> None:
    manifest = signed_manifest(tmp_path)
    bring(db, file, manifest)
    manifests.revoke_key(db, ANNA, "owner")
    with pytest.raises(Refused, match="was revoked"):
        enabling.enable(db, BERT, "tulips", trial=CLEAN)
    with pytest.raises(Refused, match="no registered key"):
        bring(db, file, manifest)
    with pytest.raises(InvalidInput, match="no key"):
        manifests.revoke_key(db, ANNA, "owner")
    (row,) = manifests.all_keys(db, ANNA)
    assert row["revoked_at"] is not None


def test_keys_are_registered_once_and_are_public_ones(db: Database, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="registered already"):
        register(db, tmp_path, "again")
    with pytest.raises(InvalidInput, match="no name for a key"):
        register(db, tmp_path, "a b")
    private = tmp_path / "private.pem"
    private.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    for path, why in ((private, "private key"), (tmp_path / "none.pem", "cannot be read")):
        with pytest.raises(HashListInvalid, match=why):
            manifests.add_key(db, ANNA, "second", path)
    junk = tmp_path / "junk.pem"
    for content in (b"", b"hello", b"\xff\xfe", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"):
        junk.write_bytes(content)
        with pytest.raises(HashListInvalid, match="no Ed25519 public key"):
            manifests.add_key(db, ANNA, "second", junk)
    manifests.add_key(db, ANNA, "second", public_pem(tmp_path, OTHER))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("[categories]", "[categorie]", "unknown key"),
        ('purpose = "tests"', "", "list.purpose: is required"),
        ("2099-12-31", '"2099-12-31"', "list.expires: must be a date"),
        ("[list]", "[list", "no valid TOML"),
        ('"tulips"', '"roses"', "give the right --list"),
        ("files = []", 'files = ["abc"]', r"list.files\[0\]"),
        ('"*" = "a test\'s category"', "", "at least one category"),
        ('"*" = "a test\'s category"', '"1" = 7', "categories.1: must be text"),
        ("[disclosure]", "[disclosure]\nnames = true", "disclosure.names: unknown key"),
        ("[disclosure]", '[disclosure]\ncode = "yes"', "disclosure.code: must be true or false"),
    ],
)
def test_manifests_that_are_none(db: Database, file: Path, tmp_path: Path, old: str, new: str, why: str) -> None:
    manifest = signed_manifest(tmp_path)
    assert old in manifest.read_text()
    manifest.write_text(manifest.read_text().replace(old, new))
    sign(manifest)
    with pytest.raises(HashListInvalid, match=why):
        bring(db, file, manifest)
    assert lists.all_lists(db) == []


def test_an_expired_manifest_stops_the_crawls(db: Database, file: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="expired on 2020-01-31"):
        bring(db, file, signed_manifest(tmp_path, expires="2020-01-31"))
    bring(db, file, signed_manifest(tmp_path))
    enabling.enable(db, BERT, "tulips", trial=CLEAN)
    assert found_by(db) == 3
    with db.write():
        db.execute("UPDATE list_manifests SET manifest = replace(manifest, '2099', '2020')")
    with pytest.raises(NothingToMatch, match="expired on 2020-12-31"):
        ensure_index(db.home, db)


def test_a_manifest_may_name_the_files_that_it_covers(db: Database, file: Path, tmp_path: Path) -> None:
    digest = sha256(file.read_bytes()).hexdigest()
    with pytest.raises(HashListInvalid, match="does not cover"):
        bring(db, file, signed_manifest(tmp_path, files=("ab" * 32,)))
    assert bring(db, file, signed_manifest(tmp_path, files=(digest,))).entries == 3
    file.write_text(file.read_text() + "# changed\n")
    with pytest.raises(HashListInvalid, match="does not cover"):
        bring(db, file, signed_manifest(tmp_path, files=(digest,)))


def test_the_manifest_says_which_categories_count(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "set.json"
    path.write_text("".join(WRITERS["vics"](pictures(30))), "utf-8")
    with pytest.raises(HashListInvalid, match="name the categories"):
        bring(db, path, signed_manifest(tmp_path, name="set"), "set")
    manifest = signed_manifest(tmp_path, name="set", law={"1": "art. 252 Sr", "2": "art. 252 Sr"})
    with pytest.raises(HashListInvalid, match="categories count: 3"):
        bring(db, path, manifest, "set", categories=frozenset({"1", "3"}))
    assert bring(db, path, manifest, "set", categories=frozenset({"1"})).entries == 20
    assert bring(db, path, manifest, "set").entries == 40
    last = list(audit.events(db))[-1]["detail"]
    assert (last["categories"], last["key"]) == (["1", "2"], "owner")


def test_what_may_leave_stands_in_the_manifest(db: Database, file: Path, tmp_path: Path) -> None:
    bring(db, file, signed_manifest(tmp_path, disclosure={"list_name": True}))
    bring(db, file, signed_manifest(tmp_path, name="roses"), "roses")
    assert kept.terms(db) == {"tulips": Disclosure(list_name=True), "roses": Disclosure()}


def test_the_lab_is_free_and_checks_a_manifest_that_is_given(tmp_path: Path) -> None:
    file = digests(tmp_path / "tulips.txt", "a")
    with store_at(tmp_path) as db:
        row = import_list(db, ANNA, file, name="free", options=ImportOptions()).list
        assert (row.enabled, row.served, row.governed) == (True, 1, False)
        assert enabling.waiting(db, ANNA, "free") is None
        manifest = signed_manifest(tmp_path)
        with pytest.raises(VangnetError, match="no registered key"):
            bring(db, file, manifest)
        register(db, tmp_path)
        row = bring(db, file, manifest)
        assert (row.enabled, row.served, row.governed) == (True, 1, False)
