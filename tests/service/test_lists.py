from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import md5, sha256
from pathlib import Path

import pytest

from crawler.errors import HashListInvalid, InvalidInput, NothingToMatch, Refused, StoreUnavailable
from crawler.match.entries import ImportOptions
from crawler.match.importers.synthetic import WRITERS, pictures
from crawler.match.index import open_index
from crawler.service.checks import MAX_VALUES, check
from crawler.service.dropping import Dropped, drop
from crawler.service.imports import import_list
from crawler.service.indexing import ensure_index
from crawler.service.lists import all_lists, list_json, set_enabled, version_json
from crawler.store import audit
from crawler.store.database import Database
from crawler.store.lists import ListVersion
from tests.fingerprint.plugged import install
from tests.service.governed import register, signed_manifest
from tests.store.factories import ANNA, store_at


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def code(text: str, flipped: int = 0) -> str:
    """A PDQ code that no guard refuses, with so many bits changed."""
    value = int(sha256(text.encode()).hexdigest(), 16) ^ ((1 << flipped) - 1)
    return f"{value:064x}"


def write(path: Path, lines: Sequence[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def imported(
    db: Database, path: Path, name: str = "tulips", *, skip_invalid: bool = False, **more: object
) -> ListVersion:
    options = ImportOptions(**more)
    return import_list(db, ANNA, path, name=name, options=options, skip_invalid=skip_invalid)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    lines = [
        "# tulips",
        f"sha256 {digest('a')}",
        f"md5 {md5(b'a').hexdigest()}",
        f"pdq {code('p')}",
        "phash 00ff13375a5ac3e1",
    ]
    return write(tmp_path / "tulips.txt", lines)


def test_an_import_says_what_it_did(db: Database, file: Path) -> None:
    seen: list[tuple[int, int]] = []
    options = ImportOptions()
    done = import_list(db, ANNA, file, name="tulips", options=options, progress=lambda at, of: seen.append((at, of)))
    shown = version_json(done)
    assert shown == {
        "name": "tulips",
        "kind": "block",
        "enabled": True,
        "version": 1,
        "imported_at": shown["imported_at"],
        "format": "lines",
        "entries": 4,
        "by_algorithm": {"md5": 1, "pdq": 1, "phash": 1, "sha256": 1},
        "categories": None,
        "by_category": {"": 4},
        "unsearchable": 0,
        "near": "confirm",
        "served": 1,
        "added": 4,
        "withdrawn": 0,
        "duplicates": 0,
        "skipped": {},
    }
    assert seen[-1] == (file.stat().st_size, file.stat().st_size)
    (event,) = audit.events(db)
    assert (event["act"], event["object"], event["detail"]["entries"]) == ("lists.import", "tulips", 4)


def test_malformed_lines_are_named_and_nothing_is_imported(db: Database, tmp_path: Path) -> None:
    lines = [f"sha256 {digest('a')}", "sha256 123", f"md5 {digest('a')}", "colour blue"]
    path = write(tmp_path / "bad.txt", lines)
    with pytest.raises(HashListInvalid) as caught:
        imported(db, path, format="lines")
    assert all(f"line {number}:" in str(caught.value) for number in (2, 3, 4))
    assert "line 1" not in str(caught.value)
    assert "nothing was imported" in str(caught.value)
    assert digest("a") not in str(caught.value)
    assert all_lists(db, ANNA) == []
    done = imported(db, path, format="lines", skip_invalid=True)
    assert done.list.entries == 1
    assert sum(done.skipped.values()) == 3


def test_many_malformed_lines_are_counted(db: Database, tmp_path: Path) -> None:
    path = write(tmp_path / "bad.txt", [f"sha256 {digest('a')}"] + ["sha256 12"] * 40)
    with pytest.raises(HashListInvalid, match=r"line 6: [^;]*; and 35 more; nothing"):
        imported(db, path)


def test_poison_is_refused(db: Database, tmp_path: Path) -> None:
    path = write(tmp_path / "p.txt", [f"sha256 {digest('')}", f"pdq {'0' * 64}", f"pdq {'f' * 64}", f"pdq {code('p')}"])
    with pytest.raises(HashListInvalid, match=r"line 1: .*line 2: .*line 3: "):
        imported(db, path)
    assert imported(db, path, skip_invalid=True).list.by_algorithm == {"pdq": 1}


@pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 65, "-x", "[bold]"])
def test_names_that_are_none(db: Database, file: Path, name: str) -> None:
    with pytest.raises(HashListInvalid, match="no name for a list"):
        imported(db, file, name)


