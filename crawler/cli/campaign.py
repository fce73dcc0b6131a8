"""`vangnet campaign`: from a file to a run, and how it stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from crawler.cli.context import JSON_OPTION, Globals, emit, remark

_NAME = click.argument("name")
_LISTED = ("name", "state", "runs", "last run", "changed at")
_LETTER = ("kind", "reason", "url")
_HOSTS = 10
_ADDRESSES = ("addresses", "due", "waiting", "busy", "hot", "slowed")
_FRONTIER = ("queues", "leases", "delayed", "parked", "discoveries", "results")


@click.group()
def campaign() -> None:
    """Create, approve, start, steer and follow campaigns."""


@campaign.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="The file replaces another one of the same name.")
@JSON_OPTION
@click.pass_obj
def create(globals_: Globals, file: Path, *, replace: bool, as_json: bool) -> None:
    """Validate FILE and keep it under its campaign's name. In production a second person approves it then."""
    from crawler.service.campaigns import create_campaign
    from crawler.service.session import open_session

    options = globals_.options()
    with open_session(globals_.open_home(options), globals_.user) as at:
        made, changed = create_campaign(at.db, at.actor, file, lab=options.lab, replace=replace)
    if as_json:
        emit(made)
    else:
        click.echo(f"campaign {made['name']} is {made['state']}{'' if changed else ', as before'}")


@campaign.command()
@click.argument("file", type=click.Path(path_type=Path))
@JSON_OPTION
@click.pass_obj
def plan(globals_: Globals, file: Path, *, as_json: bool) -> None:
    """Count what FILE would have a crawl ask for, before anything is sent."""
    from crawler.service.plan import plan_campaign

    options = globals_.options()
    found = plan_campaign(globals_.open_home(options), file, lab=options.lab, progress=_told)
    if as_json:
        emit(found)
    else:
        _print_plan(found)


@campaign.command()
@_NAME
@JSON_OPTION
@click.pass_obj
def approve(globals_: Globals, name: str, *, as_json: bool) -> None:
    """Approve a campaign's file as it stands; in production not one's own."""
    from crawler.service.campaigns import approve_campaign
    from crawler.service.session import open_session

    with open_session(globals_.open_home(), globals_.user) as at:
        done = approve_campaign(at.db, at.actor, name)
    if as_json:
        emit(done)
    else:
        click.echo(f"campaign {name} is {done['state']}")


@campaign.command(name="list")
@JSON_OPTION
@click.pass_obj
def list_(globals_: Globals, *, as_json: bool) -> None:
    """List the campaigns by name."""
    from crawler.cli.tables import print_table
    from crawler.service.campaigns import list_campaigns
    from crawler.service.session import open_session

    with open_session(globals_.open_home(), globals_.user) as at:
        found = list_campaigns(at.db, at.actor)
    if as_json:
        emit(found)
    else:
        print_table(_LISTED, map(_line, found), empty="no campaigns")


@campaign.command()
@_NAME
@click.option("--reveal", is_flag=True, help="Show seeds as they are; noted in the audit record.")
@click.option("--reason", help="Why they have to be seen.")
@JSON_OPTION
@click.pass_obj
def show(globals_: Globals, name: str, *, reveal: bool, reason: str | None, as_json: bool) -> None:
    """Show a campaign's file and its runs."""
    from crawler.service.campaigns import show_campaign
    from crawler.service.session import open_session

    if reveal != bool(reason and reason.strip()):
        raise click.UsageError("--reveal and --reason go together: why the seeds have to be seen")
    options = globals_.options()
    with open_session(globals_.open_home(options), globals_.user) as at:
        found = show_campaign(at.db, at.actor, name, lab=options.lab, reveal_reason=reason)
    if as_json:
        emit(found)
    else:
        _print_campaign(found)


@campaign.command()
@_NAME
@JSON_OPTION
@click.pass_obj
def start(globals_: Globals, name: str, *, as_json: bool) -> None:
    """Start a run for the workers at REDIS_URL; `vangnet crawl` brings its own workers."""
    from crawler.service.deployment import Server
    from crawler.service.embedded import server_of
    from crawler.service.session import open_session
    from crawler.service.start import start_campaign

    options = globals_.options()
    home = globals_.open_home(options)
    with open_session(home, globals_.user) as at, server_of(home, options) as url:
        done = start_campaign(home, at.db, at.actor, Server(options, url), name, say=remark)
    if not options.redis_url:
        click.echo("the home's own server has no workers of its own: `vangnet crawl FILE` takes the run up", err=True)
    _steered(done, as_json)


@campaign.command()
@_NAME
@JSON_OPTION
@click.pass_obj
def pause(globals_: Globals, name: str, *, as_json: bool) -> None:
    """Let no request of a campaign leave until it is resumed, on no machine."""
    from crawler.service.steer import pause_campaign

    _steered(_steer(globals_, name, pause_campaign), as_json)


@campaign.command()
@_NAME
@JSON_OPTION
@click.pass_obj
def resume(globals_: Globals, name: str, *, as_json: bool) -> None:
    """Let a paused or stopped campaign go on."""
    from crawler.service.steer import resume_campaign

    _steered(_steer(globals_, name, resume_campaign), as_json)


