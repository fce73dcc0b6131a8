"""`vangnet fingerprint`: what the pipeline computes for files, in the same sandbox."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crawler.cli.context import JSON_OPTION, Globals, emit
from crawler.records import Rejected

if TYPE_CHECKING:
    from crawler.cli.printer import Printer

EXTRAS = ("avif", "heif", "jxl")


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option("--orientations", type=click.Choice(("none", "mirror", "all")), default="mirror", show_default=True)
@click.option("--full", is_flag=True, help="Decode JPEG in full: codes equal the references', and it takes longer.")
@click.option("--extra", "extras", type=click.Choice(EXTRAS), multiple=True, help="Decode this format too.")
@JSON_OPTION
@click.pass_context
def fingerprint(
    ctx: click.Context,
    *,
    files: tuple[Path, ...],
    orientations: Any,
    full: bool,
    extras: tuple[str, ...],
    as_json: bool,
) -> None:
    """Print digests, PDQ codes, pHash and the codes of installed hashers, of image files.

    Exit code 1: one of them could not be fingerprinted.
    """
    from crawler.cli.printer import Printer

    printer = Printer.make(_globals(ctx), orientations=orientations, full=full, extras=extras)
    done = []
    for file in files:
        found = _one(file, printer)
        if isinstance(found, Rejected):
            click.echo(f"vangnet: {_shown(file)}: {found.detail}", err=True)
        else:
            done.append({"file": _shown(file), **found})
            problem = _problem(found)
            if problem:
                click.echo(f"vangnet: {_shown(file)}: {problem}", err=True)
            if not as_json:
                _print(_shown(file), found)
    if as_json:
        emit({"files": done})
    if len(done) < len(files) or any(_problem(each) for each in done):
        ctx.exit(1)


def _globals(ctx: click.Context) -> Globals:
    given = ctx.obj
    assert isinstance(given, Globals)
    return given


def _one(file: Path, printer: Printer) -> dict[str, Any] | Rejected:
    """The description of one file, or why there is none."""
    content = read_file(file, printer.options.max_bytes)
    return content if isinstance(content, Rejected) else printer.describe(content)


def _problem(found: dict[str, Any]) -> str | None:
    if not found["decoded"]:
        return f"could not be decoded ({found['reason']}); digests only"
    failed = [code["algorithm"] for code in found["codes"] if code["value"] is None]
    return f"the hasher {failed[0]} failed on it" if failed else None


def read_file(file: Path, max_bytes: int) -> bytes | Rejected:
    """The bytes of a regular, non-empty file of at most `max_bytes`; a Rejected's detail says what it is instead."""
    try:
        # Opening a FIFO would wait for its writer; without blocking it is opened, seen to be none of ours, and closed.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                return Rejected("file", f"is {_kind(found.st_mode)}, not a file")
            content = stream.read(max_bytes + 1) if found.st_size <= max_bytes else b""
    except OSError as error:
        # A directory cannot be opened this way on every system.
        return Rejected("file", "is a directory, not a file" if file.is_dir() else f"cannot be read: {error.strerror}")
    except ValueError:
        return Rejected("file", "cannot be a file name")
    if found.st_size > max_bytes or len(content) > max_bytes:
        return Rejected("file", f"is larger than {max_bytes} bytes, the most that an image may have")
    return content or Rejected("file", "is empty")


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a directory"
    return "a FIFO" if stat.S_ISFIFO(mode) else "a device or socket"


def _shown(file: Path) -> str:
    return "".join(character if character.isprintable() else "�" for character in str(file))


def _look(found: dict[str, Any]) -> str:
    frames = f", {found['frames']} frames" if found["frames"] > 1 else ""
    damage = ", only partly decoded" if found["partial"] else ""
    return f"{found['format']}, {found['width']} x {found['height']}{frames}{damage}"


def _print(name: str, found: dict[str, Any]) -> None:
    click.echo(f"{name}: {_look(found) if found['decoded'] else 'not decoded'}")
    for algorithm in ("md5", "sha1", "sha256", "phash"):
        click.echo(f"  {algorithm:8} {found[algorithm] or '-'}")
    for code in found["codes"]:
        quality = "" if code["quality"] is None else f"quality {code['quality']} "
        click.echo(f"  {code['algorithm']:8} {code['value'] or '-'} {quality}{code['transform']}")
