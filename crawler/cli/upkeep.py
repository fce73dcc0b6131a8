"""`vangnet keys`, `backup`, `restore` and `retention`."""

from __future__ import annotations

from pathlib import Path

import click

from crawler.cli.context import JSON_OPTION, Globals, tell

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

    with globals_.session() as at:
        done = rotate_keys(at.db, at.actor, forget_old=forget_old, progress=None if as_json else _progress)
    kept = f"{', '.join(done['kept'])}: opens nothing here any more, and backups made before; --forget-old"
    lines = [f"{done['key']} seals now; {done['resealed']} values were sealed anew", *([kept] if done["kept"] else [])]
    tell(done, *lines, as_json=as_json)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@JSON_OPTION
@click.pass_obj
def backup(globals_: Globals, *, file: Path, as_json: bool) -> None:
    """Write a consistent copy of the database to FILE; what is sealed stays sealed. Keep the keys elsewhere."""
    from crawler.service.upkeep import back_up

    with globals_.session() as at:
        done = back_up(at.db, at.actor, file)
    line = f"{done['file']}: {done['bytes']} bytes, sha256 {done['sha256']}, {done['events']} events"
    tell(done, line, as_json=as_json)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="In the place of the database that is there, which is kept beside it.")
@JSON_OPTION
@click.pass_obj
def restore(globals_: Globals, *, file: Path, replace: bool, as_json: bool) -> None:
    """Put the backup FILE in the place of this home's database, once its keys and its audit chain fit."""
    from crawler.service.upkeep import restore as put_back

    done = put_back(globals_.open_home(), globals_.user, file, replace=replace)
    before = [f"what was there before is in {done['before']}"] if done["before"] else []
    tell(done, f"restored, {done['events']} events", *before, as_json=as_json)


@click.group()
def retention() -> None:
    """What may not be kept any longer."""


@retention.command()
@click.option("--dry-run", is_flag=True, help="Only count.")
@JSON_OPTION
@click.pass_obj
def run(globals_: Globals, *, dry_run: bool, as_json: bool) -> None:
    """Erase URLs of hits that were rejected or closed long ago, old sessions, and index files that nobody needs."""
    from crawler.service.upkeep import retain

    options = globals_.options()
    with globals_.session(options) as at:
        done = retain(at.db, at.actor, options, dry_run=dry_run)
    names = ("hits", "sightings", "sessions", "sign_ins", "index_files")
    counts = (f"{done[name]} {name.replace('_', '-')}" for name in names)
    tell(done, f"{'would be erased' if dry_run else 'erased'}: {', '.join(counts)}", as_json=as_json)


def _progress(done: int) -> None:
    if done % _SHOWN_EVERY == 0:
        click.echo(f"{done} values sealed anew", err=True)
