from __future__ import annotations

import io
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from crawler.cli.governing import SAMPLES
from crawler.lab import corpus
from crawler.match.importers.synthetic import WRITERS
from crawler.records import AddressFacts, Attribution, RowMatch
from crawler.review.quarantine import FloodRule
from crawler.service import actors
from crawler.store import entries, floods, lists
from crawler.store.hits import record_many
from tests.cli.running import Ran, Run, runner
from tests.service.governed import public_pem, signed_manifest
from tests.store.factories import add_list, code_entry, image, report, store_at


@pytest.fixture
def vangnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("COLUMNS", "200")
    return runner(monkeypatch, capsys, "--home", str(tmp_path / "home"), "--settings", "settings.lab")


@pytest.fixture
def production(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def few() -> Iterator[tuple[str, bytes]]:
        yield "a server's short answer", b"OK"

    monkeypatch.setattr(corpus, "corpus", few)
    monkeypatch.setenv("COLUMNS", "200")
    run = runner(monkeypatch, capsys, "--home", str(tmp_path / "home"), "--settings", "settings.production")

    def as_account(*arguments: object) -> Ran:
        """Whoever acts is whose account it is: nobody is registered."""
        name = str(arguments[1]) if arguments[0] == "--user" else "anna"
        monkeypatch.setattr(actors.getpass, "getuser", lambda: name)
        return run(*arguments)

    return as_account


@pytest.mark.parametrize("name", SAMPLES)
def test_made_up_lists_are_recognised_and_imported(vangnet: Run, tmp_path: Path, name: str) -> None:
    path = tmp_path / "sample"
    path.write_text(vangnet("hashes", "sample", name, "--images", 30).out, "utf-8")
    done = vangnet("hashes", "import", path, "--list", "sample", "--json").document()
    assert done["format"] == name.partition("-")[0]
    assert done["entries"] >= 60
    assert done["skipped"] == {}
    again = vangnet("hashes", "sample", name, "--images", 30).out
    assert again == path.read_text("utf-8")
    assert vangnet("hashes", "sample", name, "--images", 3, "--seed", 1).out != again[:1000]


def test_every_format_has_a_sample() -> None:
    assert set(SAMPLES) == set(WRITERS)


def test_two_persons_bring_a_list_into_service(production: Run, tmp_path: Path) -> None:
    path = tmp_path / "l.txt"
    path.write_text(production("hashes", "sample", "lines", "--images", 5).out)
    anna, bert = ("--user", "anna"), ("--user", "bert")
    refused = production(*anna, "hashes", "import", path, "--list", "tulips")
    assert (refused.code, refused.out) == (3, "")
    assert "needs a manifest" in refused.err
    key = production(*anna, "hashes", "keys", "add", "owner", public_pem(tmp_path), "--json").document()
    assert production("hashes", "keys", "list", "--json").document() == [key]
    manifest = signed_manifest(tmp_path)
    said = production(*anna, "hashes", "import", path, "--list", "tulips", "--manifest", manifest)
    assert said.out.startswith("tulips version 1 (block, disabled): 20 entries\n")
    assert "another person runs `vangnet hashes enable tulips`" in said.out
    assert production(*anna, "hashes", "enable", "tulips").code == 3
    done = production(*bert, "hashes", "enable", "tulips", "--json").document()
    assert (done["enabled"], done["served"]) == (True, 1)
    assert done["trial"] == {"images": 1, "would_hit": []}
    (row,) = production("hashes", "lists", "--json").document()
    assert row["manifest"] == {
        "owner": "Tulip Hotline",
        "purpose": "tests",
        "legal_basis": "none needed: values made in code",
        "expires": "2099-12-31",
        "law": {"*": "a test's category"},
        "disclosure": {"digest": False, "code": False, "list_name": False, "distance": False},
    }
    assert "holds until" not in production("hashes", "lists").out
    assert production(*bert, "hashes", "disable", "tulips").out == "tulips: disabled\n"
    again = production(*anna, "hashes", "enable", "tulips", "--json").document()
    assert (again["enabled"], again["trial"]) == (True, None)
    assert production("hashes", "keys", "revoke", "owner").out == "owner: revoked\n"
    assert production("hashes", "keys", "revoke", "owner").code == 2
    asked = production(*anna, "hashes", "drop", "tulips", "--json").document()
    assert (asked["dropped"], asked["asked"]["by"]) == (None, "anna")
    assert production("hashes", "lists", "--json").document()[0]["drop_asked"] == asked["asked"]
    assert "anna asks to drop tulips" in production("hashes", "lists").out
    assert production(*anna, "hashes", "drop", "tulips").code == 3
    assert production(*bert, "hashes", "drop", "tulips", "--keep").out == "tulips: kept\n"
    assert "counts as before" in production(*anna, "hashes", "drop", "tulips").out
    assert production(*bert, "hashes", "drop", "tulips").out == "tulips: dropped, 20 entries deleted\n"


def test_a_manifest_that_expires_soon_is_named(production: Run, tmp_path: Path) -> None:
    path = tmp_path / "l.txt"
    path.write_text(production("hashes", "sample", "lines", "--images", 1).out)
    production("hashes", "keys", "add", "owner", public_pem(tmp_path))
    soon = (datetime.now(UTC) + timedelta(days=9)).date().isoformat()
    manifest = signed_manifest(tmp_path, expires=soon)
    assert production("hashes", "import", path, "--list", "tulips", "--manifest", manifest).code == 0
    assert f"the manifest of tulips holds until {soon}" in production("hashes", "lists").out


def test_what_the_trial_found_is_shown(production: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "corpus", lambda: iter([("a flower", b"flower")]))
    path = tmp_path / "l.txt"
    path.write_text(f"sha256 {sha256(b'flower').hexdigest()}\n")
    production("--user", "anna", "hashes", "keys", "add", "owner", public_pem(tmp_path))
    production("--user", "anna", "hashes", "import", path, "--list", "tulips", "--manifest", signed_manifest(tmp_path))
    refused = production("--user", "bert", "hashes", "enable", "tulips")
    assert refused.code == 3
    assert "a flower" in refused.out
    assert "would hit 1 of 1 harmless images" in refused.err
    done = production("--user", "bert", "hashes", "enable", "tulips", "--despite", "known to its owner", "--json")
    assert done.document()["trial"]["would_hit"][0]["image"] == "a flower"


def test_quarantine_is_shown_and_answered(vangnet: Run, tmp_path: Path) -> None:
    with store_at(tmp_path) as db:
        add_list(db, [code_entry(1), code_entry(2)])
        first, second = (row.entry for row in entries.index_rows(db, lists.all_lists(db)))
        for number in range(12):
            name, entry = f"site{number}.example", (first, second)[number % 2]
            found = image(f"image {number}", RowMatch(entry, "pdq", 12, 31))
            made = report(name, image_url=f"https://{name}/", found_at=db.clock(), found=found)
            record_many(db, [(made, Attribution(name, name, f"192.0.2.{number}", AddressFacts()))])
        assert floods.sweep(db, FloodRule(domains=6)) == [first, second]
    (row,) = vangnet("hashes", "lists", "--json").document()
    assert row["quarantined"] == 2
    assert f"alert of level 1: entry {first} of tulips is in quarantine" in vangnet("hashes", "lists").out
    waiting = vangnet("hashes", "quarantine", "list", "--json").document()
    assert [(each["entry"], each["hits"], each["alert"]) for each in waiting] == [(first, 6, 1), (second, 6, 1)]
    assert vangnet("hashes", "quarantine", "lift", first).code == 2
    said = vangnet("hashes", "quarantine", "lift", first, "--reason", "one picture, many copies")
    assert said.out == f"entry {first}: lifted, 6 hits new again\n"
    done = vangnet("hashes", "quarantine", "uphold", second, "--reason", "a logo", "--json").document()
    assert (done["state"], done["moved"], done["decided_by"]) == ("upheld", 6, "operator")
    statuses = [hit["status"] for hit in vangnet("hits", "list", "--json").document()]
    assert sorted(statuses) == ["new"] * 6 + ["rejected"] * 6
    assert "alert" not in vangnet("hashes", "lists").out
    assert vangnet("hashes", "quarantine", "lift", 99, "--reason", "x").code == 2
    verdicts = {entry["verdict"] for entry in vangnet("hashes", "feedback", "tulips", "--json").document()["entries"]}
    assert verdicts == {"disputed"}


def test_values_to_check_come_from_stdin_and_are_capped(
    vangnet: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "l.txt"
    path.write_text(vangnet("hashes", "sample", "lines", "--images", 3, "--algorithm", "sha256").out)
    vangnet("hashes", "import", path, "--list", "tulips")
    values = [line.split()[1] for line in path.read_text().splitlines()[1:]]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(values)))
    answers = vangnet("hashes", "check", "-", "--json").document()
    assert [answer["lists"] for answer in answers] == [{"tulips": 1}] * 3
    monkeypatch.setenv("VANGNET_CHECKS_PER_DAY", "4")
    assert vangnet("hashes", "check", values[0]).code == 0
    refused = vangnet("hashes", "check", values[0])
    assert (refused.code, refused.out) == (3, "")
    assert values[0] not in refused.err


