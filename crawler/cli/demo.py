"""`vangnet demo`: the main job, end to end, on a mini-internet on this machine."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from crawler.cli.context import JSON_OPTION, Globals, emit
from crawler.cli.display import CrawlDisplay
from crawler.lab.demo import SETTINGS, Demonstration, demonstrate
from crawler.options import load_options

HOME = Path("var/demo")
MOST_LINES = 10


@click.command()
@click.option("--no-web", is_flag=True, help="Do not open the desk afterwards.")
@JSON_OPTION
@click.pass_obj
def demo(given: Globals, no_web: bool, as_json: bool) -> None:
    """Crawl a mini-internet of harmless pictures on 127.0.0.0/8 and compare what was found with what was planted.

    Always with lab settings; the home is var/demo unless --home is given. Exit code 1 when something was missed, found
    wrongly or asked for out of scope, 130 when it was interrupted.
    """
    del no_web  # there is no desk to open yet, so both ways are the same
    options = load_options(SETTINGS)
    with CrawlDisplay() as display:
        result = demonstrate(given.home or HOME, options, given.user, display.update)
    if as_json:
        emit(result.to_json())
    else:
        _print(result, Console())
    if not result.passed:
        raise click.exceptions.Exit(130 if result.summary.interrupted else 1)


def _print(result: Demonstration, console: Console) -> None:
    sites = Table(title="Listed pictures on the lab's sites", title_justify="left")
    for column, justify in (("site", "left"), ("kind", "left"), ("planted", "right"), ("found", "right")):
        sites.add_column(column, justify="right" if justify == "right" else "left")
    for site in result.sites:
        sites.add_row(site.name, site.kind, str(site.images), str(site.found))
    console.print(sites)
    console.print("Hits by hoster: " + ", ".join(f"{name} {count}" for name, count in result.hosters))
    _print_urls(result, console)
    for title, urls in (("missed", result.judgement.missed), ("found wrongly", result.judgement.false)):
        for url in urls[:MOST_LINES]:
            console.print(f"[red]{title}[/red] {url}", highlight=False)
    for what, count in sorted(result.out_of_scope.items()):
        console.print(f"[red]out of scope[/red] {what}: {count}", highlight=False)
    judged = result.judgement
    verdict = "[green]passed[/green]" if result.passed else "[red]failed[/red]"
    console.print(
        f"{verdict}: {judged.found} of {judged.planted} planted pictures found, {len(judged.false)} found wrongly, "
        f"{result.trespasses} requests out of scope, {result.seconds:.0f} s"
    )


def _print_urls(result: Demonstration, console: Console) -> None:
    urls = result.summary.urls
    for outcome in ("failed", "skipped"):
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(urls[outcome].items()))
        console.print(f"URLs {outcome}: {reasons or 'none'}", highlight=False)
    failed, skipped = (sum(urls[outcome].values()) for outcome in ("failed", "skipped"))
    console.print(
        f"URLs: {urls['discovered']} discovered = {urls['fetched']} fetched + {failed} failed + {skipped} skipped"
    )
