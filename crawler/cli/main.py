"""`vangnet`: the root command, its global options, and the one place where an error becomes a line and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from importlib import import_module
from pathlib import Path

import click

from crawler import __version__
from crawler.cli.context import Globals
from crawler.errors import VangnetError
from crawler.service.texts import plain
from crawler.starting import without

COMMANDS = {
    "attribute": ("scope", "Who hosts an address or URL, with sources."),
    "audit": ("audit", "Verify and read the audit chain."),
    "backup": ("upkeep", "Write a consistent copy of the database."),
    "campaign": ("campaign", "Create, approve, start, steer and follow campaigns."),
    "cases": ("cases", "The desk's queue and its acts, for the terminal."),
    "crawl": ("crawl", "Crawl a campaign on this machine, and wait until everything is recorded."),
    "data": ("data", "Address and domain data: what is loaded, and how old."),
    "demo": ("demo", "The main job, end to end, on a loopback mini-internet."),
    "doctor": ("doctor", "What is missing or unsafe, and how to mend it."),
    "fingerprint": ("fingerprint", "What the pipeline computes for a file."),
    "hashes": ("hashes", "Import, list, enable and check hash lists."),
    "hits": ("hits", "List, show and decide hits."),
    "keys": ("upkeep", "A new key for the sealed fields."),
    "notices": ("notices", "Draft, approve and send notices to hosters."),
    "recheck": ("recheck", "Visit again what notices name."),
    "recorder": ("worker", "Write what the workers at REDIS_URL found into this home."),
    "report": ("report", "Hosters, volumes, time to removal."),
    "restore": ("upkeep", "Put a backup in the place of the database."),
    "retention": ("upkeep", "Erase what may not be kept any longer."),
    "schedule": ("schedule", "Nightly crawls: add, list, pause, remove, run what is due."),
    "scope": ("scope", "Whether an address, host or URL is in scope, and why."),
    "stop": ("stop", "Emergency stop for everything, a host or a prefix."),
    "users": ("users", "People, their roles, and signing in."),
    "web": ("web", "The desk, in a browser."),
    "worker": ("worker", "Join the crawl at REDIS_URL: one more worker."),
}
"""Command -> (module of `crawler.cli` that defines it, what it does); imported only when it is used."""


class _Root(click.Group):
    """Loads a command's module when it is named, so that `vangnet --help` needs no numpy."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        # structlog would load rich for tracebacks in colour and Twisted for its logs, each a twentieth of a start: our
        # logs have neither.
        with without("rich", "twisted"):
            import_module("structlog")
        module = import_module(f"crawler.cli.{COMMANDS[cmd_name][0]}")
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.command(cls=_Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vangnet")
@click.option("--home", type=click.Path(path_type=Path), envvar="VANGNET_HOME", help="Database, keys, indexes, logs.")
@click.option("--settings", envvar="SCRAPY_SETTINGS_MODULE", default="settings.production", show_default=True)
@click.option("--user", envvar="VANGNET_USER", default=None, help="Who acts.")
@click.option("--verbose", is_flag=True, envvar="VANGNET_VERBOSE", help="More progress on stderr.")
@click.pass_context
def vangnet(ctx: click.Context, home: Path | None, settings: str, user: str | None, verbose: bool) -> None:
    """Find known abuse imagery on servers in the Netherlands, and keep no image."""
    ctx.obj = Globals(home=home, settings=settings, user=user, verbose=verbose)


def entry() -> None:
    """Run the command line; the exit codes are those of the design: 0, 1, 2, 3, 130."""
    try:
        code = vangnet.main(prog_name="vangnet", standalone_mode=False)
        sys.stdout.flush()
    except VangnetError as error:
        _complain(str(error))
        code = error.exit_code
    except click.exceptions.Exit as error:
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = 2
    except (click.Abort, KeyboardInterrupt):
        _complain("interrupted")
        code = 130
    except BrokenPipeError:
        # The reader of our output went away; nothing is left to say, and the interpreter must not try at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except Exception as error:  # noqa: BLE001  a person gets a line, never a traceback; --verbose shows the rest
        if "--verbose" in sys.argv:
            traceback.print_exc()
        _complain(f"internal error, please report it: {type(error).__name__}: {error} (--verbose shows where)")
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _complain(message: str) -> None:
    # A message may quote a file or a server, whose text must not steer a terminal.
    click.echo(f"vangnet: {plain(' '.join(message.split()))}", err=True)
