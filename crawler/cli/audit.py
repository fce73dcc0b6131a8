"""`vangnet audit`: the record of who did what."""

from __future__ import annotations

from pathlib import Path

import click

from crawler.cli.context import JSON_OPTION, Globals, emit


@click.group()
def audit() -> None:
    """Verify and read the audit record."""


@audit.command()
@click.option("--heads", type=click.Path(path_type=Path), help="Heads kept elsewhere; default: VANGNET_AUDIT_HEADS.")
@JSON_OPTION
@click.pass_obj
def verify(globals_: Globals, heads: Path | None, as_json: bool) -> None:
    """Walk the chain: was an event changed, removed, inserted or moved? Exits with 1 when it was."""
    from crawler.service import audit as service
    from crawler.service.session import open_session

    options = globals_.options()
    kept = heads or _directory(options.audit_heads)
    with open_session(globals_.open_home(options), globals_.user) as at:
        verdict = service.verify(at.db, at.actor, kept=kept)
    if as_json:
        problem = {"serial": verdict.serial, "problem": verdict.problem}
        emit({"intact": verdict.intact, "events": verdict.events} | problem)
    elif verdict.intact:
        click.echo(f"intact: {verdict.events} events")
    else:
        click.echo(f"broken at event {verdict.serial}: {verdict.problem} ({verdict.events} events)")
    if not verdict.intact:
        raise click.exceptions.Exit(1)


@audit.command()
@click.option("--out", type=click.Path(path_type=Path), help="The auditor's directory; default: VANGNET_AUDIT_HEADS.")
@JSON_OPTION
@click.pass_obj
def head(globals_: Globals, out: Path | None, as_json: bool) -> None:
    """Write today's signed head of the chain into the auditor's directory, once a day."""
    from crawler.service import audit as service
    from crawler.service.session import open_session

    options = globals_.options()
    directory = out or _directory(options.audit_heads)
    if directory is None:
        raise click.UsageError("give --out, or set VANGNET_AUDIT_HEADS")
    with open_session(globals_.open_home(options), globals_.user) as at:
        done = service.publish(at.db, at.actor, directory)
    if as_json:
        emit(done)
    else:
        click.echo(f"written: {done['file']}" if done["file"] else "there is a head of today already")


def _directory(text: str) -> Path | None:
    return Path(text) if text else None


@audit.command(name="list")
@click.option("--last", type=click.IntRange(min=1), help="Only so many, the latest.")
@click.option("--object", "object_id", help="Only those about this object, by its id.")
@JSON_OPTION
@click.pass_obj
def list_(globals_: Globals, last: int | None, object_id: str | None, as_json: bool) -> None:
    """List events in order."""
    from crawler.cli.tables import print_table
    from crawler.service import audit as service
    from crawler.service.session import open_session

    with open_session(globals_.open_home(), globals_.user) as at:
        events = service.events(at.db, at.actor, last=last, object_id=object_id)
    if as_json:
        emit(events)
        return
    names = ("serial", "at", "actor", "act", "object", "result")
    print_table(names, ([event[name] for name in names] for event in events), empty="no events yet")
