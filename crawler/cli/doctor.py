"""`vangnet doctor`: what is missing or unsafe, and how to mend it."""

from __future__ import annotations

import click

from crawler.cli.context import JSON_OPTION, Globals, emit

_SIGNS = {"ok": ("ok     ", "green"), "warning": ("warning", "yellow"), "problem": ("problem", "red")}


@click.command()
@JSON_OPTION
@click.pass_obj
def doctor(context: Globals, *, as_json: bool) -> None:
    """Look at this installation, and change nothing. Exits with 1 when there is a problem."""
    from crawler.service.doctor import examine
    from crawler.service.texts import plain

    options = context.options()
    found = examine(context.open_home(options), options, context.user)
    if as_json:
        emit(found)
    else:
        for each in found["findings"]:
            sign, colour = _SIGNS[each["level"]]
            click.echo(f"{click.style(sign, fg=colour)} {each['check']}: {plain(each['what'])}")
            if each["mend"]:
                click.echo(f"{'':16}{plain(each['mend'])}")
    if not found["ok"]:
        raise click.exceptions.Exit(1)