def test_values_stay_out_of_messages_and_files_are_private(vangnet: Run, tmp_path: Path) -> None:
    """Whatever is wrong with a list, its digests and codes stand in no message, no log and no open file."""
    path = tmp_path / "l.txt"
    good = vangnet("hashes", "sample", "lines", "--images", 20).out
    path.write_text(good)
    assert vangnet("hashes", "import", path, "--list", "tulips").code == 0
    values = [line.split()[1] for line in good.splitlines()[1:]]
    spoilt = {
        "long": good.replace(values[5], values[5] + "00"),
        "odd": good.replace(values[6], values[6][:-1]),
        "unknown": good.replace("sha1", "sha9"),
        "words": good.replace("md5 ", "md5 md5 "),
    }
    said = []
    for content in spoilt.values():
        path.write_text(content)
        ended = vangnet("--verbose", "hashes", "import", path, "--list", "tulips", "--format", "lines")
        assert (ended.code, ended.out) == (2, "")
        said.append(ended.err)
    said.append(vangnet("hashes", "check", values[0] + "zz").err)
    said.append(vangnet("hashes", "lists").out + vangnet("hashes", "lists", "--json").out)
    said.append(vangnet("audit", "list", "--json").out)
    home = tmp_path / "home"
    said += [log.read_text("utf-8") for log in (home / "logs").rglob("*") if log.is_file()]
    for text in said:
        assert not any(value in text or value.upper() in text or value[:-1] in text for value in values)
    for file in home.rglob("*"):
        if file.name != "home.json":
            assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file.name


def test_a_campaign_for_known_pages(vangnet: Run) -> None:
    refused = vangnet("hashes", "revisit", "nightly")
    assert refused.code == 2
    assert "no campaign 'nightly'" in refused.err
