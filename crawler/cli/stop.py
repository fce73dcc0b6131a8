"""`vangnet stop`: the emergency stop, in force on every machine within 5 s."""

from __future__ import annotations

import click

from crawler.cli.context import JSON_OPTION, Globals, emit

_COLUMNS = ("id", "kind", "target", "since")


@click.command()
@click.option("--all", "everything", is_flag=True, help="Everything, in every campaign.")
@click.option("--host", help="A host name with every name below it, or an address.")
@click.option("--prefix", help="All addresses of a prefix, such as 192.0.2.0/24.")
@click.option("--lift", is_flag=True, help="Take this stop back.")
@click.option("--list", "listing", is_flag=True, help="Show the stops in force.")
@JSON_OPTION
@click.pass_obj
def stop(
    globals_: Globals,
    *,
    everything: bool,
    host: str | None,
    prefix: str | None,
    lift: bool,
    listing: bool,
    as_json: bool,
) -> None:
    """Let no request leave for everything, a host or a prefix, until the stop is lifted. Nothing queued is lost."""
    from crawler.cli.tables import print_table
    from crawler.service import stops as service
    from crawler.service.deployment import Server
    from crawler.service.embedded import server_of
    from crawler.service.session import open_session

    if listing and (everything or host or prefix or lift):
        raise click.UsageError("--list stands alone")
    wanted = None if listing else service.read_stop_target(everything=everything, host=host, prefix=prefix)
    options = globals_.options()
    home = globals_.open_home(options)
    with open_session(home, globals_.user) as at, server_of(home, options) as url:
        server = Server(options, url)
        if wanted is None:
            found = service.list_stops(at.db, at.actor, server)
        else:
            act = service.lift_stop if lift else service.set_stop
            done = act(at.db, at.actor, server, wanted)
    if wanted is None:
        if as_json:
            emit(found)
        else:
            print_table(_COLUMNS, ([row[name] for name in _COLUMNS] for row in found), empty="no stops in force")
    elif as_json:
        emit(done)
    else:
        what = "everything" if everything else done["stop"]["target"]
        click.echo(f"{'lifted' if lift else 'stopped'}: {what}{'' if done['changed'] else ', as before'}")
