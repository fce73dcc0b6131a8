from __future__ import annotations

import json
from pathlib import Path

import pytest

from crawler.cli.context import emit
from crawler.records import RowMatch
from crawler.store.hits import record
from tests.cli.running import Run, runner
from tests.store.factories import ATTRIBUTION, IMAGE_URL, add_list, code_entry, digest_entry, image, report, store_at


def sure_hit(root: Path, *, lab: bool = True) -> str:
    with store_at(root, lab=lab) as db:
        return record(db, report(), ATTRIBUTION).hit_id


@pytest.fixture
def vangnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("COLUMNS", "200")
    return runner(monkeypatch, capsys, "--home", str(tmp_path / "home"), "--settings", "settings.lab", "--user", "anna")


@pytest.fixture
def production(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(monkeypatch, capsys, "--home", str(tmp_path / "home"), "--settings", "settings.production")


def test_an_id_stays_whole_on_a_narrow_terminal(vangnet: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hit = sure_hit(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    assert any(line.startswith(f"{hit} ") for line in vangnet("hits", "list").out.splitlines())


def test_list_show_and_confirm(vangnet: Run, tmp_path: Path) -> None:
    hit = sure_hit(tmp_path)
    (listed,) = vangnet("hits", "list", "--json").document()
    shown = vangnet("hits", "show", hit, "--json").document()
    assert {name: shown[name] for name in listed} == listed
    assert (listed["id"], listed["status"], listed["image_url"]) == (hit, "new", IMAGE_URL)
    assert vangnet("hits", "confirm", hit, "--reason", "listed", "--json").document()["status"] == "confirmed"
    (decision,) = vangnet("hits", "show", hit, "--json").document()["decisions"]
    assert (decision["actor"], decision["reason"]) == ("anna", "listed")
    assert vangnet("hits", "list", "--status", "new", "--json").document() == []
    assert len(vangnet("hits", "list", "--status", "confirmed", "--campaign", "nightly", "--json").document()) == 1
    assert vangnet("hits", "list", "--campaign", "other", "--json").document() == []


def test_what_people_read(vangnet: Run, tmp_path: Path) -> None:
    assert vangnet("hits", "list").out == "no hits\n"
    hit = sure_hit(tmp_path)
    line = vangnet("hits", "list").out.splitlines()[1]
    assert all(word in line for word in (hit, "new", "gallery.example", "Tulip Hosting B.V.", IMAGE_URL))
    assert vangnet("hits", "reject", hit, "--reason", "a tulip").out == f"hit {hit} is rejected\n"
    page = vangnet("hits", "show", hit).out
    assert all(word in page for word in ("matches", "sightings", "decisions", "a tulip", "sha256", "64496", "nightly"))


def test_exit_codes(vangnet: Run, tmp_path: Path) -> None:
    hit = sure_hit(tmp_path)
    assert vangnet("hits", "show", "x").code == 2
    assert vangnet("hits", "confirm", "x", "--reason", "why").code == 2
    assert vangnet("hits", "confirm", hit).code == 2
    assert vangnet("hits", "confirm", hit, "--reason", " ").code == 2
    assert vangnet("hits", "list", "--status", "old").code == 2
    assert vangnet("hits", "list", "--reason", "why").code == 2
    assert vangnet("hits", "show", hit, "--reveal").code == 2
    assert vangnet("hits", "reject", hit, "--reason", "why").code == 0
    refused = vangnet("hits", "confirm", hit, "--reason", "why")
    assert refused.code == 3
    assert refused.err == f"vangnet: hit {hit} is rejected; confirm is not possible from there\n"


def test_production_masks_and_reveals_on_record(production: Run, tmp_path: Path) -> None:
    hit = sure_hit(tmp_path, lab=False)
    shown = [production("hits", *arguments).out for arguments in (("list",), ("list", "--json"), ("show", hit))]
    assert not any("secret-name" in text or "img.gallery" in text for text in shown)
    (revealed,) = production("hits", "list", "--reveal", "--reason", "to call the hoster", "--json").document()
    assert revealed["image_url"] == IMAGE_URL
    events = production("audit", "list", "--json").document()
    assert [event["act"] for event in events] == ["hits.record", "hits.show", "hits.reveal"]


def test_a_near_hit_in_production_wants_an_assessment(production: Run, tmp_path: Path) -> None:
    with store_at(tmp_path, lab=False) as db:
        done = add_list(db, [code_entry(1)], near="assess")
        entry = db.value("SELECT id FROM hash_entries WHERE list_id = ?", done.list.id)
        hit = record(db, report(found=image("near", RowMatch(entry, "pdq", 4, 31))), ATTRIBUTION).hit_id
    refused = production("hits", "confirm", hit, "--reason", "why")
    assert refused.code == 3
    assert "--assessment" in refused.err
    assert production("hits", "confirm", hit, "--reason", "why", "--assessment", "PV-1", "--json").document()


def test_an_object_may_be_followed_through_the_record(vangnet: Run, tmp_path: Path) -> None:
    hit = sure_hit(tmp_path)
    vangnet("hits", "confirm", hit, "--reason", "why")
    (event,) = vangnet("audit", "list", "--object", hit, "--json").document()
    assert event["act"] == "hits.confirm"
    assert [event["serial"] for event in vangnet("audit", "list", "--last", 1, "--json").document()] == [2]


def test_a_hit_that_nothing_stands_behind_any_more_says_so(vangnet: Run, tmp_path: Path) -> None:
    with store_at(tmp_path) as db:
        add_list(db, [digest_entry("a"), digest_entry("b")], "tulips")
        entry = int(db.value("SELECT id FROM hash_entries WHERE value = ?", digest_entry("a").value))
        hit = record(db, report(found=image("an image", RowMatch(entry, "sha256"))), ATTRIBUTION).hit_id
    file = tmp_path / "tulips.txt"
    file.write_text(f"sha256 {digest_entry('b').value.hex()}\n")
    assert vangnet("hits", "list", "--json").document()[0]["mark"] is None
    assert vangnet("hashes", "import", file, "--list", "tulips").code == 0
    (listed,) = vangnet("hits", "list", "--json").document()
    assert listed["mark"] == {"reason": "entry-withdrawn", "at": listed["mark"]["at"]}
    assert "new, entry-withdrawn" in vangnet("hits", "list").out
    assert "rests on withdrawn entries only since 2" in vangnet("hits", "show", hit).out
    events = [
        event["detail"] for event in vangnet("audit", "list", "--json").document() if event["act"] == "lists.import"
    ]
    assert events[-1]["hits_marked"] == 1
    assert vangnet("hashes", "drop", "tulips").code == 0
    assert "rests on a dropped list only" in vangnet("hits", "show", hit).out


def test_json_on_a_terminal_steers_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A stranger's text: an escape of 8 bits, a delete, a change of direction, an invisible tag, half a character."""
    document = {"holder": "caf\u00e9 \x1b[2J \x9b2J \x7f \u202e \U000e0001 \ud800"}
    emit(document)
    printed = capsys.readouterr().out
    assert json.loads(printed) == document
    assert printed.rstrip("\n").isprintable() and "caf\u00e9" in printed
