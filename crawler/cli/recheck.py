"""`vangnet recheck`: whether what notices name is still there."""

from __future__ import annotations

import click

from crawler.cli.context import JSON_OPTION, Globals, emit


@click.group()
def recheck() -> None:
    """Visit again what notices name."""


@recheck.command()
@click.option("--all", "everything", is_flag=True, help="What is not due as well.")
@click.option("--no-wait", is_flag=True, help="One round only: do not visit again at once what was missed.")
@JSON_OPTION
@click.pass_obj
def run(context: Globals, *, everything: bool, no_wait: bool, as_json: bool) -> None:
    """Visit what is due, and record whether it is gone.

    An image is gone after three misses at least three minutes apart; this waits for them unless told not to.
    """
    from crawler.service.embedded import server_of
    from crawler.service.rechecks import WAIT, RecheckOrder, run_rechecks
    from crawler.service.session import open_session

    options = context.options()
    home = context.open_home(options)
    with open_session(home, context.user) as at, server_of(home, options) as url:
        order = RecheckOrder(context.settings, url, everything, 0.0 if no_wait else WAIT)
        done = run_rechecks(home, options, at.db, at.actor, order, progress=lambda line: click.echo(line, err=True))
        document = done.to_json(at.db, options.recheck_spacing)
    if as_json:
        emit(document)
    else:
        _print(document)
    if done.interrupted:
        raise click.exceptions.Exit(130)


def _print(document: dict[str, object]) -> None:
    from crawler.cli.tables import print_facts

    outcomes = document["outcomes"]
    assert isinstance(outcomes, dict)
    shown = [(name, value) for name, value in document.items() if name not in ("outcomes", "unserved")]
    shown += [(f"visits: {name}", number) for name, number in outcomes.items()]
    unserved = document["unserved"]
    assert isinstance(unserved, dict)
    shown += [(f"not visited: {name}", why) for name, why in unserved.items()]
    print_facts(shown)
