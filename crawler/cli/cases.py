"""`vangnet cases`: the desk's queue and its acts, for the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from crawler.cli.context import JSON_OPTION, Globals, emit

_ID = click.argument("case_id", metavar="ID")
_REASON = click.option("--reason", required=True, help="Why; kept sealed.")
_LISTED = ("id", "class", "category", "item", "places", "hoster", "state", "found at")
_HELP = {
    "confirm": "Confirm an item.",
    "reject": "Reject an item.",
    "refer": "Have an item assessed elsewhere.",
    "resume": "End a hold.",
    "reopen": "Bring a decided item back into the queue.",
    "quarantine": "Put an item aside: what matched cannot be trusted.",
    "lift": "End a quarantine.",
}


@click.group()
def cases() -> None:
    """Case items: the hits of one image at one domain, which people decide on together."""


@cases.command(name="list")
@click.option("--view", default="open", show_default=True, help="open, elsewhere, held, confirmed, noticed, rejected.")
@JSON_OPTION
@click.pass_obj
def list_(globals_: Globals, *, view: str, as_json: bool) -> None:
    """List items, the most severe first, then the oldest; 200 at most."""
    from crawler.cli.tables import print_table
    from crawler.service.cases import list_cases
    from crawler.service.session import open_session

    with open_session(globals_.open_home(), globals_.user) as at:
        found = list_cases(at.db, at.actor, view=view)
    if as_json:
        emit(found["items"])
    else:
        print_table(_LISTED, map(_line, found["items"]), empty="no items")


@cases.command(name="next")
@JSON_OPTION
@click.pass_obj
def next_(globals_: Globals, *, as_json: bool) -> None:
    """Take the first open item that nobody has, for a quarter of an hour."""
    from crawler.service.cases import take_next
    from crawler.service.session import open_session

    with open_session(globals_.open_home(), globals_.user) as at:
        taken = take_next(at.db, at.actor)
    if as_json:
        emit({"id": taken})
    else:
        click.echo(taken or "nothing is open that nobody has")


@cases.command()
@_ID
@click.option("--reveal", is_flag=True, help="Show URLs as they are; noted in the audit record.")
@click.option("--reason", help="Why they have to be seen.")
@click.pass_obj
def show(globals_: Globals, *, case_id: str, reveal: bool, reason: str | None) -> None:
    """Print one item with its evidence, as JSON."""
    from crawler.service.cases import show_case
    from crawler.service.session import open_session

    if reveal != bool(reason and reason.strip()):
        raise click.UsageError("--reveal and --reason go together: why the URLs have to be seen")
    with open_session(globals_.open_home(), globals_.user) as at:
        emit(show_case(at.db, at.actor, case_id, reveal_reason=reason))


@cases.command()
@_ID
@click.option("--listed/--harmless", required=True, help="What the assessment found.")
@click.option("--by", "assessor", required=True, help="Who assessed it.")
@click.option("--reference", required=True, help="Under which it is filed there.")
@_REASON
@JSON_OPTION
@click.pass_obj
def assess(globals_: Globals, /, *, case_id: str, as_json: bool, **given: Any) -> None:
    """Record what an assessment made elsewhere said: it confirms the item, or rejects it."""
    _acted(globals_, as_json, "assess_case", case_id, given)


@cases.command()
@_ID
@click.option("--for", "owner", required=True, help="For whom.")
@click.option("--days", type=int, required=True, help="1 to 365; then the item comes back.")
@_REASON
@JSON_OPTION
@click.pass_obj
def hold(globals_: Globals, /, *, case_id: str, as_json: bool, **given: Any) -> None:
    """Hold an item for an investigation."""
    _acted(globals_, as_json, "hold_case", case_id, given)


@cases.command()
@_ID
@click.option("--text", required=True, help="The note; kept sealed.")
@JSON_OPTION
@click.pass_obj
def note(globals_: Globals, *, case_id: str, text: str, as_json: bool) -> None:
    """Keep a note about an item."""
    _acted(globals_, as_json, "note_case", case_id, {"text": text})


@cases.command()
@_ID
@JSON_OPTION
@click.pass_obj
def undo(globals_: Globals, *, case_id: str, as_json: bool) -> None:
    """Take back one's own last decision, within half an hour."""
    _acted(globals_, as_json, "undo_case", case_id, {})


@cases.command()
@_ID
@click.pass_obj
def release(globals_: Globals, *, case_id: str) -> None:
    """Put an item back into the queue."""
    from crawler.service.cases import release_case
    from crawler.service.session import open_session

    with open_session(globals_.open_home(), globals_.user) as at:
        release_case(at.db, at.actor, case_id)


def _simple(name: str) -> click.Command:
    @click.command(name=name, help=_HELP[name])
    @_ID
    @_REASON
    @JSON_OPTION
    @click.pass_obj
    def command(globals_: Globals, *, case_id: str, reason: str, as_json: bool) -> None:
        _acted(globals_, as_json, f"{name}_case", case_id, {"reason": reason})

    return command


for _name in _HELP:
    cases.add_command(_simple(_name))


def _acted(globals_: Globals, as_json: bool, act: str, case_id: str, given: dict[str, Any]) -> None:
    from crawler.service import case_acts, case_undo
    from crawler.service.session import open_session

    function: Callable[..., dict[str, Any]] = getattr(case_undo if act == "undo_case" else case_acts, act)
    with open_session(globals_.open_home(), globals_.user) as at:
        done = function(at.db, at.actor, case_id, **given)
    if as_json:
        emit(done)
    else:
        click.echo(f"item {case_id} is {', '.join(done['status'])}" if "status" in done else "noted")


def _line(item: dict[str, Any]) -> list[object]:
    state = ", ".join(item["status"]) + (f" (with {item['lease']})" if item["lease"] else "")
    first = [item["id"], item["certainty"], item["category"], item["site"], item["places"]]
    return [*first, item["hoster"], state, item["first_at"][:16].replace("T", " ")]
