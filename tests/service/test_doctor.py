from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from redis import Redis

from crawler.bus.server import start_server, stop_server
from crawler.errors import InvalidInput, NotAuthorised, RedisUnavailable
from crawler.fetch import surroundings
from crawler.home import open_home
from crawler.service import machine
from crawler.service.actors import identify
from crawler.service.campaigns import stored_campaign
from crawler.service.doctor import (
    CHECKS,
    check_files,
    check_notices,
    check_record,
    check_schedule,
    check_server,
    examine,
)
from crawler.service.findings import Finding, Level, Look
from crawler.service.heads import publish
from crawler.store import audit, campaigns
from crawler.store.database import Database, open_store
from tests.service.noticed import OPTIONS
from tests.store.factories import ANNA, add_list, digest_entry, home_at

Findings = list[dict[str, str]]

DOCUMENT = """
[campaign]
name = "{name}"
purpose = "test"
legal_basis = "test"
authorised_by = "test"
valid_until = 2099-01-01
[scope]
prefixes = ["127.0.0.0/8"]
[seeds]
urls = ["http://127.0.0.1/"]
[network]
nameservers = ["{server}"]
allow_private = true
"""


def look(db: Database, **options: object) -> Look:
    return Look(db.home, replace(OPTIONS, **options), db, db.clock())


def levels(found: list[Finding]) -> list[tuple[str, str]]:
    return [(each.check, each.level.value) for each in found]


def test_every_finding_says_how_to_mend_it(tmp_path: Path) -> None:
    found = examine(open_home(tmp_path / "home", lab=False), replace(OPTIONS, lab=False, authority=""), None)
    assert not found["ok"]
    by_check = {each["check"]: each for each in found["findings"]}
    assert by_check["lists"]["level"] == "problem"
    assert by_check["people"]["level"] == by_check["notices"]["level"] == "warning"
    assert {"database", "files", "disk", "data", "server", "open-files", "browser", "schedule"} <= by_check.keys()
    assert all(each["mend"] for each in found["findings"] if each["level"] != "ok")


def test_with_a_list_nothing_stands_in_the_way(tmp_path: Path) -> None:
    with open_store(home_at(tmp_path)) as db:
        add_list(db, [digest_entry("a")])
        home = db.home
    found = examine(home, OPTIONS, None)
    assert found["ok"], found


def test_somebody_else_has_to_know_where_the_record_ends(tmp_path: Path) -> None:
    heads = tmp_path / "heads"
    heads.mkdir()
    with open_store(home_at(tmp_path, lab=False)) as db:
        assert levels(check_record(look(db))) == [("record", "warning")]
        with db.write():
            audit.append(db, ANNA, "act", "object")
        kept = look(db, audit_heads=str(heads))
        assert levels(check_record(kept)) == [("record", "problem")]
        written = publish(db, heads)
        assert written is not None and levels(check_record(kept)) == [("record", "ok")]
        written.chmod(0o600)
        written.write_text(written.read_text().replace("signature", "forged"))
        with pytest.raises(InvalidInput, match="no head"):
            check_record(kept)


def test_a_damaged_database_is_a_finding_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    home.database.write_bytes(b"no database at all" * 100)
    found = examine(home, OPTIONS, None)["findings"]
    assert found[0]["check"] == "database" and found[0]["level"] == "problem"
    assert "restore it from a backup" in found[0]["what"]
    assert any(each["check"] == "open-files" for each in found)


def test_a_check_that_fails_is_a_finding(tmp_path: Path) -> None:
    def check_the_moon(look: Look) -> list[Finding]:
        raise RedisUnavailable("the moon is away; wait")

    (_, found) = examine(home_at(tmp_path), OPTIONS, None, checks=[check_the_moon])["findings"]
    assert (found["check"], found["level"], found["what"]) == ("the-moon", "problem", "the moon is away; wait")


def test_keys_that_others_can_read_are_a_problem(db: Database) -> None:
    assert levels(check_files(look(db))) == [("files", "ok")]
    (db.home.keys / "worker").write_text("x")
    (db.home.keys / "worker").chmod(0o644)
    db.home.logs.chmod(0o755)
    assert levels(check_files(look(db))) == [("files", "problem"), ("files", "problem")]


