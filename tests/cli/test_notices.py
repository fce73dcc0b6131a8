from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import Run, runner
from tests.service.noticed import hit
from tests.store.factories import store_at


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("COLUMNS", "120")
    with store_at(tmp_path) as db:
        hit(db, 1)
        hit(db, 2)
    return runner(monkeypatch, capsys, "--home", str(tmp_path / "home"), "--settings", "settings.lab")


def test_the_way_of_a_notice(run: Run, tmp_path: Path) -> None:
    assert "no notices" in run("notices", "list").out
    (draft,) = run("notices", "draft", "--json").document()["drafts"]
    notice = draft["id"]
    assert (draft["state"], draft["hits"]) == ("draft", 2)
    assert run("notices", "draft").out == "nothing to draft: no confirmed hit waits for a notice\n"
    shown = run("notices", "show", notice).out
    assert "Kennisgeving" in shown and "Notice of illegal content" in shown and "https://gallery.example/" in shown
    done = run("notices", "approve", notice, "--revision", "99")
    assert (done.code, "has changed since you saw it" in done.err) == (3, True)
    assert run("notices", "approve", notice).out == f"notice {notice} is approved\n"
    assert run("notices", "send", "--out", tmp_path / "out", "--json").document()["sent"] == [notice]
    assert (tmp_path / "out" / f"{notice}.eml").is_file()
    (row,) = run("notices", "list", "--json").document()
    assert (row["state"], row["overdue"], row["open"]) == ("sent", False, 2)
    assert notice in run("notices", "list").out
    assert len(json.loads(run("notices", "export", notice, "--format", "xarf").out)) == 2
    assert run("notices", "export", notice, "--format", "arf").out.startswith("From: ")
    bundled = run("notices", "bundle", notice, "--out", tmp_path / "b.zip", "--json").document()
    assert "manifest.json" in bundled["files"]
    assert run("notices", "inbox", "--notice", notice).out == "nothing came back\n"
    assert run("notices", "inbox", "--from", tmp_path / "out").out == "1 mails, 1 new, 0 unreadable\n"
    assert "removed" in run("report", "--out", tmp_path / "r").out
    assert run("report", "--json").document()["totals"]["notices"] == 1


def test_a_second_person_is_asked_for(run: Run) -> None:
    (draft,) = run("notices", "draft", "--json").document()["drafts"]
    done = run("--user", "anna", "notices", "approve", draft["id"])
    assert (done.code, "a second person has to approve" in done.err) == (3, True)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("notices", "show", "nope"), 2, "there is no notice 'nope'"),
        (("notices", "draft", "--instrument", "plea"), 2, "there is no instrument 'plea'"),
        (("notices", "resolve", "nope", "--reason", "x"), 2, "--arrived or --lost"),
        (("notices", "resolve", "nope", "--lost", "--reason", "x"), 2, "there is no notice"),
        (("notices", "inbox", "--from", "/nowhere"), 2, "is no directory"),
        (("notices", "show", "x", "--reveal"), 2, "--reveal needs --reason"),
        (("schedule", "add", "n", "--cron", "0 0 30 2 *", "--rechecks"), 2, "cron line"),
        (("schedule", "add", "n", "--cron", "0 2 * * *"), 2, "--campaign NAME, or --rechecks"),
        (("schedule", "pause", "n"), 2, "there is no schedule 'n'"),
        (("report", "--out", "/proc/nowhere"), 1, "give another --out"),
    ],
)
def test_what_goes_wrong_is_said_in_a_line(run: Run, words: tuple[str, ...], code: int, said: str) -> None:
    done = run(*words)
    assert done.code == code
    assert said in done.err and "Traceback" not in done.err


def test_a_schedule_from_the_command_line(run: Run) -> None:
    assert "first at" in run("schedule", "add", "night", "--cron", "30 1 * * *", "--rechecks").out
    assert "re-visits" in run("schedule", "list").out
    assert run("schedule", "run-due", "--json").document() == []
    assert run("schedule", "pause", "night").out == "schedule night is paused\n"
    assert run("schedule", "list", "--json").document()[0]["next_at"] is None
    assert run("schedule", "remove", "night").out == "schedule night is removed\n"


def test_doctor_prints_what_it_finds(run: Run) -> None:
    done = run("doctor")
    assert done.code == 1 and "no hash list is enabled" in done.out
    assert json.loads(run("doctor", "--json").out)["ok"] is False


def test_nothing_to_visit_starts_nothing(run: Run) -> None:
    found = run("recheck", "run", "--json").document()
    assert (found["rounds"], found["watched"], found["next_due_at"]) == (0, 0, None)
