"""`vangnet hits`: list, show, confirm, reject."""

from __future__ import annotations

from typing import Any

import click

from crawler.cli.context import JSON_OPTION, Globals, emit

_REVEAL = (
    click.option("--reveal", is_flag=True, help="Show URLs as they are; noted in the audit record."),
    click.option("--reason", help="Why they have to be seen."),
)
_MATCH = ("list", "list_version", "entry", "algorithm", "distance", "threshold", "category", "transform")
_MARKS = {
    "entry-withdrawn": "rests on withdrawn entries only",
    "list-disabled": "rests on a disabled list only",
    "list-dropped": "rests on a dropped list only",
}
_EVIDENCE = ("source", "date", "prefix", "fact")
_SIGHTING = ("found_at", "campaign", "run", "ip", "page_url")
_VISIT = ("at", "outcome", "detail", "page", "moved_to")
_DECISION = ("at", "actor", "before", "after", "reason", "assessment")


@click.group()
def hits() -> None:
    """What was found, and what people decided about it."""


@hits.command(name="list")
@click.option("--campaign", help="Only those seen in a run of this campaign.")
@click.option("--status", help="Only those in this state: new, confirmed, rejected …")
@_REVEAL[0]
@_REVEAL[1]
@JSON_OPTION
@click.pass_obj
def list_(
    globals_: Globals, *, campaign: str | None, status: str | None, reveal: bool, reason: str | None, as_json: bool
) -> None:
    """List hits in the order in which they were found."""
    from crawler.cli.tables import print_table
    from crawler.service import hits as service
    from crawler.service.session import open_session

    why = _reveal_reason(reveal, reason)
    with open_session(globals_.open_home(), globals_.user) as at:
        found = list(service.list_hits(at.db, at.actor, campaign=campaign, status=status, reveal_reason=why))
    if as_json:
        emit(found)
        return
    columns = ("id", "class", "status", "domain", "hoster", "lists", "seen", "found at", "image")
    print_table(columns, map(_line, found), empty="no hits")


@hits.command()
@click.argument("hit_id", metavar="ID")
@_REVEAL[0]
@_REVEAL[1]
@JSON_OPTION
@click.pass_obj
def show(globals_: Globals, *, hit_id: str, reveal: bool, reason: str | None, as_json: bool) -> None:
    """Show one hit with its sightings, re-visits and decisions."""
    from crawler.service import hits as service
    from crawler.service.session import open_session

    why = _reveal_reason(reveal, reason)
    with open_session(globals_.open_home(), globals_.user) as at:
        hit = service.show_hit(at.db, at.actor, hit_id, reveal_reason=why)
    if as_json:
        emit(hit)
    else:
        _print_hit(hit)


@hits.command()
@click.argument("hit_id", metavar="ID")
@click.option("--reason", required=True, help="Why; kept sealed with the decision.")
@click.option("--assessment", help="Reference of an assessment made elsewhere, where the list's policy asks for one.")
@JSON_OPTION
@click.pass_obj
def confirm(globals_: Globals, *, hit_id: str, reason: str, assessment: str | None, as_json: bool) -> None:
    """Confirm a hit."""
    from crawler.service import hits as service
    from crawler.service.session import open_session

    with open_session(globals_.open_home(), globals_.user) as at:
        done = service.confirm_hit(at.db, at.actor, hit_id, reason=reason, assessment=assessment)
    _decided(done, as_json)


@hits.command()
@click.argument("hit_id", metavar="ID")
@click.option("--reason", required=True, help="Why; kept sealed with the decision.")
@JSON_OPTION
@click.pass_obj
def reject(globals_: Globals, *, hit_id: str, reason: str, as_json: bool) -> None:
    """Reject a hit."""
    from crawler.service import hits as service
    from crawler.service.session import open_session

    with open_session(globals_.open_home(), globals_.user) as at:
        done = service.reject_hit(at.db, at.actor, hit_id, reason=reason)
    _decided(done, as_json)


def _reveal_reason(reveal: bool, reason: str | None) -> str | None:
    if reveal and not (reason and reason.strip()):
        raise click.UsageError("--reveal needs --reason: why the URLs have to be seen")
    if reason and not reveal:
        raise click.UsageError("--reason goes with --reveal")
    return reason if reveal else None


def _decided(done: dict[str, Any], as_json: bool) -> None:
    if as_json:
        emit(done)
    else:
        click.echo(f"hit {done['id']} is {done['status']}")


def _line(hit: dict[str, Any]) -> list[object]:
    lists = sorted({match["list"] or "?" for match in hit["matches"]})
    hoster = hit["hoster"]["holder"] or hit["hoster"]["as_name"]
    found = hit["found_at"][:16].replace("T", " ")
    status = f"{hit['status']}, {hit['mark']['reason']}" if hit["mark"] else hit["status"]
    first = [hit["id"], hit["certainty"], status, hit["domain"] or hit["ip"], hoster]
    return [*first, ", ".join(lists), hit["sightings"], found, hit["image_url"]]


def _print_hit(hit: dict[str, Any]) -> None:
    from crawler.cli.tables import print_facts, print_table

    nested = ("hoster", "cdn", "matches", "seen", "visits", "decisions", "redirects", "mark")
    facts = [(name, value) for name, value in hit.items() if name not in nested]
    if hit["mark"]:
        facts.append(("mark", f"{_MARKS[hit['mark']['reason']]} since {hit['mark']['at']}"))
    facts += [(f"hoster {name}", value) for name, value in hit["hoster"].items() if name != "evidence"]
    facts.append(("cdn", hit["cdn"]["name"] if hit["cdn"] else None))
    facts += [("redirected from", url) for url in hit["redirects"]]
    print_facts(facts)
    for title, columns, rows in (
        ("matches", _MATCH, hit["matches"]),
        ("what the attribution rests on", _EVIDENCE, hit["hoster"]["evidence"]),
        ("sightings", _SIGHTING, hit["seen"]),
        ("visits since a notice", _VISIT, hit["visits"]),
        ("decisions", _DECISION, hit["decisions"]),
    ):
        click.echo(f"\n{title}")
        print_table(columns, ([row[name] for name in columns] for row in rows), empty="none")
