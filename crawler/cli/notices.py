"""`vangnet notices`: what is said to hosters, from the draft to the receipt."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from crawler.cli.context import JSON_OPTION, Globals, emit

_COLUMNS = ("id", "state", "contact", "hits", "open", "due", "overdue")
_REVEAL = click.option("--reveal", is_flag=True, help="Show URLs as they are; noted in the audit record.")
_REASON = click.option("--reason", help="Why they have to be seen.")


@click.group()
def notices() -> None:
    """Draft, approve and send notices, and keep what comes back."""


@notices.command()
@click.option("--instrument", default="notice", show_default=True, help="notice, or order (binding).")
@click.option("--hours", type=int, help="Another deadline than the instrument's, in hours from delivery.")
@click.option("--again", is_flag=True, help="For hits that are still up after a notice, in place of confirmed ones.")
@JSON_OPTION
@click.pass_obj
def draft(context: Globals, *, instrument: str, hours: int | None, again: bool, as_json: bool) -> None:
    """Draft a notice to each abuse contact of confirmed hits."""
    from crawler.service import notices as service
    from crawler.service.session import open_session

    options = context.options()
    with open_session(context.open_home(options), context.user) as at:
        done = service.draft_notices(at.db, at.actor, options, name=instrument, hours=hours, again=again)
    if as_json:
        emit(done)
        return
    _table(done["drafts"], "nothing to draft: no confirmed hit waits for a notice")
    if done["without_contact"]:
        click.echo(f"without an abuse contact, left as they are: {', '.join(done['without_contact'])}", err=True)


@notices.command(name="list")
@click.option("--state", help="Only those in this state: draft, approved, sent, doubt …")
@JSON_OPTION
@click.pass_obj
def list_(context: Globals, *, state: str | None, as_json: bool) -> None:
    """List notices with their clocks."""
    from crawler.service import notices as service
    from crawler.service.session import open_session

    with open_session(context.open_home(), context.user) as at:
        found = service.list_notices(at.db, at.actor, state=state)
    if as_json:
        emit(found)
    else:
        _table(found, "no notices")


@notices.command()
@click.argument("notice_id", metavar="ID")
@_REVEAL
@_REASON
@JSON_OPTION
@click.pass_obj
def show(context: Globals, *, notice_id: str, reveal: bool, reason: str | None, as_json: bool) -> None:
    """Show one notice: its text, attempts and receipts."""
    from crawler.service import papers as service
    from crawler.service.session import open_session

    options, why = context.options(), _why(reveal, reason)
    with open_session(context.open_home(options), context.user) as at:
        found = service.show_notice(at.db, at.actor, options, notice_id, reveal_reason=why)
    if as_json:
        emit(found)
        return
    from crawler.cli.tables import print_facts, print_table

    nested = ("text", "urls", "attempts", "receipts")
    facts = found | {"confirmed_by": ", ".join(found["confirmed_by"])}
    print_facts((name, value) for name, value in facts.items() if name not in nested)
    for title, columns in (
        ("attempts", ("started_at", "channel", "result", "said")),
        ("receipts", ("received_at", "kind", "actor")),
    ):
        click.echo(f"\n{title}")
        print_table(columns, ([row[name] for name in columns] for row in found[title]), empty="none")
    for url in found["urls"]:
        if url["withdrawn"]:
            click.echo(f"hit {url['hit']}: no list stands behind it any more; it will not be sent", err=True)
    click.echo(f"\n{found['text']}")


@notices.command()
@click.argument("notice_id", metavar="ID")
@click.option("--revision", type=int, help="Refuse when the draft has changed since this revision.")
@JSON_OPTION
@click.pass_obj
def approve(context: Globals, *, notice_id: str, revision: int | None, as_json: bool) -> None:
    """Approve a draft; whoever confirmed one of its hits may not."""
    from crawler.service import notices as service
    from crawler.service.session import open_session

    options = context.options()
    with open_session(context.open_home(options), context.user) as at:
        done = service.approve_notice(at.db, at.actor, options, notice_id, revision=revision)
    _done(done, as_json)


@notices.command()
@click.argument("notice_id", metavar="ID")
@JSON_OPTION
@click.pass_obj
def withdraw(context: Globals, *, notice_id: str, as_json: bool) -> None:
    """Take back what has not left; its hits may be drafted anew."""
    from crawler.service import notices as service
    from crawler.service.session import open_session

    with open_session(context.open_home(), context.user) as at:
        done = service.withdraw_notice(at.db, at.actor, notice_id)
    _done(done, as_json)


@notices.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Put the mails into this directory.")
@JSON_OPTION
@click.pass_obj
def send(context: Globals, *, out: Path | None, as_json: bool) -> None:
    """Send what is approved and due. Exits with 1 when one failed, is in doubt or could not be tried."""
    from crawler.service import alarms, delivery
    from crawler.service.session import open_session

    options = context.options()
    home = context.open_home(options)
    outbox = delivery.outbox_of(home, options, out)
    with open_session(home, context.user) as at:
        done = delivery.send_notices(home, at.db, at.actor, options, outbox)
    # Of alerts as well: this command has the mail server's password, where the recorder may have none.
    if trouble := alarms.trouble_telling(home, options, outbox):
        click.echo(f"alerts: {trouble}", err=True)
    if as_json:
        emit(done)
    else:
        click.echo(", ".join(f"{name} {len(done[name])}" for name in ("sent", "later", "failed", "doubt", "changed")))
        for notice in done["doubt"]:
            click.echo(f"notice {notice}: nobody knows whether it arrived; see `vangnet notices resolve`", err=True)
        for notice, why in done["why"].items():
            click.echo(f"notice {notice}: {why}", err=True)
        for each in done["errors"]:
            click.echo(f"notice {each['notice']}: {each['why']}", err=True)
    if done["failed"] or done["doubt"] or done["errors"]:
        raise click.exceptions.Exit(1)


@notices.command()
@click.argument("notice_id", metavar="ID")
@click.option("--arrived/--lost", default=None, help="Whether it arrived; what was lost is sent again.")
@click.option("--reason", required=True, help="How that is known; kept sealed.")
@JSON_OPTION
@click.pass_obj
def resolve(context: Globals, *, notice_id: str, arrived: bool | None, reason: str, as_json: bool) -> None:
    """Say of a notice in doubt whether it arrived."""
    from crawler.service import delivery
    from crawler.service.session import open_session

    if arrived is None:
        raise click.UsageError("give --arrived or --lost")
    with open_session(context.open_home(), context.user) as at:
        done = delivery.resolve_notice(at.db, at.actor, notice_id, arrived=arrived, reason=reason)
    _done(done, as_json)


@notices.command()
@click.option("--from", "directory", type=click.Path(path_type=Path), help="A Maildir, or a directory of mails.")
@click.option("--notice", "notice_id", help="Show what came back to this notice; it is on record that you read it.")
@JSON_OPTION
@click.pass_obj
def inbox(context: Globals, *, directory: Path | None, notice_id: str | None, as_json: bool) -> None:
    """Keep what came back: delivery reports and answers; or read what was kept.

    Without --from, shows what came back to --notice, or to no notice that is known.
    """
    from crawler.service import receipts as service
    from crawler.service.session import open_session

    with open_session(context.open_home(), context.user) as at:
        if directory is not None:
            done = service.read_inbox(at.db, at.actor, directory)
            if as_json:
                emit(done)
            else:
                click.echo(f"{done['read']} mails, {done['new']} new, {done['unreadable']} unreadable")
            return
        found = service.list_receipts(at.db, at.actor, notice_id)
    if as_json:
        emit(found)
        return
    from crawler.cli.tables import print_table

    columns = ("received_at", "kind", "text")
    print_table(columns, ([row[name] for name in columns] for row in found), empty="nothing came back")


@notices.command()
@click.argument("notice_id", metavar="ID")
@click.option("--format", "form", type=click.Choice(["text", "xarf", "arf"]), default="text", show_default=True)
@_REVEAL
@_REASON
@click.pass_obj
def export(context: Globals, *, notice_id: str, form: str, reveal: bool, reason: str | None) -> None:
    """Write a notice to stdout as text, as XARF reports, or as the mail."""
    from crawler.service import papers as service
    from crawler.service.session import open_session

    options, why = context.options(), _why(reveal, reason)
    with open_session(context.open_home(options), context.user) as at:
        body = service.export_notice(at.db, at.actor, options, notice_id, form, reveal_reason=why)
    sys.stdout.write(body.decode())


@notices.command()
@click.argument("notice_id", metavar="ID")
@click.option("--out", type=click.Path(path_type=Path), help="The file to write; notice-ID.zip by default.")
@_REVEAL
@_REASON
@JSON_OPTION
@click.pass_obj
def bundle(
    context: Globals, *, notice_id: str, out: Path | None, reveal: bool, reason: str | None, as_json: bool
) -> None:
    """Write a ZIP file with a notice and everything that proves it."""
    from crawler.service import papers as service
    from crawler.service.session import open_session

    options, why = context.options(), _why(reveal, reason)
    target = out or Path(f"notice-{notice_id}.zip")
    with open_session(context.open_home(options), context.user) as at:
        done = service.bundle_notice(at.db, at.actor, options, notice_id, target, reveal_reason=why)
    if as_json:
        emit(done)
    else:
        click.echo(f"{done['file']}: {len(done['files'])} files, sha256 {done['sha256']}")


def _why(reveal: bool, reason: str | None) -> str | None:
    if reveal and not (reason and reason.strip()):
        raise click.UsageError("--reveal needs --reason: why the URLs have to be seen")
    if reason and not reveal:
        raise click.UsageError("--reason goes with --reveal")
    return reason if reveal else None


def _done(notice: dict[str, Any], as_json: bool) -> None:
    if as_json:
        emit(notice)
    else:
        click.echo(f"notice {notice['id']} is {notice['state']}")


def _table(found: list[dict[str, Any]], empty: str) -> None:
    from crawler.cli.tables import print_table

    print_table(_COLUMNS, map(_line, found), empty=empty)


def _line(row: dict[str, Any]) -> list[object]:
    due = None if row["due_at"] is None else row["due_at"][:16].replace("T", " ")
    overdue = {None: None, True: "yes", False: "no"}[row["overdue"]]
    return [*(row[name] for name in _COLUMNS[:5]), due, overdue]
