from __future__ import annotations

import subprocess
import sys
from hashlib import md5, sha256
from pathlib import Path

import pytest

from crawler.cli.hashes import FORMATS
from crawler.match.importers import detect
from tests.cli.running import Run, runner


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


@pytest.fixture
def vangnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("COLUMNS", "200")
    return runner(monkeypatch, capsys, "--home", str(tmp_path / "home"), "--settings", "settings.lab")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tulips.txt"
    path.write_text(f"# tulips\nsha256 {digest('a')}\nmd5 {md5(b'a').hexdigest()}\n")
    return path


def test_import_lists_check_and_drop(vangnet: Run, file: Path) -> None:
    done = vangnet("hashes", "import", file, "--list", "tulips", "--json").document()
    assert (done["name"], done["version"], done["entries"], done["enabled"]) == ("tulips", 1, 2, True)
    (row,) = vangnet("hashes", "lists", "--json").document()
    assert {name: done[name] for name in row} == row
    (answer,) = vangnet("hashes", "check", digest("a"), "--json").document()
    assert answer["value"] == digest("a")
    assert [match["list"] for match in answer["matches"]] == ["tulips"]
    assert vangnet("hashes", "disable", "tulips", "--json").document()["enabled"] is False
    assert vangnet("hashes", "enable", "tulips", "--json").document()["enabled"] is True
    assert vangnet("hashes", "drop", "tulips", "--json").document() == {"name": "tulips", "dropped": 2, "asked": None}
    assert vangnet("hashes", "lists", "--json").document() == []
    acts = [event["act"] for event in vangnet("audit", "list", "--json").document()]
    assert acts == ["lists.import", "lists.check", "lists.disable", "lists.enable", "lists.drop"]
    assert vangnet("audit", "verify", "--json").document() == {
        "intact": True,
        "events": 5,
        "serial": None,
        "problem": None,
    }


def test_what_people_read(vangnet: Run, file: Path) -> None:
    assert "no lists" in vangnet("hashes", "lists").out
    said = vangnet("hashes", "import", file, "--list", "tulips")
    assert said.out.startswith("tulips version 1 (block, enabled): 2 entries\n")
    assert "md5 1, sha256 1" in vangnet("hashes", "lists").out
    found = vangnet("hashes", "check", digest("a")).out
    assert "tulips" in found
    assert "no list knows" in vangnet("hashes", "check", digest("b")).out
    assert vangnet("hashes", "disable", "tulips").out == "tulips: disabled\n"
    assert "lists.disable" in vangnet("audit", "list").out
    assert vangnet("audit", "verify").out == "intact: 4 events\n"
    assert vangnet("hashes", "drop", "tulips").out == "tulips: dropped, 2 entries deleted\n"


def test_malformed_lines_end_with_2_and_one_line(vangnet: Run, file: Path) -> None:
    file.write_text(file.read_text() + "sha256 12\n")
    refused = vangnet("hashes", "import", file, "--list", "tulips")
    assert refused.code == 2
    assert refused.out == ""
    assert refused.err.count("\n") == 1
    assert "line 4: " in refused.err
    assert vangnet("hashes", "lists", "--json").document() == []
    done = vangnet("hashes", "import", file, "--list", "tulips", "--skip-invalid")
    assert done.code == 0
    assert "left out: 1 × " in done.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("import", "nowhere.txt", "--list", "x"),
        ("import", "."),
        ("import", ".", "--list", "x"),
        ("import", "x", "--list", "x", "--column", "md5"),
        ("enable", "x"),
        ("disable", "x"),
        ("drop", "x"),
        ("check", "xyz"),
        ("check",),
    ],
)
def test_wrong_usage_ends_with_2(vangnet: Run, arguments: tuple[str, ...]) -> None:
    ended = vangnet("hashes", *arguments)
    assert ended.code == 2
    assert ended.out == ""
    assert "Traceback" not in ended.err


def test_csv_columns_and_kind(vangnet: Run, tmp_path: Path) -> None:
    path = tmp_path / "benign.csv"
    path.write_text(f"Nummer,Vingerafdruk\n1,{digest('a')}\n2,{digest('b')}\n")
    given = ("--list", "harmless", "--format", "csv", "--kind", "benign", "--json")
    done = vangnet(
        "hashes", "import", path, *given, "--column", "sha256=Vingerafdruk", "--column", "id=Nummer"
    ).document()
    assert (done["kind"], done["format"], done["entries"]) == ("benign", "csv", 2)
    (answer,) = vangnet("hashes", "check", digest("b"), "--json").document()
    assert [match["entry"] for match in answer["matches"]] == ["2"]


def test_every_format_can_be_named() -> None:
    assert set(FORMATS) == {"auto", *detect.FORMATS}


def test_a_broken_audit_record_ends_with_1(vangnet: Run, file: Path, tmp_path: Path) -> None:
    vangnet("hashes", "import", file, "--list", "tulips")
    script = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('DROP TRIGGER audit_events_unchanged');"
        """c.execute("UPDATE audit_events SET body = replace(body, 'operator', 'somebody')"); c.commit()"""
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "home/vangnet.sqlite")], check=True)
    ended = vangnet("audit", "verify")
    assert ended.code == 1
    assert ended.out.startswith("broken at event 1: ")
    assert vangnet("audit", "verify", "--json").code == 1


def test_what_strangers_wrote_cannot_steer_a_terminal(vangnet: Run, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(f"sha256,category,id\n{digest('a')},\x1b[31mred\u202e,[bold]7[/bold]\n")
    assert vangnet("hashes", "import", path, "--list", "odd", "--format", "csv").code == 0
    shown = vangnet("hashes", "check", digest("a")).out
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "[bold]7[/bold]" in shown


def test_production_refuses_a_home_of_the_lab(vangnet: Run, tmp_path: Path, file: Path) -> None:
    assert vangnet("hashes", "lists").code == 0
    ended = vangnet("--settings", "settings.production", "hashes", "lists")
    assert ended.code == 1
    assert "give another --home" in ended.err