@campaign.command()
@_NAME
@JSON_OPTION
@click.pass_obj
def stop(globals_: Globals, name: str, *, as_json: bool) -> None:
    """End the crawl of a campaign wherever it goes on; it can be resumed, and nothing is lost."""
    from crawler.service.steer import stop_campaign

    _steered(_steer(globals_, name, stop_campaign), as_json)


@campaign.command()
@_NAME
@click.option("--letters", type=click.IntRange(0, 10_000), default=20, show_default=True, help="Dead letters at most.")
@click.option("--reveal", is_flag=True, help="Show URLs and hosts as they are; noted in the audit record.")
@click.option("--reason", help="Why they have to be seen.")
@JSON_OPTION
@click.pass_obj
def status(globals_: Globals, name: str, *, letters: int, reveal: bool, reason: str | None, as_json: bool) -> None:
    """Show how the latest run of a campaign stands, with the newest URLs that ended as failed."""
    from crawler.service.steer import campaign_status

    if reveal != bool(reason and reason.strip()):
        raise click.UsageError("--reveal and --reason go together: why the URLs have to be seen")

    def look(*arguments: Any) -> dict[str, Any]:
        return campaign_status(*arguments, letters=letters, reveal_reason=reason)

    found = _steer(globals_, name, look)
    if as_json:
        emit(found)
    else:
        _print_status(found)


def _steer(globals_: Globals, name: str, act: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    from crawler.service.deployment import Server
    from crawler.service.embedded import server_of
    from crawler.service.session import open_session

    options = globals_.options()
    home = globals_.open_home(options)
    with open_session(home, globals_.user) as at, server_of(home, options) as url:
        return act(at.db, at.actor, Server(options, url), name)


def _steered(done: dict[str, Any], as_json: bool) -> None:
    if as_json:
        emit(done)
    else:
        click.echo(f"run {done['campaign']}#{done['run']} is {done['state']}")


def _line(row: dict[str, Any]) -> list[object]:
    last = row["last_run"]
    shown = None if last is None else last["finished_at"] or f"since {last['started_at']}"
    return [row["name"], row["state"], row["runs"], shown, row["changed_at"]]


def _told(seeds: int) -> None:
    click.echo(f"{seeds:,} seeds read", err=True)


def _print_plan(found: dict[str, Any]) -> None:
    from crawler.cli.tables import print_facts

    print_facts((key, found[key]) for key in ("campaign", "seeds", "hosts", "addresses"))
    print_facts((f"requests, {key}", n) for key, n in found["requests"].items())
    print_facts((f"hours, {key}", n) for key, n in found["hours"].items())
    print_facts((f"excluded {key}", ", ".join(values) or None) for key, values in found["exclusions"].items())
    if found["sweep"]:
        print_facts((f"sweep: {key}", value) for key, value in found["sweep"].items() if key != "out_of_scope")
        print_facts((f"sweep: out of scope, {key}", value) for key, value in found["sweep"]["out_of_scope"].items())


def _print_campaign(found: dict[str, Any]) -> None:
    from crawler.cli.tables import print_facts, print_table

    print_facts([(key, found[key]) for key in ("name", "state", "author", "created_at", "changed_at", "sha256")])
    for section, keys in found["file"].items():
        click.echo(f"\n{section}")
        print_facts((key, value) for key, value in keys.items() if value not in ([], "", None))
    click.echo("\nruns")
    columns = ("run", "started_at", "finished_at")
    print_table(columns, ([run[key] for key in columns] for run in found["history"]), empty="none")


def _print_status(found: dict[str, Any]) -> None:
    from crawler.cli.tables import print_facts, print_table

    run = None if found["run"] is None else f"{found['campaign']}#{found['run']}"
    print_facts([("run", run), *((key, found[key]) for key in ("state", "started_at", "finished_at"))])
    if found["stops"]:
        click.echo(f"emergency stops in force: {found['stops']}; see `vangnet stop --list`")
    urls = found["urls"] or {}
    if urls:
        print_facts((key, urls[key]) for key in ("discovered", "fetched", "pending"))
    for title in ("failed", "skipped"):
        print_facts((f"{title}: {reason}", n) for reason, n in sorted(urls.get(title, {}).items()))
    for title in ("retried", "waiting", "counters"):
        print_facts((f"{title}: {reason}", n) for reason, n in sorted((found[title] or {}).items()))
    _print_frontier(found)
    if found["dead_letters"]:
        click.echo("\nnewest dead letters")
        print_table(_LETTER, ([letter[key] for key in _LETTER] for letter in found["dead_letters"]), empty="none")


def _print_frontier(found: dict[str, Any]) -> None:
    """The whole frontier in a line or two, and the hosts that are covered over nights, those with most left first."""
    from crawler.cli.tables import print_facts, print_table

    groups = (("addresses", _ADDRESSES), ("frontier", _FRONTIER))
    shown = ((title, [f"{n} {name}" for name in names if (n := found["frontier"][name])]) for title, names in groups)
    print_facts((title, ", ".join(words)) for title, words in shown if words)
    if hosts := found["coverage"]:
        known = sum(host["covered"] + host["waiting"] for host in hosts)
        covered = sum(host["covered"] for host in hosts)
        click.echo(f"\nhosts above their budgets: {len(hosts)}, {covered / max(known, 1):.0%} of their URLs covered")
        rows = ([host["host"], host["covered"], host["waiting"], f"{host['share']:.0%}"] for host in hosts[:_HOSTS])
        print_table(("host", "covered", "waiting", "share"), rows, empty="none")
