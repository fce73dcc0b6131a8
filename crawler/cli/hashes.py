"""`vangnet hashes`: import hash lists, enable and disable them, look values up."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crawler.cli import governing
from crawler.cli.context import JSON_OPTION, Globals, emit, tell

if TYPE_CHECKING:
    from crawler.service.trial import Trial
    from crawler.store.database import Database
    from crawler.store.lists import HashList

_SOON = 30 * 86_400
FORMATS = ("auto", "lines", "csv", "vics", "ncmec", "interpol")


@click.group()
def hashes() -> None:
    """The hash lists that images are matched against."""


for _command in (governing.keys, governing.quarantine, governing.feedback, governing.revisit, governing.sample):
    hashes.add_command(_command)


@hashes.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--list", "name", required=True, metavar="NAME", help="The list; an import is its next version.")
@click.option("--format", "format_name", type=click.Choice(FORMATS), default="auto", show_default=True)
@click.option("--kind", type=click.Choice(("block", "benign")), default="block", show_default=True)
@click.option("--category", "categories", multiple=True, help="A category that counts; may be repeated. Default: all.")
@click.option("--column", "columns", multiple=True, metavar="ROLE=NAME", help="csv: md5=Hash, category=Cat, id=Key …")
@click.option("--skip-invalid", is_flag=True, help="Leave out what is malformed, and count it by reason.")
@click.option("--manifest", type=click.Path(path_type=Path), help="Signed in FILE.sig; required outside of the lab.")
@click.option("--replace", is_flag=True, help="Also when next to nothing of the list is in the file.")
@JSON_OPTION
@click.pass_obj
def import_(
    globals_: Globals,
    *,
    file: Path,
    name: str,
    format_name: str,
    kind: Any,
    categories: tuple[str, ...],
    columns: tuple[str, ...],
    skip_invalid: bool,
    manifest: Path | None,
    replace: bool,
    as_json: bool,
) -> None:
    """Import FILE as the next version of a list, all of it or nothing.

    In the lab a new list is enabled at once; elsewhere a second person enables each version.
    """
    from crawler.match.entries import ImportOptions
    from crawler.service.imports import import_list
    from crawler.service.lists import version_json
    from crawler.service.standing import standing_json

    options = ImportOptions(
        format=format_name, kind=kind, categories=frozenset(categories) or None, columns=_columns(columns)
    )
    with globals_.session() as at, _progress(file.name) as progress:
        version = import_list(
            at.db,
            at.actor,
            file,
            name=name,
            options=options,
            skip_invalid=skip_invalid,
            manifest=manifest,
            replace=replace,
            progress=progress,
        )
        done = version_json(version) | standing_json(at.db, version.list)
    if as_json:
        emit(done)
        return
    state = "enabled" if done["enabled"] else "disabled"
    click.echo(f"{name} version {done['version']} ({done['kind']}, {state}): {done['entries']} entries")
    click.echo(f"{done['added']} new, {done['withdrawn']} withdrawn, {done['duplicates']} duplicates")
    if any(done["by_category"]):
        counted = "all" if done["categories"] is None else ", ".join(done["categories"])
        click.echo(f"categories that count: {counted}; entries: {_counts(done['by_category'])}")
    for reason, count in done["skipped"].items():
        click.echo(f"left out: {count} × {reason}")
    if done["unsearchable"]:
        click.echo(f"kept, but nothing can search them yet: {done['unsearchable']}")
    if done["served"] != done["version"]:
        click.echo(f"version {done['version']} waits: another person runs `vangnet hashes enable {name}`")


@hashes.command(name="lists")
@JSON_OPTION
@click.pass_obj
def lists_(globals_: Globals, as_json: bool) -> None:
    """List the hash lists, how much was crawled with them, and open alerts."""
    from crawler.cli.tables import print_table
    from crawler.service import lists as service
    from crawler.service.quarantine import list_quarantines
    from crawler.service.standing import standing_json

    with globals_.session() as at:
        rows = service.all_lists(at.db, at.actor)
        found = [service.list_json(row) | standing_json(at.db, row) for row in rows]
        soon = datetime.fromtimestamp(at.db.clock() + _SOON, UTC).date().isoformat()
        alarms = [row for row in list_quarantines(at.db, at.actor) if row["alert"] is not None]
    if as_json:
        emit(found)
        return
    print_table(
        ("name", "kind", "enabled", "version", "served", "entries", "by algorithm", "seen since", "imported at"),
        map(_row, found),
        empty="no lists; run `vangnet hashes import FILE --list NAME`",
    )
    for row in found:
        if row["manifest"] and row["manifest"]["expires"] <= soon:
            click.echo(
                f"the manifest of {row['name']} holds until {row['manifest']['expires']}; import it with another"
            )
    for row in found:
        if row["drop_asked"]:
            click.echo(f"{row['drop_asked']['by']} asks to drop {row['name']}; another person drops it")
    for row in alarms:
        click.echo(
            f"alert of level {row['alert']}: entry {row['entry']} of {row['list']} is in quarantine since "
            f"{_minute(row['since'])}, {row['hits']} hits wait; see `vangnet hashes quarantine list`"
        )


@hashes.command()
@click.argument("name")
@click.option("--despite", metavar="REASON", help="Enable it although it would hit harmless images.")
@JSON_OPTION
@click.pass_obj
def enable(globals_: Globals, name: str, despite: str | None, as_json: bool) -> None:
    """Match against a list; running crawls do so within seconds.

    Outside of the lab a version is enabled by another person than the one who imported it, and tried on harmless images
    first.
    """
    from crawler.service import enabling
    from crawler.service import lists as service

    with globals_.session() as at:
        waiting = enabling.waiting(at.db, at.actor, name)
        trial = None if waiting is None else _tried(globals_, at.db, waiting, as_json)
        row = enabling.enable(at.db, at.actor, name, trial=trial, despite=despite)
    tell(service.list_json(row) | {"trial": trial and trial.to_json()}, f"{name}: enabled", as_json=as_json)


@hashes.command()
@click.argument("name")
@JSON_OPTION
@click.pass_obj
def disable(globals_: Globals, name: str, as_json: bool) -> None:
    """Match against a list no longer; running crawls neither, within seconds."""
    from crawler.service import lists as service

    with globals_.session() as at:
        row = service.set_enabled(at.db, at.actor, name, False)
    tell(service.list_json(row), f"{name}: disabled", as_json=as_json)


@hashes.command()
@click.argument("name")
@click.option("--keep", is_flag=True, help="Ask no longer that it be dropped.")
@JSON_OPTION
@click.pass_obj
def drop(globals_: Globals, name: str, keep: bool, as_json: bool) -> None:
    """Delete a list's entries and the index files that hold them. Its hits stay.

    Outside of the lab that takes two persons: the first one asks, and the list counts as before; another one who does
    the same within a week drops it.
    """
    from crawler.service import dropping

    with globals_.session() as at:
        if keep:
            dropping.keep(at.db, at.actor, name)
            tell({"name": name, "dropped": None, "asked": None}, f"{name}: kept", as_json=as_json)
            return
        done = dropping.drop(at.db, at.actor, name)
    if isinstance(done, dropping.Dropped):
        document = {"name": name, "dropped": done.entries, "asked": None}
        tell(document, f"{name}: dropped, {done.entries} entries deleted", as_json=as_json)
    else:
        line = f"{name}: counts as before; another person drops it within a week by `vangnet hashes drop {name}`"
        tell({"name": name, "dropped": None, "asked": dropping.drop_json(done)}, line, as_json=as_json)


@hashes.command()
@click.argument("values", nargs=-1, required=True, metavar="VALUE...")
@JSON_OPTION
@click.pass_obj
def check(globals_: Globals, values: tuple[str, ...], as_json: bool) -> None:
    """Look up digests or perceptual hashes (hexadecimal, "pdq:…" or bare) in all lists.

    "-" reads them from stdin, one a line, so that none stands in the list of processes. Every check is on record, and
    a person may look up only so many in a day.
    """
    from crawler.cli.tables import print_table
    from crawler.service.checks import check as look_up

    options = globals_.options()
    given = tuple(sys.stdin.read().split()) if values == ("-",) else values
    with globals_.session() as at:
        answers = look_up(at.db, at.actor, given, per_day=options.checks_per_day)
    if as_json:
        emit(answers)
        return
    names = ("list", "enabled", "entry", "algorithm", "distance", "category")
    rows = [
        [number, *(match[name] for name in names)]
        for number, answer in enumerate(answers, 1)
        for match in answer["matches"]
    ]
    print_table(("value", *names), rows, empty="no list knows any of them")


def _tried(globals_: Globals, db: Database, row: HashList, as_json: bool) -> Trial:
    """Try a list on harmless images, and show what it would hit."""
    from crawler.cli.printer import use_kernels
    from crawler.cli.tables import print_table
    from crawler.lab.corpus import corpus
    from crawler.service.trial import try_list

    use_kernels(globals_, globals_.options())
    click.echo(f"trying version {row.version} of {row.name} on harmless images …", err=True)
    trial = try_list(db, row, corpus())
    if not as_json:
        names = ("image", "entry", "algorithm", "distance")
        rows = [[hit[name] for name in names] for hit in trial.to_json()["would_hit"]]
        print_table(names, rows, empty=f"it would hit none of {trial.images} harmless images")
    return trial


def _columns(pairs: tuple[str, ...]) -> dict[str, str]:
    columns = {}
    for pair in pairs:
        role, sign, column = pair.partition("=")
        if not (role and sign and column):
            raise click.UsageError(f"--column {pair!r} is not ROLE=NAME")
        columns[role] = column
    return columns


def _row(row: Mapping[str, Any]) -> list[object]:
    enabled = "yes" if row["enabled"] else "no"
    first = [row["name"], row["kind"], enabled, row["version"], row["served"], row["entries"]]
    return [*first, _counts(row["by_algorithm"]), _seen(row["seen"]), _minute(row["imported_at"])]


def _minute(text: str) -> str:
    return text[:16].replace("T", " ")


def _seen(versions: Sequence[Mapping[str, Any]]) -> str | None:
    """Of the latest version."""
    share = versions[0]["share"] if versions else None
    return None if share is None else f"{share:.0%}"


def _counts(by_algorithm: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in by_algorithm.items())


@contextmanager
def _progress(name: str) -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on stderr when a person looks at it."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        shown = name.replace("[", "\\[")
        task = bar.add_task(shown, total=None)

        def tell(position: int, total: int) -> None:
            # What follows is one transaction, which has no middle.
            read = " (read; into the database)" if total and position >= total else ""
            bar.update(task, description=shown + read, completed=position, total=total or None)

        yield tell
