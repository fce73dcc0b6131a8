from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from crawler.errors import CampaignInvalid, InvalidInput, NotAuthorised, Refused, StoreUnavailable
from crawler.service import schedule as service
from crawler.service.launch import alone
from crawler.service.planned import ZONE, check_line, next_after, planned
from crawler.service.schedule import Duty
from crawler.store import audit, schedules
from crawler.store.actors import Actor, Role
from crawler.store.database import Database
from tests.service.noticed import ANALYST, OPTIONS

HOUR = 3600.0
Ran = list[tuple[str, str | None]]


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)).timestamp()


def local(times: list[float]) -> list[str]:
    return [datetime.fromtimestamp(time, ZoneInfo(ZONE)).isoformat() for time in times]


@pytest.mark.parametrize(
    ("cron", "day", "times"),
    [
        ("30 2 * * *", "2026-03-28T12:00", ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]),
        ("30 2 * * *", "2026-10-24T12:00", ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]),
        ("0 1 * * *", "2026-10-24T12:00", ["2026-10-25T01:00:00+02:00", "2026-10-26T01:00:00+01:00"]),
    ],
)
def test_a_night_is_a_night_when_the_clocks_change(cron: str, day: str, times: list[str]) -> None:
    assert local(planned(cron, ZONE, after=at(day), until=at(day) + 45 * HOUR)) == times


@pytest.mark.parametrize("cron", ["0 0 30 2 *", "0 0 31 4 *", "61 * * * *", "x", "* * * * * *", "", "0 0 31 4,6 *"])
def test_a_line_that_never_fires_is_refused(cron: str) -> None:
    with pytest.raises(InvalidInput, match="cron line"):
        check_line(cron, ZONE, 0.0)


def test_a_leap_day_fires_in_its_own_time() -> None:
    assert local([check_line("0 3 29 2 *", ZONE, at("2096-03-01T00:00"))]) == ["2104-02-29T03:00:00+01:00"]
    with pytest.raises(InvalidInput, match="no time zone"):
        next_after("0 3 * * *", "Europe/Atlantis", 0.0)


class Clock:
    now = at("2026-06-01T12:00")

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def duty(db: Database, monkeypatch: pytest.MonkeyPatch) -> Duty:
    """What is due is noted, and not run."""
    db.clock = Clock()
    monkeypatch.setattr(service, "_run", lambda duty, schedule: ("done", schedule.campaign))
    return Duty(db.home, OPTIONS, db, ANALYST, "settings.lab", "")


def results(done: list[dict[str, object]]) -> list[object]:
    return [row["result"] for row in done]


def nightly(db: Database, **more: object) -> None:
    service.add_schedule(db, ANALYST, "night", "0 2 * * *", campaign=None, **more)


def later(db: Database, hours: float) -> None:
    assert isinstance(db.clock, Clock)
    db.clock.now += hours * HOUR


def test_each_planned_time_runs_once(db: Database, duty: Duty) -> None:
    nightly(db)
    assert not service.anything_due(db) and service.run_due(duty) == []
    later(db, 14.5)
    assert service.anything_due(db)
    assert results(service.run_due(duty)) == ["done"]
    assert not service.anything_due(db) and service.run_due(duty) == []
    (shown,) = service.list_schedules(db, ANALYST)
    assert shown["next_at"] == "2026-06-03T00:00:00.000Z"
    assert shown["runs"][0]["result"] == "done"
    with pytest.raises(StoreUnavailable, match="UNIQUE"), db.write():
        db.execute(
            "INSERT INTO schedule_runs (schedule, planned_at, started_at) "
            "SELECT schedule, planned_at, 1 FROM schedule_runs"
        )


def test_a_missed_run_is_caught_up_within_its_window_once(db: Database, duty: Duty) -> None:
    service.add_schedule(db, ANALYST, "often", "0 */2 * * *", campaign=None, window_hours=5.0)
    later(db, 12.5)
    assert results(service.run_due(duty)) == ["missed", "missed", "missed", "superseded", "superseded", "done"]


