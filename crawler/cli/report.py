"""`vangnet report`: hosters, volumes, time to removal."""

from __future__ import annotations

from pathlib import Path

import click

from crawler.cli.context import JSON_OPTION, Globals, emit


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write report.html, report.json, hosters.csv and domains.csv into this directory.",
)
@JSON_OPTION
@click.pass_obj
def report(context: Globals, *, out: Path | None, as_json: bool) -> None:
    """What was found, what was said to whom, and how long it took until it was gone. No URL is in it."""
    from crawler.service import report as service
    from crawler.service.session import open_session

    with open_session(context.open_home(), context.user) as at:
        document = service.make_report(at.db, at.actor)
    files = [] if out is None else service.write_report(document, out)
    if as_json:
        emit(document)
        return
    from crawler.cli.tables import print_table

    columns = ("name", "hits", "images", "matches", "notices", "noticed", "removed", "still_up", "unsettled")
    rows = [*document["hosters"], document["totals"]]
    print_table(columns, ([row[name] for name in columns] for row in rows), empty="nothing was found yet")
    for path in files:
        click.echo(f"wrote {path}", err=True)
