"""`vangnet schedule`: what runs by itself, every night."""

from __future__ import annotations

import time
from typing import Any

import click

from crawler.cli.context import JSON_OPTION, Globals, emit

_LONGEST_REST = 30.0
_COLUMNS = ("name", "what", "cron", "zone", "paused", "next_at", "last")


@click.group()
def schedule() -> None:
    """Plan nightly crawls and re-visits, and run what is due."""


@schedule.command()
@click.argument("name")
@click.option("--cron", required=True, help='Five fields: minute hour day month weekday, as in "30 1 * * *".')
@click.option("--campaign", help="The kept campaign to crawl.")
@click.option("--rechecks", is_flag=True, help="Instead: visit again what is due.")
@click.option("--zone", default="Europe/Amsterdam", show_default=True, help="The time zone that the line is read in.")
@click.option(
    "--window", "hours", type=float, default=6.0, show_default=True, help="Hours to catch up a missed run in."
)
@click.option("--workers", type=int, default=1, show_default=True, help="Of this machine; 0: those of the deployment.")
@JSON_OPTION
@click.pass_obj
def add(
    context: Globals,
    *,
    name: str,
    cron: str,
    campaign: str | None,
    rechecks: bool,
    zone: str,
    hours: float,
    workers: int,
    as_json: bool,
) -> None:
    """Plan a campaign, or the re-visits, under a NAME."""
    from crawler.service import schedule as service
    from crawler.service.session import open_session

    if (campaign is None) is not rechecks:
        raise click.UsageError("give --campaign NAME, or --rechecks")
    with open_session(context.open_home(), context.user) as at:
        done = service.add_schedule(
            at.db, at.actor, name, cron, campaign=campaign, zone=zone, window_hours=hours, workers=workers
        )
    if as_json:
        emit(done)
    else:
        click.echo(f"schedule {name}: first at {done['next_at']}")


@schedule.command(name="list")
@JSON_OPTION
@click.pass_obj
def list_(context: Globals, *, as_json: bool) -> None:
    """List schedules with their next and last times."""
    from crawler.cli.tables import print_table
    from crawler.service import schedule as service
    from crawler.service.session import open_session

    with open_session(context.open_home(), context.user) as at:
        found = service.list_schedules(at.db, at.actor)
    if as_json:
        emit(found)
    else:
        print_table(_COLUMNS, map(_line, found), empty="no schedules")


@schedule.command()
@click.argument("name")
@click.option("--off", is_flag=True, help="Let it go on.")
@click.pass_obj
def pause(context: Globals, *, name: str, off: bool) -> None:
    """Pause a schedule; --off lets it go on."""
    from crawler.service import schedule as service
    from crawler.service.session import open_session

    with open_session(context.open_home(), context.user) as at:
        service.pause_schedule(at.db, at.actor, name, paused=not off)
    click.echo(f"schedule {name} {'goes on' if off else 'is paused'}")


@schedule.command()
@click.argument("name")
@click.pass_obj
def remove(context: Globals, *, name: str) -> None:
    """End a schedule; its history stays."""
    from crawler.service import schedule as service
    from crawler.service.session import open_session

    with open_session(context.open_home(), context.user) as at:
        service.remove_schedule(at.db, at.actor, name)
    click.echo(f"schedule {name} is removed")


@schedule.command(name="run-due")
@JSON_OPTION
@click.pass_obj
def run_due(context: Globals, *, as_json: bool) -> None:
    """Run what is due, once per planned time. For a timer. Exits with 1 when a run failed."""
    done, _ = _run_what_is_due(context)
    if as_json:
        emit(done)
    else:
        _say(done)
    if any(row["result"] == "failed" for row in done):
        raise click.exceptions.Exit(1)


@schedule.command()
@click.pass_obj
def loop(context: Globals) -> None:
    """Run what is due whenever its time comes, until Ctrl-C."""
    while True:
        done, upcoming = _run_what_is_due(context)
        _say(done)
        if any(row["result"] == "interrupted" for row in done):
            raise click.exceptions.Exit(130)
        rest = _LONGEST_REST if upcoming is None else upcoming - time.time()
        time.sleep(min(max(rest, 0.1), _LONGEST_REST))


def _run_what_is_due(context: Globals) -> tuple[list[dict[str, Any]], float | None]:
    """What was done, and when the next time comes. A server is started only when something is due."""
    from crawler.service import schedule as service
    from crawler.service.embedded import server_of
    from crawler.service.session import open_session

    options = context.options()
    home = context.open_home(options)
    with open_session(home, context.user) as at:
        done: list[dict[str, Any]] = []
        if service.anything_due(at.db):
            with server_of(home, options) as url:
                done = service.run_due(service.Duty(home, options, at.db, at.actor, context.settings, url))
        return done, service.next_planned(at.db)


def _say(done: list[dict[str, Any]]) -> None:
    for row in done:
        detail = f": {row['detail']}" if row["detail"] else ""
        click.echo(f"{row['schedule']} planned at {row['planned_at']}: {row['result']}{detail}")


def _line(row: dict[str, Any]) -> list[object]:
    last = row["runs"][0] if row["runs"] else None
    what = row["campaign"] or "re-visits"
    shown = None if last is None else f"{last['result'] or 'running'} ({last['planned_at']})"
    return [row["name"], what, row["cron"], row["zone"], row["paused"], row["next_at"], shown]
