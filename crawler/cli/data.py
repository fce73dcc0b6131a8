"""`vangnet data`: the address tables in use."""

from __future__ import annotations

import datetime

import click

from crawler.cli.context import JSON_OPTION, Globals, emit

_COLUMNS = ("name", "source", "date", "age_days", "ranges", "bytes", "licence")


@click.group()
def data() -> None:
    """Address, domain-suffix and CDN data."""


@data.command()
@JSON_OPTION
@click.pass_obj
def status(globals_: Globals, *, as_json: bool) -> None:
    """List the tables that scope and attribution rest on, with source, date and age."""
    from crawler.cli.tables import print_facts, print_table
    from crawler.service.address import data_status

    found = data_status(globals_.open_home(), today=datetime.datetime.now(datetime.UTC).date())
    if as_json:
        emit(found)
    else:
        print_table(_COLUMNS, [[row[name] for name in _COLUMNS] for row in found["tables"]], empty="no address tables")
        print_facts([("suffixes", f"{found['suffixes']['source']} {found['suffixes']['version']}")])
    for warning in found["warnings"]:
        click.echo(f"warning: {warning}", err=True)
