"""`vangnet keys`, `backup`, `restore` and `retention`."""

from __future__ import annotations

from pathlib import Path

import click

from crawler.cli.context import JSON_OPTION, Globals, emit

_SHOWN_EVERY = 5_000


@click.group()
def keys() -> None:
    """The keys of the sealed fields."""


@keys.command()
@click.option("--forget-old", is_flag=True, help="Remove older keys afterwards; older backups cannot be read then.")
@JSON_OPTION
@click.pass_obj
def rotate(globals_: Globals, *, forget_old: bool, as_json: bool) -> None:
    """Seal every field with a new key. May be interrupted and started again; nothing has to stop for it."""
    from crawler.service.keys import rotate_keys
    from crawler.service.session import open_session

    with open_session(globals_.open_home(), globals_.user) as at:
        done = rotate_keys(at.db, at.actor, forget_old=forget_old, progress=_progress if not as_json else None)
    if as_json:
        emit(done)
        return
    click.echo(f"{done['key']} seals now; {done['resealed']} values were sealed anew")
    if done["kept"]:
        click.echo(f"{', '.join(done['kept'])}: opens nothing here any more, and backups made before; --forget-old")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@JSON_OPTION
@click.pass_obj
def backup(globals_: Globals, *, file: Path, as_json: bool) -> None:
    """Write a consistent copy of the database to FILE; what is sealed stays sealed. Keep the keys elsewhere."""
    from crawler.service.session import open_session
    from crawler.service.upkeep import back_up

    with open_session(globals_.open_home(), globals_.user) as at:
        done = back_up(at.db, at.actor, file)
    if as_json:
        emit(done)
    else:
        click.echo(f"{done['file']}: {done['bytes']} bytes, sha256 {done['sha256']}, {done['events']} events")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="In the place of the database that is there, which is kept beside it.")
@JSON_OPTION
@click.pass_obj
def restore(globals_: Globals, *, file: Path, replace: bool, as_json: bool) -> None:
    """Put the backup FILE in the place of this home's database, once its keys and its audit chain fit."""
    from crawler.service.upkeep import restore as put_back

    done = put_back(globals_.open_home(), globals_.user, file, replace=replace)
    if as_json:
        emit(done)
        return
    click.echo(f"restored, {done['events']} events")
    if done["before"]:
        click.echo(f"what was there before is in {done['before']}")


@click.group()
def retention() -> None:
    """What may not be kept any longer."""


@retention.command()
@click.option("--dry-run", is_flag=True, help="Only count.")
@JSON_OPTION
@click.pass_obj
def run(globals_: Globals, *, dry_run: bool, as_json: bool) -> None:
    """Erase URLs of hits that were rejected or closed long ago, and old sessions."""
    from crawler.service.session import open_session
    from crawler.service.upkeep import retain

    options = globals_.options()
    with open_session(globals_.open_home(options), globals_.user) as at:
        done = retain(at.db, at.actor, options, dry_run=dry_run)
    if as_json:
        emit(done)
        return
    verb = "would be erased" if dry_run else "erased"
    shown = ", ".join(
        f"{done[name]} {name.replace('_', '-')}" for name in ("hits", "sightings", "sessions", "sign_ins")
    )
    click.echo(f"{verb}: {shown}")


def _progress(done: int) -> None:
    if done % _SHOWN_EVERY == 0:
        click.echo(f"{done} values sealed anew", err=True)
