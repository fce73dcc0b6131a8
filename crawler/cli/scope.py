"""`vangnet scope` and `vangnet attribute`: may we connect there, and who is answerable for it."""

from __future__ import annotations

import datetime
from pathlib import Path

import click

from crawler.cli.context import JSON_OPTION, Globals, emit

_NOT_IN_SCOPE = 3


@click.command()
@click.argument("target", metavar="ADDRESS|HOST|URL")
@click.option("--campaign", "file", type=click.Path(path_type=Path), help="Judge by this file; default: country NL.")
@JSON_OPTION
@click.pass_context
def scope(ctx: click.Context, *, target: str, file: Path | None, as_json: bool) -> None:
    """Say whether a campaign may connect there, and what that rests on. Exit code 3: it may not."""
    from crawler.campaign import load_campaign
    from crawler.cli.attribution import EVIDENCE, evidence_rows
    from crawler.cli.tables import print_facts, print_table
    from crawler.service import address as service

    globals_: Globals = ctx.obj
    options = globals_.options()
    asked = service.read_target(target)
    campaign = load_campaign(file, lab=options.lab) if file else service.default_campaign()
    verdict = service.judge_target(globals_.open_home(options), asked, campaign, today=_today())
    found = service.verdict_json(verdict)
    if as_json:
        emit(found)
    else:
        print_facts([("in scope", "yes" if verdict.in_scope else "no"), ("reason", verdict.reason)])
        print_table(EVIDENCE, evidence_rows(found["evidence"]), empty="no evidence")
    if not verdict.in_scope:
        ctx.exit(_NOT_IN_SCOPE)


@click.command()
@click.argument("target", metavar="ADDRESS|HOST|URL")
@click.option("--nameserver", multiple=True, metavar="ADDRESS:PORT", help="Resolve there; default: the system's.")
@click.option("--reverse/--no-reverse", default=True, help="Ask the DNS for the address's name.")
@JSON_OPTION
@click.pass_obj
def attribute(globals_: Globals, *, target: str, nameserver: tuple[str, ...], reverse: bool, as_json: bool) -> None:
    """Say who is answerable for an address or URL: domain, network, hoster, abuse contact, each with its source."""
    from crawler.cli.attribution import print_attribution
    from crawler.service import address as service
    from crawler.service.attribution import attribute_target

    found = attribute_target(globals_.open_home(), service.read_target(target), nameserver, reverse=reverse)
    if as_json:
        emit(found)
    else:
        print_attribution(found)


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()
