"""What every command gets: the global options, and how results are printed."""

from __future__ import annotations

import json
import re
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crawler.errors import OptionInvalid
from crawler.home import Home, open_home
from crawler.options import Options, load_options

if TYPE_CHECKING:
    from crawler.service.session import Session

_FOREIGN = re.compile(r"[^\x20-\x7e\n]")
JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


@dataclass(frozen=True, slots=True)
class Globals:
    """The options before the command. home: None when not given, which commands read as `./var`."""

    home: Path | None
    settings: str
    user: str | None
    verbose: bool

    def options(self) -> Options:
        """The installation's options. Refuses a `settings` package that is not the one of this distribution."""
        _own_settings(self.settings)
        return load_options(self.settings)

    def open_home(self, options: Options | None = None) -> Home:
        """The home directory, made when missing."""
        lab = (options or self.options()).lab
        return open_home(self.home or Path("var"), lab=lab)

    def session(self, options: Options | None = None) -> AbstractContextManager[Session]:
        """The store of the home and who acts, for as long as a command runs."""
        from crawler.service.session import open_session

        return open_session(self.open_home(options), self.user)

    def actor(self) -> str:
        """Who acts: --user or VANGNET_USER, else "operator" (free in the lab, authenticated by services)."""
        return self.user or "operator"


def _own_settings(module: str) -> None:
    if module.split(".", maxsplit=1)[0] != "settings":
        return
    own = Path(__file__).resolve().parents[2] / "settings"
    found = find_spec("settings")
    location = None if found is None or found.origin is None else Path(found.origin).resolve().parent
    if location != own:
        raise OptionInvalid(f"the package `settings` at {location} hides Vangnet's own; run from another directory")


def emit(document: Any) -> None:
    """Print one JSON document on stdout. What could steer a terminal is escaped, which JSON takes for the same."""
    text = json.dumps(document, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None)
    sys.stdout.write(_FOREIGN.sub(_escaped, text) + "\n")


def _escaped(found: re.Match[str]) -> str:
    return found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1]


def tell(document: Any, *lines: str, as_json: bool) -> None:
    """Print what a command came to: the document, or the lines that say it to people."""
    if as_json:
        emit(document)
    else:
        click.echo("\n".join(lines))


def remark(line: str) -> None:
    """Print a line for people on stderr."""
    click.echo(f"vangnet: {line}", err=True)