def test_a_file_without_an_entry_does_not_empty_a_list(db: Database, file: Path, tmp_path: Path) -> None:
    imported(db, file)
    with pytest.raises(HashListInvalid, match="no entry in it"):
        imported(db, write(tmp_path / "empty.txt", ["# nothing"]), format="lines")
    assert [row.entries for row in all_lists(db, ANNA)] == [4]


def test_production_lists_want_an_assessment_of_near_hits(tmp_path: Path, file: Path) -> None:
    with store_at(tmp_path, lab=False) as db:
        signed = signed_manifest(tmp_path)
        register(db, tmp_path)
        done = import_list(db, ANNA, file, name="tulips", options=ImportOptions(), manifest=signed)
        assert list_json(done.list)["near"] == "assess"


def test_enable_and_disable(db: Database, file: Path) -> None:
    imported(db, file)
    assert not set_enabled(db, ANNA, "tulips", False).enabled
    assert set_enabled(db, ANNA, "tulips", True).enabled
    set_enabled(db, ANNA, "tulips", True)
    acts = [(event["act"], event["result"]) for event in audit.events(db)][1:]
    assert acts == [("lists.disable", "done"), ("lists.enable", "done"), ("lists.enable", "unchanged")]
    with pytest.raises(InvalidInput, match="no list 'roses'"):
        set_enabled(db, ANNA, "roses", True)


def test_an_index_is_built_once_for_the_same_lists(db: Database, file: Path, tmp_path: Path) -> None:
    imported(db, file)
    first = ensure_index(db.home, db)
    built = first.path.stat().st_ino
    assert first.path == db.home.index / f"{first.sha256}.vgx"
    assert first.rows_by_algorithm == {"md5": 1, "pdq": 1, "phash": 1, "sha256": 1}
    assert ensure_index(db.home, db) == first
    assert ensure_index(db.home, db, ["tulips"]) == first
    assert first.path.stat().st_ino == built, "it is the file that was there"
    imported(db, write(tmp_path / "more.txt", [f"sha256 {digest('z')}"]))
    second = ensure_index(db.home, db)
    assert second.sha256 != first.sha256
    assert open_index(second.path, second.sha256).count("sha256") == 1


