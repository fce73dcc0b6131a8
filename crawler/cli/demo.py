"""`vangnet demo`: the main job, end to end, on a mini-internet on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crawler.cli.context import JSON_OPTION, Globals, emit

if TYPE_CHECKING:
    from rich.console import Console

    from crawler.lab.aftermath import Aftermath
    from crawler.lab.demo import Demonstration

HOME = Path("var/demo")
SETTINGS = "settings.lab"
MOST_LINES = 10


@click.command()
@click.option("--no-web", is_flag=True, help="Do not say how to open the desk afterwards.")
@JSON_OPTION
@click.pass_obj
def demo(given: Globals, no_web: bool, as_json: bool) -> None:
    """Crawl a mini-internet of harmless pictures on 127.0.0.0/8 and compare what was found with what was planted.

    Then two people send notices into a directory, some of the lab's hosters act on them, and what they name is visited
    again. Always with lab settings; the home is var/demo unless --home is given. Exit code 1 when something was missed,
    found wrongly, asked for out of scope or ended as it should not, 130 when it was interrupted.
    """
    home = given.home or HOME
    result = _demonstrate(home, given.user)
    if as_json:
        emit(result.to_json())
    else:
        _print(result)
        if not no_web:
            click.echo(f"the desk on these hits: vangnet --settings {SETTINGS} --home {home} web", err=True)
    if not result.passed:
        raise click.exceptions.Exit(130 if result.interrupted else 1)


def _demonstrate(root: Path, user: str | None) -> Demonstration:
    from crawler.lab.demo_home import demo_home
    from crawler.lab.process import Lab
    from crawler.options import load_options
    from crawler.sandbox.kernels import kernel_cache

    with demo_home(root) as home, Lab(prewarm=True) as lab:
        # Before anything imports numba: the kernels that are compiled here are those that the workers find compiled.
        os.environ["NUMBA_CACHE_DIR"] = str(kernel_cache(home.kernels))
        from crawler.cli.display import CrawlDisplay
        from crawler.lab.demo import demonstrate

        options = load_options(SETTINGS)
        with CrawlDisplay() as display:
            return demonstrate(
                home,
                lab,
                options=options,
                settings=SETTINGS,
                user=user,
                progress=display.update,
                say=display.note,
            )


def _print(result: Demonstration) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    sites = Table("site", "kind", title="Listed pictures on the lab's sites", title_justify="left")
    sites.add_column("planted", justify="right")
    sites.add_column("found", justify="right")
    for site in result.sites:
        sites.add_row(site.name, site.kind, str(site.images), str(site.found))
    console.print(sites)
    _line(console, "hits by hoster: " + ", ".join(f"{name} {count}" for name, count in result.hosters))
    _print_urls(console, result)
    for title, urls in (("missed", result.judgement.missed), ("found wrongly", result.judgement.false)):
        for url in urls[:MOST_LINES]:
            _line(console, f"{title}: {url}", "red")
    for what, count in sorted(result.out_of_scope.items()):
        _line(console, f"out of scope: {what}, {count} times", "red")
    if result.aftermath is not None:
        _print_aftermath(console, result.aftermath)
    judged = result.judgement
    _line(
        console,
        f"{'passed' if result.passed else 'failed'}: {judged.found} of {judged.planted} planted pictures found, "
        f"{len(judged.false)} found wrongly, {result.trespasses} requests out of scope, {result.seconds:.0f} s",
        "bold green" if result.passed else "bold red",
    )


def _print_aftermath(console: Console, after: Aftermath) -> None:
    visits = ", ".join(f"{outcome} {count}" for outcome, count in after.visits.outcomes.items())
    _line(console, f"notices: {after.notices} left, hits removed {after.removed}, still up {after.still_up}")
    _line(console, f"visits after them: {visits} (in {after.visits.rounds} rounds)")
    for hit in after.wrong[:MOST_LINES]:
        _line(console, f"not where its hoster's deed leads: hit {hit}", "red")


def _print_urls(console: Console, result: Demonstration) -> None:
    urls = result.summary.urls
    for outcome in ("failed", "skipped"):
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(urls[outcome].items()))
        _line(console, f"URLs {outcome}: {reasons or 'none'}")
    failed, skipped = (sum(urls[outcome].values()) for outcome in ("failed", "skipped"))
    sums = f"{urls['fetched']} fetched + {failed} failed + {skipped} skipped + {urls['pending']} pending"
    _line(console, f"URLs: {urls['discovered']} discovered = {sums}")


def _line(console: Console, text: str, style: str | None = None) -> None:
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
