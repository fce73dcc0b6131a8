"""`vangnet hashes`: import hash lists, enable and disable them, look values up."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from crawler.cli.context import JSON_OPTION, Globals, emit

FORMATS = ("auto", "lines", "csv", "vics", "ncmec", "interpol")


@click.group()
def hashes() -> None:
    """The hash lists that images are matched against."""


@hashes.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--list", "name", required=True, metavar="NAME", help="The list; an import is its next version.")
@click.option("--format", "format_name", type=click.Choice(FORMATS), default="auto", show_default=True)
@click.option("--kind", type=click.Choice(("block", "benign")), default="block", show_default=True)
@click.option("--category", "categories", multiple=True, help="A category that counts; may be repeated. Default: all.")
@click.option("--column", "columns", multiple=True, metavar="ROLE=NAME", help="csv: md5=Hash, category=Cat, id=Key …")
@click.option("--skip-invalid", is_flag=True, help="Leave out what is malformed, and count it by reason.")
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
    as_json: bool,
) -> None:
    """Import FILE as the next version of a list, all of it or nothing. A new list is enabled at once."""
    from crawler.match.entries import ImportOptions
    from crawler.service import lists as service
    from crawler.service.session import open_session

    options = ImportOptions(
        format=format_name, kind=kind, categories=frozenset(categories) or None, columns=_columns(columns)
    )
    with open_session(globals_.open_home(), globals_.user) as at, _progress(file.name) as progress:
        version = service.import_list(
            at.db, at.actor, file, name=name, options=options, skip_invalid=skip_invalid, progress=progress
        )
    done = service.version_json(version)
    if as_json:
        emit(done)
        return
    state = "enabled" if done["enabled"] else "disabled"
    click.echo(f"{name} version {done['version']} ({done['kind']}, {state}): {done['entries']} entries")
    click.echo(f"{done['added']} new, {done['withdrawn']} withdrawn, {done['duplicates']} duplicates")
    for reason, count in done["skipped"].items():
        click.echo(f"left out: {count} × {reason}")


@hashes.command(name="lists")
@JSON_OPTION
@click.pass_obj
def lists_(globals_: Globals, as_json: bool) -> None:
    """List the hash lists."""
    from crawler.cli.tables import print_table
    from crawler.service import lists as service
    from crawler.service.session import open_session

    with open_session(globals_.open_home(), globals_.user) as at:
        found = [service.list_json(row) for row in service.all_lists(at.db, at.actor)]
    if as_json:
        emit(found)
        return
    print_table(
        ("name", "kind", "enabled", "version", "entries", "by algorithm", "imported at"),
        ([*_first(row), _counts(row["by_algorithm"]), row["imported_at"][:16].replace("T", " ")] for row in found),
        empty="no lists; run `vangnet hashes import FILE --list NAME`",
    )


@hashes.command()
@click.argument("name")
@JSON_OPTION
@click.pass_obj
def enable(globals_: Globals, name: str, as_json: bool) -> None:
    """Match against a list; running crawls do so within seconds."""
    _set_enabled(globals_, name, True, as_json)


@hashes.command()
@click.argument("name")
@JSON_OPTION
@click.pass_obj
def disable(globals_: Globals, name: str, as_json: bool) -> None:
    """Match against a list no longer; running crawls neither, within seconds."""
    _set_enabled(globals_, name, False, as_json)


@hashes.command()
@click.argument("name")
@JSON_OPTION
@click.pass_obj
def drop(globals_: Globals, name: str, as_json: bool) -> None:
    """Delete a list's entries and the index files that hold them. Its hits stay."""
    from crawler.service import lists as service
    from crawler.service.session import open_session

    with open_session(globals_.open_home(), globals_.user) as at:
        entries = service.drop(at.db, at.actor, name)
    if as_json:
        emit({"name": name, "dropped": entries})
    else:
        click.echo(f"{name}: dropped, {entries} entries deleted")


@hashes.command()
@click.argument("values", nargs=-1, required=True, metavar="VALUE...")
@JSON_OPTION
@click.pass_obj
def check(globals_: Globals, values: tuple[str, ...], as_json: bool) -> None:
    """Look up digests or perceptual hashes (hexadecimal, "pdq:…" or bare) in all lists."""
    from crawler.cli.tables import print_table
    from crawler.service.checks import check as look_up
    from crawler.service.session import open_session

    with open_session(globals_.open_home(), globals_.user) as at:
        answers = look_up(at.db, at.actor, values)
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


def _set_enabled(globals_: Globals, name: str, enabled: bool, as_json: bool) -> None:
    from crawler.service import lists as service
    from crawler.service.session import open_session

    with open_session(globals_.open_home(), globals_.user) as at:
        row = service.set_enabled(at.db, at.actor, name, enabled)
    if as_json:
        emit(service.list_json(row))
    else:
        click.echo(f"{name}: {'enabled' if row.enabled else 'disabled'}")


def _columns(pairs: tuple[str, ...]) -> dict[str, str]:
    columns = {}
    for pair in pairs:
        role, sign, column = pair.partition("=")
        if not (role and sign and column):
            raise click.UsageError(f"--column {pair!r} is not ROLE=NAME")
        columns[role] = column
    return columns


def _first(row: Mapping[str, Any]) -> list[object]:
    return [row["name"], row["kind"], "yes" if row["enabled"] else "no", row["version"], row["entries"]]


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
        task = bar.add_task(name.replace("[", "\\["), total=None)
        yield lambda position, total: bar.update(task, completed=position, total=total or None)