def test_what_was_missed_for_longer_is_noted_and_not_run(db: Database, duty: Duty) -> None:
    nightly(db, window_hours=1.0)
    later(db, 20)
    assert results(service.run_due(duty)) == ["missed"]
    later(db, 24 * 2000)
    assert set(results(service.run_due(duty))) == {"missed"}


def test_a_paused_schedule_rests(db: Database, duty: Duty) -> None:
    nightly(db)
    service.pause_schedule(db, ANALYST, "night", paused=True)
    later(db, 15)
    assert service.run_due(duty) == [] and service.next_planned(db) is None
    service.pause_schedule(db, ANALYST, "night", paused=False)
    assert results(service.run_due(duty)) == ["done"]
    service.remove_schedule(db, ANALYST, "night")
    later(db, 24)
    assert service.run_due(duty) == [] and service.list_schedules(db, ANALYST) == []
    with pytest.raises(InvalidInput, match="there is, or was"):
        nightly(db)
    with pytest.raises(InvalidInput, match="no schedule 'night'"):
        service.remove_schedule(db, ANALYST, "night")


def test_two_timers_at_once_run_it_once(db: Database, duty: Duty) -> None:
    nightly(db)
    later(db, 15)
    with alone(db.home, "~schedule-night", patience=0.0):
        assert service.run_due(duty) == []
    assert results(service.run_due(duty)) == ["done"]


def test_a_run_whose_process_died_is_shown_as_such(db: Database, duty: Duty, monkeypatch: pytest.MonkeyPatch) -> None:
    nightly(db)
    later(db, 15)

    def die(*_: object) -> Ran:
        raise KeyboardInterrupt

    monkeypatch.setattr(service, "_run", die)
    with pytest.raises(KeyboardInterrupt):
        service.run_due(duty)
    assert service.list_schedules(db, ANALYST)[0]["runs"][0]["result"] is None
    assert service.run_due(duty) == []
    assert service.list_schedules(db, ANALYST)[0]["runs"][0]["result"] == "interrupted"


def test_a_crawl_that_goes_on_is_an_overlap(db: Database) -> None:
    duty = Duty(db.home, OPTIONS, db, ANALYST, "settings.lab", "")
    with alone(db.home, "night-nl", patience=0.0):
        assert service._crawl(duty, "night-nl", 1)[0] == "overlap"
    with pytest.raises(CampaignInvalid, match="there is no campaign"):
        service._crawl(duty, "night-nl", 1)


def test_a_run_that_fails_keeps_nobody_else_from_running(
    db: Database, duty: Duty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    db.clock = Clock()

    def fail(*_: object, **__: object) -> object:
        raise Refused("not approved")

    monkeypatch.setattr(service, "run_rechecks", fail)
    nightly(db)
    service.add_schedule(db, ANALYST, "zwei", "0 2 * * *", campaign=None)
    later(db, 15)
    done = service.run_due(duty)
    assert [(row["schedule"], row["result"], row["detail"]) for row in done] == [
        ("night", "failed", "not approved"),
        ("zwei", "failed", "not approved"),
    ]
    acts = [event["act"] for event in audit.events(db)]
    assert acts.count("schedules.run") == 2


@pytest.mark.parametrize(
    "wrong", [{"name": "a b"}, {"window_hours": 0.0}, {"workers": 65}, {"zone": "x"}, {"cron": "0 0 30 2 *"}]
)
def test_bad_schedules_are_refused(db: Database, wrong: dict[str, object]) -> None:
    given = {"name": "n", "cron": "0 2 * * *", "campaign": None} | wrong
    with pytest.raises(InvalidInput):
        service.add_schedule(db, ANALYST, given.pop("name"), given.pop("cron"), **given)
    with pytest.raises(CampaignInvalid):
        service.add_schedule(db, ANALYST, "n", "0 2 * * *", campaign="nothing")
    assert schedules.schedules(db) == []


def test_an_analyst_plans_nothing(db: Database, tmp_path: Path) -> None:
    with pytest.raises(NotAuthorised):
        service.add_schedule(db, Actor("an", frozenset({Role.ANALYST})), "n", "0 2 * * *", campaign=None)
