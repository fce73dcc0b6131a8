"""`vangnet campaign` and `vangnet stop`: what they print, what they refuse, and what they leave on record."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path

import pytest

from crawler.cli.campaign import _print_status
from crawler.frontier.figures import FrontierState
from crawler.records import RunId
from crawler.service import actors
from crawler.store import campaigns
from crawler.store.actors import Role, add_role
from tests.cli.running import Run, runner
from tests.store.factories import ANNA, store_at

FILE = """
[campaign]
name = "nightly"
purpose = "test"
legal_basis = "none"
authorised_by = "the test"
valid_until = {until}
[identity]
user_agent = "vangnet-test"
contact = "nobody@example.org"
[scope]
countries = ["NL"]
[seeds]
urls = ["https://gallery.example/secret-album/"]
domains = ["hidden.example"]
"""


@pytest.fixture(autouse=True)
def own_keys(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One server for all tests, which spares each command a start and a stop of its own."""
    monkeypatch.setenv("REDIS_URL", server)
    monkeypatch.setenv("VANGNET_KEY_PREFIX", tmp_path.name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "nightly.toml"
    path.write_text(FILE.format(until="2099-01-01"))
    return path


@pytest.fixture
def vangnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("COLUMNS", "200")
    return runner(monkeypatch, capsys, "--home", str(tmp_path / "home"), "--settings", "settings.lab", "--user", "anna")


@pytest.fixture
def production(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(monkeypatch, capsys, "--home", str(tmp_path / "home"), "--settings", "settings.production")


def acts(run: Run) -> list[tuple[str, str]]:
    return [(event["act"], event["result"]) for event in run("audit", "list", "--json").document()]


def test_create_list_show_and_approve(vangnet: Run, file: Path) -> None:
    assert vangnet("campaign", "list").out == "no campaigns\n"
    made = vangnet("campaign", "create", file, "--json").document()
    assert (made["name"], made["state"], made["runs"], made["last_run"]) == ("nightly", "created", 0, None)
    assert vangnet("campaign", "create", file).out == "campaign nightly is created, as before\n"
    assert vangnet("campaign", "list", "--json").document() == [made]
    shown = vangnet("campaign", "show", "nightly", "--json").document()
    assert shown["author"] == "anna"
    assert shown["file"]["seeds"]["urls"] == ["https://gallery.example/secret-album/"]
    assert vangnet("campaign", "approve", "nightly").out == "campaign nightly is approved\n"
    assert vangnet("campaign", "approve", "nightly", "--json").document()["state"] == "approved"
    assert "approved" in vangnet("campaign", "list").out
    assert "secret-album" in vangnet("campaign", "show", "nightly").out
    assert acts(vangnet) == [("campaigns.save", "done"), ("campaigns.approved", "done")]


def test_another_file_under_the_name_has_to_be_meant(vangnet: Run, file: Path) -> None:
    vangnet("campaign", "create", file)
    vangnet("campaign", "approve", "nightly")
    file.write_text(FILE.format(until="2098-01-01"))
    refused = vangnet("campaign", "create", file)
    assert (refused.code, "--replace" in refused.err) == (2, True)
    assert vangnet("campaign", "create", file, "--replace", "--json").document()["state"] == "created"


def test_status_before_any_run(vangnet: Run, file: Path) -> None:
    vangnet("campaign", "create", file)
    status = vangnet("campaign", "status", "nightly", "--json").document()
    assert (status["campaign"], status["approved"], status["state"], status["run"]) == ("nightly", False, None, None)
    assert (status["dead_letters"], status["coverage"]) == ([], [])
    assert status["frontier"] == dict.fromkeys((each.name for each in fields(FrontierState)), 0)
    assert vangnet("campaign", "status", "nightly").code == 0


def test_status_shows_the_frontier_in_a_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    nothing = dict.fromkeys(("state", "started_at", "finished_at", "stops", "urls", "retried", "waiting", "counters"))
    hosts = [{"host": f"h{n}.example", "covered": 10, "waiting": 30, "share": 0.25} for n in range(12)]
    frontier = asdict(FrontierState(addresses=4, due=1, hot=2, leases=3, results=5))
    _print_status(
        nothing | {"campaign": "c", "run": 1, "dead_letters": [], "coverage": hosts, "frontier": frontier, "urls": {}}
    )
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "addresses 4 addresses, 1 due, 2 hot" in lines
    assert "frontier 3 leases, 5 results" in lines
    assert "hosts above their budgets: 12, 25% of their URLs covered" in lines
    assert "h9.example 10 30 25%" in lines
    assert not any("h10.example" in line for line in lines)


def test_a_run_that_redis_lost_is_said_to_be_lost(vangnet: Run, file: Path, tmp_path: Path) -> None:
    vangnet("campaign", "create", file)
    with store_at(tmp_path) as db:
        assert campaigns.start_run(db, ANNA, "nightly") == RunId("nightly", 1)
    assert vangnet("campaign", "status", "nightly", "--json").document()["state"] == "lost"
    assert vangnet("campaign", "resume", "nightly").code == 3


@pytest.mark.parametrize("act", ["approve", "show", "start", "pause", "resume", "stop", "status"])
def test_an_unknown_name_is_wrong_usage(vangnet: Run, act: str) -> None:
    ended = vangnet("campaign", act, "nobodys")
    assert ended.code == 2
    assert ended.err == "vangnet: there is no campaign 'nobodys'; see `vangnet campaign list`\n"


def test_what_has_no_run_cannot_be_steered(vangnet: Run, file: Path) -> None:
    vangnet("campaign", "create", file)
    for act in ("pause", "resume", "stop"):
        ended = vangnet("campaign", act, "nightly")
        assert (ended.code, "no run of campaign 'nightly' is in progress" in ended.err) == (3, True)
    assert vangnet("campaign", "start", "nightly").code == 3  # nothing to match against


def test_wrong_usage(vangnet: Run, tmp_path: Path) -> None:
    assert vangnet("campaign", "create", tmp_path / "none.toml").code == 2
    assert vangnet("campaign", "show", "x", "--reveal").code == 2
    assert vangnet("campaign", "show", "x", "--reason", "why").code == 2
    assert vangnet("campaign", "status", "x", "--reveal").code == 2
    assert vangnet("campaign", "status", "x", "--reason", "why").code == 2
    assert vangnet("stop").code == 2
    assert vangnet("stop", "--all", "--host", "a.example").code == 2
    assert vangnet("stop", "--list", "--lift").code == 2
    for host in ("http://a.example/", "a.example:80", "a.example/x", "a b", ""):
        assert vangnet("stop", "--host", host).code == 2, host
    for prefix in ("192.0.2.1/24", "everywhere", "192.0.2.0/33"):
        assert vangnet("stop", "--prefix", prefix).code == 2, prefix
    assert vangnet("stop", "--all", "--lift").code == 2
    assert vangnet("stop", "--list", "--json").document() == []


def test_stops_are_set_listed_and_lifted(vangnet: Run) -> None:
    done = vangnet("stop", "--host", "A.Example.", "--json").document()
    assert (done["changed"], done["stop"]["kind"], done["stop"]["target"]) == (True, "host", "a.example")
    assert vangnet("stop", "--host", "a.example").out == "stopped: a.example, as before\n"
    assert vangnet("stop", "--prefix", "192.0.2.0/24").out == "stopped: 192.0.2.0/24\n"
    assert vangnet("stop", "--host", "198.51.100.7").out == "stopped: 198.51.100.7/32\n"
    assert vangnet("stop", "--all").out == "stopped: everything\n"
    listed = vangnet("stop", "--list", "--json").document()
    assert [(stop["kind"], stop["target"]) for stop in listed] == [
        ("all", None),
        ("host", "a.example"),
        ("prefix", "192.0.2.0/24"),
        ("prefix", "198.51.100.7/32"),
    ]
    assert all(stop["since"] for stop in listed)
    assert "192.0.2.0/24" in vangnet("stop", "--list").out
    assert vangnet("stop", "--lift", "--all").out == "lifted: everything\n"
    assert len(vangnet("stop", "--list", "--json").document()) == 3
    events = vangnet("audit", "list", "--json").document()
    assert [event["act"] for event in events] == ["stops.set"] * 5 + ["stops.lift"]
    assert events[0]["object"] == done["stop"]["id"]
    assert "a.example" not in str(events)


def test_production_wants_a_second_person_and_masks_seeds(
    production: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actors.getpass, "getuser", lambda: "anna")
    assert production("campaign", "create", file).code == 0
    own = production("--user", "anna", "campaign", "approve", "nightly")
    assert (own.code, "second person" in own.err) == (3, True)
    shown = production("campaign", "show", "nightly", "--json")
    assert "secret-album" not in shown.out
    assert "hidden" not in shown.out
    revealed = production("campaign", "show", "nightly", "--reveal", "--reason", "to approve it", "--json").document()
    assert revealed["file"]["seeds"]["domains"] == ["hidden.example"]
    monkeypatch.setattr(actors.getpass, "getuser", lambda: "bert")
    assert production("--user", "anna", "campaign", "approve", "nightly").code == 3
    assert production("--user", "bert", "campaign", "approve", "nightly").code == 0
    assert acts(production) == [
        ("campaigns.save", "done"),
        ("campaigns.approve", "refused"),
        ("campaigns.reveal", "done"),
        ("campaigns.approved", "done"),
    ]


def test_a_campaign_that_nobody_approved_is_not_started(production: Run, file: Path) -> None:
    production("campaign", "create", file)
    ended = production("campaign", "start", "nightly")
    assert (ended.code, "not approved" in ended.err) == (3, True)


ROLES = {
    ("campaign", "create", "FILE"): {Role.OPERATOR, Role.ADMIN},
    ("campaign", "approve", "nightly"): {Role.APPROVER},
    ("campaign", "start", "nightly"): {Role.OPERATOR, Role.ADMIN},
    ("campaign", "pause", "nightly"): {Role.OPERATOR, Role.ADMIN},
    ("campaign", "resume", "nightly"): {Role.OPERATOR, Role.ADMIN},
    ("campaign", "stop", "nightly"): {Role.OPERATOR, Role.ADMIN},
    ("stop", "--all"): set(Role) - {Role.AUDITOR},
    ("stop", "--all", "--lift"): {Role.OPERATOR, Role.ADMIN},
}


@pytest.mark.parametrize("role", Role)
def test_every_act_needs_its_role(
    production: Run, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: Role
) -> None:
    monkeypatch.setattr(actors.getpass, "getuser", lambda: "anna")
    production("campaign", "create", file)
    monkeypatch.setattr(actors.getpass, "getuser", lambda: "bert")
    with store_at(tmp_path, lab=False) as db, db.write():
        add_role(db, "bert", role)
    for words, permitted in ROLES.items():
        ended = production(*(file if word == "FILE" else word for word in words))
        refused = "it takes the role" in ended.err
        assert refused == (role not in permitted), (words, ended.err)
        assert not refused or ended.code == 3