def test_a_plug_in_makes_its_entries_searchable(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    csv = write(tmp_path / "list.csv", ["photodna,id", f"{bytes(range(144)).hex()},1"])
    assert list_json(imported(db, csv).list)["unsearchable"] == 1
    with pytest.raises(NothingToMatch, match="no enabled list has an entry"):
        ensure_index(db.home, db)
    imported(db, write(tmp_path / "other.txt", [f"sha256 {digest('a')}"]), "other")
    assert ensure_index(db.home, db).unsearchable == {"photodna": 1}
    packages = tmp_path / "packages"
    packages.mkdir()
    monkeypatch.syspath_prepend(str(install(packages)))
    assert [list_json(row)["unsearchable"] for row in all_lists(db, ANNA)] == [0, 0]
    index = ensure_index(db.home, db)
    assert (index.rows_by_algorithm["photodna"], index.unsearchable) == (1, {})
    set_enabled(db, ANNA, "other", False)
    assert ensure_index(db.home, db).rows_by_algorithm == {"photodna": 1}


@pytest.mark.parametrize("harm", ["gone", "cut", "changed"])
def test_a_damaged_index_is_built_again(db: Database, file: Path, harm: str) -> None:
    imported(db, file)
    first = ensure_index(db.home, db)
    data = first.path.read_bytes()
    first.path.unlink()
    if harm != "gone":
        first.path.write_bytes(data[:100] if harm == "cut" else data[:-1] + bytes([data[-1] ^ 1]))
    said: list[str] = []
    assert ensure_index(db.home, db, say=said.append) == first
    assert first.path.read_bytes() == data
    assert len(said) == 1


def test_an_index_of_another_version_is_built_again(db: Database, file: Path) -> None:
    """As after an upgrade: the file is whole, and what its name says."""
    imported(db, file)
    first = ensure_index(db.home, db)
    data = bytearray(first.path.read_bytes())
    data[8] += 1
    older = sha256(data).hexdigest()
    (db.home.index / f"{older}.vgx").write_bytes(data)
    with db.write():
        db.execute("UPDATE index_files SET sha256 = ?", older)
    said: list[str] = []
    assert ensure_index(db.home, db, say=said.append) == first
    assert "this program reads version" in said[0]
    assert ensure_index(db.home, db, say=said.append) == first
    assert len(said) == 1


def test_lists_that_cannot_raise_a_hit(db: Database, tmp_path: Path, file: Path) -> None:
    with pytest.raises(NothingToMatch, match="hashes import"):
        ensure_index(db.home, db)
    imported(db, write(tmp_path / "benign.txt", [f"sha256 {digest('b')}"]), "harmless", kind="benign")
    imported(db, write(tmp_path / "phash.txt", ["phash 00ff13375a5ac3e1"]), "faint")
    with pytest.raises(NothingToMatch):
        ensure_index(db.home, db)
    imported(db, file)
    index = ensure_index(db.home, db)
    assert index.rows_by_algorithm["benign sha256"] == 1
    set_enabled(db, ANNA, "tulips", False)
    with pytest.raises(NothingToMatch):
        ensure_index(db.home, db)


def test_named_lists_must_be_there_and_enabled(db: Database, file: Path) -> None:
    imported(db, file)
    imported(db, file, "roses")
    with pytest.raises(NothingToMatch, match="no list 'violets'"):
        ensure_index(db.home, db, ["tulips", "violets"])
    set_enabled(db, ANNA, "roses", False)
    with pytest.raises(NothingToMatch, match="'roses' is disabled"):
        ensure_index(db.home, db, ["tulips", "roses"])
    assert ensure_index(db.home, db, ["tulips"]).rows_by_algorithm["pdq"] == 1


def test_a_dropped_list_takes_its_index_files_along(db: Database, file: Path) -> None:
    imported(db, file)
    index = ensure_index(db.home, db)
    assert drop(db, ANNA, "tulips") == Dropped(4)
    assert not index.path.exists()
    with pytest.raises(NothingToMatch):
        ensure_index(db.home, db)
    with pytest.raises(InvalidInput):
        drop(db, ANNA, "tulips")


def test_values_are_looked_up_in_every_list(db: Database, file: Path, tmp_path: Path) -> None:
    imported(db, file)
    imported(db, write(tmp_path / "r.txt", [f"pdq {code('p', 6)}", f"sha256 {digest('a')}"]), "roses")
    set_enabled(db, ANNA, "roses", False)
    values = [digest("a").upper(), f"pdq:{code('p')}", md5(b"a").hexdigest(), digest("unknown"), "00ff13375a5ac3e3"]
    answers = check(db, ANNA, values)
    shown = [
        [(m["list"], m["enabled"], m["algorithm"], m["distance"]) for m in answer["matches"]] for answer in answers
    ]
    assert shown == [
        [("roses", False, "sha256", 0), ("tulips", True, "sha256", 0)],
        [("tulips", True, "pdq", 0), ("roses", False, "pdq", 6)],
        [("tulips", True, "md5", 0)],
        [],
        [("tulips", True, "phash", 1)],
    ]
    assert [answer["value"] for answer in answers] == values
    *_, event = audit.events(db)
    assert (event["act"], event["detail"]) == ("lists.check", {"values": 5, "found": 4})
    assert check(db, ANNA, [code("p", 32)])[0]["matches"][0]["distance"] == 26


def test_checks_are_capped_and_parsed(db: Database) -> None:
    with pytest.raises(InvalidInput, match="too many"):
        check(db, ANNA, [digest("a")] * (MAX_VALUES + 1))
    for value in ("", "abc", "sha1:" + digest("a"), "md4:" + "0" * 32, "http://x.example/"):
        with pytest.raises(InvalidInput, match="value 2 is no md5"):
            check(db, ANNA, [digest("a"), value])


def test_a_day_has_so_many_checks(db: Database, file: Path) -> None:
    imported(db, file)
    now = db.clock()
    db.clock = lambda: now
    assert len(check(db, ANNA, [digest("a"), digest("b")], per_day=3)) == 2
    with pytest.raises(Refused, match="3 values a day"):
        check(db, ANNA, [digest("a"), digest("b")], per_day=3)
    *_, event = audit.events(db)
    assert (event["act"], event["result"], event["detail"]) == ("lists.check", "refused", {"why": "quota", "values": 2})
    (answer,) = check(db, ANNA, [digest("a")], per_day=3)
    assert answer["lists"] == {"tulips": 1}
    check(db, replace(ANNA, name="bert"), [digest("a")], per_day=3)
    db.clock = lambda: now + 86_400.0
    check(db, ANNA, [digest("a")], per_day=3)


def synthetic(path: Path, count: int, seed: int = 0) -> Path:
    path.write_text("".join(WRITERS["lines"](pictures(count, seed, ("sha256",)))))
    return path


def test_another_file_under_the_name_of_a_list_is_refused(db: Database, tmp_path: Path) -> None:
    imported(db, synthetic(tmp_path / "a.txt", 200))
    other = synthetic(tmp_path / "b.txt", 500, seed=1)
    with pytest.raises(HashListInvalid, match="has 0 of the 200 entries of list 'tulips'"):
        imported(db, other)
    (row,) = all_lists(db, ANNA)
    assert (row.version, row.entries) == (1, 200)
    half = other.with_name("half.txt")
    half.write_text(other.read_text() + "".join((tmp_path / "a.txt").read_text().splitlines(keepends=True)[:100]))
    assert imported(db, half).list.entries == 599
    done = import_list(db, ANNA, synthetic(other, 300, seed=2), name="tulips", options=ImportOptions(), replace=True)
    assert (done.list.version, done.list.entries) == (3, 300)


def test_an_import_that_fails_on_its_way_leaves_the_version_before(
    db: Database, tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported(db, file)
    before = ensure_index(db.home, db)

    def full(*_: object, **__: object) -> None:
        raise StoreUnavailable("database: database or disk is full; make room on the disk")

    with monkeypatch.context() as patched, pytest.raises(StoreUnavailable, match="full"):
        patched.setattr(audit, "append", full)
        imported(db, synthetic(tmp_path / "b.txt", 50))
    (row,) = all_lists(db, ANNA)
    assert (row.version, row.entries) == (1, 4)
    assert ensure_index(db.home, db) == before
    assert list(db.home.root.glob("import-*")) == []


def test_categories_are_named_and_counted(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "set.json"
    path.write_text("".join(WRITERS["vics"](pictures(30))), "utf-8")
    row = imported(db, path, categories=frozenset({"1", "2"})).list
    assert (row.categories, row.by_category) == (["1", "2"], {"1": 20, "2": 20})
    assert list(audit.events(db))[-1]["detail"]["categories"] == ["1", "2"]