def test_a_server_that_forgets_is_a_problem(db: Database) -> None:
    with TemporaryDirectory(prefix="vg") as directory:
        running = start_server(Path(directory), Path(directory) / "s.sock")
        there = look(db, redis_url=running.url)
        try:
            assert levels(check_server(there)) == [("server", "ok"), ("clock", "ok")]
            with Redis(unix_socket_path=str(running.socket)) as server:
                for name, value in (
                    ("appendonly", "no"),
                    ("appendfsync", "no"),
                    ("maxmemory-policy", "allkeys-lru"),
                ):
                    server.config_set(name, value)
            *found, clock = check_server(there)
        finally:
            stop_server(running)
    assert {each.level for each in found} == {Level.PROBLEM} and clock.level is Level.OK
    said = [each.what for each in found]
    assert len(said) == 3
    for part, text in zip(("keeps nothing", "leaves it to chance", "throws data away"), said, strict=True):
        assert part in text


def test_a_server_that_is_away_or_cannot_be_is_a_finding(db: Database) -> None:
    for url, said in (
        ("redis://127.0.0.1:1/0", "check REDIS_URL"),
        ("redis://127.0.0.1:65536/0", "PORT from 1 to 65535"),
    ):
        found = examine(db.home, replace(OPTIONS, redis_url=url), None, checks=[check_server])
        assert not found["ok"]
        assert said in str(found["findings"])


def test_what_is_planned_and_how_it_went(db: Database) -> None:
    assert levels(check_schedule(look(db))) == [("schedule", "warning")]
    with db.write():
        db.execute("INSERT INTO actors (name, kind, created_at) VALUES ('anna', 'person', 0)")
        db.execute(
            "INSERT INTO schedules (name, campaign, cron, zone, window, workers, created_at, created_by) "
            "VALUES ('n', 'c', '0 2 * * *', 'Europe/Amsterdam', 60, 1, 0, 'anna')"
        )
    assert levels(check_schedule(look(db))) == [("schedule", "ok")]
    with db.write():
        db.execute("INSERT INTO schedule_runs (schedule, planned_at, started_at, result) VALUES ('n', 1, 1, 'missed')")
    (found,) = check_schedule(look(db))
    assert "was missed" in found.what


def test_notices_without_a_way_out_are_said(db: Database) -> None:
    production = replace(look(db), home=replace(db.home, lab=False))
    assert [each.what for each in check_notices(production)] == ["they have no way out yet"]
    assert levels(check_notices(look(db))) == [("notices", "ok")]


def test_checks_have_names() -> None:
    assert all(check.__name__.startswith("check_") for check in CHECKS)


def test_not_everybody_may_look(db: Database) -> None:
    from crawler.store.actors import Role, add_role

    with open_store(open_home(db.home.root.parent / "other", lab=False)) as other:
        with other.write():
            add_role(other, "somebody-else", Role.ADMIN)
        home = other.home
    with pytest.raises(NotAuthorised):
        examine(home, OPTIONS, None)


def test_proxies_and_a_missing_certificate_store_are_known(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:geheim@proxy:1")
    monkeypatch.setattr(surroundings, "certificate_store", partial(surroundings.certificate_store, lambda: ()))
    found = machine.check_network(look(db))
    assert levels(found) == [("proxy", "warning"), ("certificates", "warning")]
    assert "HTTPS_PROXY" in found[0].what and "geheim" not in str(found)
    assert found[1].mend == "install ca-certificates"


def test_an_address_family_that_is_missing_is_known_outside_the_lab(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    four_only = partial(surroundings.address_families, lambda family, _: family == socket.AF_INET)
    monkeypatch.setattr(surroundings, "address_families", four_only)
    found = machine.check_network(look(db, lab=False))
    assert levels(found)[2:] == [("network", "ok"), ("network", "warning")]
    assert "IPv6" in found[3].what and found[3].mend


def test_too_few_open_files_are_a_problem(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.resource, "getrlimit", lambda _: (64, 100))
    (found,) = machine.check_open_files(look(db))
    assert found.level.value == "problem" and "ulimit -n" in found.mend
    # A worker raises its own limit as far as it may.
    monkeypatch.setattr(machine.resource, "getrlimit", lambda _: (64, 100_000))
    assert levels(machine.check_open_files(look(db))) == [("open-files", "ok")]


def test_a_campaigns_nameserver_that_is_down_is_a_problem(db: Database) -> None:
    assert machine.check_nameservers(look(db)) == []  # a lab without campaigns asks nobody
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        silent = f"127.0.0.1:{deaf.getsockname()[1]}"
        text = DOCUMENT.format(name="n", server=silent)
        actor = identify(db, None)
        campaigns.save(db, actor, "n", text, "0" * 64)
        (found,) = machine.check_nameservers(look(db))
        (line,) = asyncio.run(machine.silent_nameservers(stored_campaign(db, "n", lab=True), lab=True))
    assert silent in line and "network.nameservers" in line  # what `vangnet crawl` says while it begins
    assert (found.check, found.level.value) == ("nameserver", "problem")
    assert silent in found.what and "network.nameservers" in found.mend
