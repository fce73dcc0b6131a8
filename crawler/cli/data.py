"""`vangnet data`: the data that scope and attribution rest on."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import click

from crawler.cli.context import JSON_OPTION, Globals, emit

_COLUMNS = ("name", "source", "date", "age_days", "ranges", "bytes")
_LOADED = ("name", "source", "date", "rows", "bytes", "origin")
_FAILED = 1

_FORCE = click.option("--force", is_flag=True, help="Take data that is older or much smaller than that in use.")


@click.group()
def data() -> None:
    """Address, domain-suffix and CDN data."""


@data.command()
@JSON_OPTION
@click.pass_obj
def status(globals_: Globals, *, as_json: bool) -> None:
    """List the tables that scope and attribution rest on, with source, date and age."""
    from crawler.cli.tables import print_facts, print_table
    from crawler.service.data import data_status

    found = data_status(globals_.open_home(), today=datetime.datetime.now(datetime.UTC).date())
    if as_json:
        emit(found)
    else:
        print_table(_COLUMNS, [[row[name] for name in _COLUMNS] for row in found["tables"]], empty="no address tables")
        print_facts([("suffixes", f"{found['suffixes']['source']} {found['suffixes']['version']}")])
    for warning in found["warnings"]:
        click.echo(f"warning: {warning}", err=True)


@data.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--date", metavar="YYYY-MM-DD", help="The day of the data, where the file does not say.")
@click.option("--as", "kind", metavar="cdn:NAME|anycast", help="What a bare list of prefixes is.")
@_FORCE
@JSON_OPTION
@click.pass_obj
def load(
    globals_: Globals, *, files: tuple[Path, ...], date: str | None, kind: str | None, force: bool, as_json: bool
) -> None:
    """Load FILEs, recognised by their content; all of them, or none and nothing changes.

    RIR delegation statistics, RIPE split dumps, riswhoisdump, AS names, MMDB, CDN lists, a public suffix list.
    """
    from crawler.attribute.load import Stated
    from crawler.service import data as service
    from crawler.service.session import open_session

    if kind is not None and kind != "anycast" and not (kind.startswith("cdn:") and kind[4:].strip().isprintable()):
        raise click.BadParameter("give cdn:NAME or anycast", param_hint="--as")
    with open_session(globals_.open_home(), globals_.user) as at:
        found = service.load(at, files, Stated(date, kind, force))
    _show(found, as_json=as_json)


@data.command()
@_FORCE
@JSON_OPTION
@click.pass_context
def update(ctx: click.Context, *, force: bool, as_json: bool) -> None:
    """Fetch current data from where it is published (VANGNET_DATA_SOURCES), and load it.

    Exit code 1: something was not fetched or not taken; its old data stays in use.
    """
    from crawler.attribute.load import Stated
    from crawler.service import data as service
    from crawler.service.session import open_session

    globals_: Globals = ctx.obj
    options = globals_.options()
    with open_session(globals_.open_home(options), globals_.user) as at:
        found = service.update(at, options.data_sources.split(), Stated(force=force))
    _show(found, as_json=as_json)
    if found["refused"]:
        ctx.exit(_FAILED)


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    from crawler.cli.tables import print_table
    from crawler.service.texts import plain

    if as_json:
        emit(found)
    else:
        print_table(_LOADED, [[row[name] for name in _LOADED] for row in found["loaded"]], empty="nothing was loaded")
    for name, reason in found["refused"].items():
        click.echo(plain(f"not taken: {reason if name in reason else f'{name}: {reason}'}"), err=True)
