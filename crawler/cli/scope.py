"""`vangnet scope` and `vangnet attribute`: may we connect there, and who is answerable for it."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import click

from crawler.cli.context import JSON_OPTION, Globals, emit

_EVIDENCE = ("fact", "source", "date", "prefix")
_NOT_IN_SCOPE = 3


@click.command()
@click.argument("target", metavar="ADDRESS|HOST|URL")
@click.option("--campaign", "file", type=click.Path(path_type=Path), help="Judge by this file; default: country NL.")
@JSON_OPTION
@click.pass_context
def scope(ctx: click.Context, *, target: str, file: Path | None, as_json: bool) -> None:
    """Say whether a campaign may connect there, and what that rests on. Exit code 3: it may not."""
    from crawler.campaign import load_campaign
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
        print_table(_EVIDENCE, _rows(found["evidence"]), empty="no evidence")
    if not verdict.in_scope:
        ctx.exit(_NOT_IN_SCOPE)


@click.command()
@click.argument("target", metavar="ADDRESS|URL")
@click.option("--nameserver", multiple=True, metavar="ADDRESS:PORT", help="Resolve there; default: the system's.")
@JSON_OPTION
@click.pass_obj
def attribute(globals_: Globals, *, target: str, nameserver: tuple[str, ...], as_json: bool) -> None:
    """Say who is answerable for an address or URL: domain, network, hoster, abuse contact, each with its source."""
    from crawler.cli.tables import print_facts, print_table
    from crawler.service import address as service

    asked = service.read_target(target)
    found = service.attribute_target(globals_.open_home(), asked, nameserver)
    if as_json:
        emit(found)
        return
    hoster: dict[str, Any] = dict(found["hoster"])
    evidence = hoster.pop("evidence")
    cdn = found["cdn"]
    names = {"ip": "address", "domain": "domain", "icann_domain": "in the registry as"}
    print_facts([(name, found[key]) for key, name in names.items()])
    print_facts([(name.replace("_", " "), value) for name, value in hoster.items()])
    print_facts([("CDN", f"{cdn['name']}, origin {cdn['origin']}" if cdn else None)])
    print_table(_EVIDENCE, _rows(evidence), empty="no table has this address")


def _rows(evidence: list[dict[str, Any]]) -> list[list[Any]]:
    return [[row[name] for name in _EVIDENCE] for row in evidence]


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()
