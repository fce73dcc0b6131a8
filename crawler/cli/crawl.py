"""`vangnet crawl`: the one-machine short cut from a campaign file to recorded hits."""

from __future__ import annotations

import os
from pathlib import Path

import click

from crawler.cli.context import JSON_OPTION, Globals, emit, remark
from crawler.cli.display import CrawlDisplay, print_summary
from crawler.fetch.surroundings import proxies
from crawler.service.crawl import CrawlOrder, crawl_campaign
from crawler.service.embedded import server_of
from crawler.service.session import open_session


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Worker processes.")
@click.option("--replace", is_flag=True, help="The file replaces another one of the same name.")
@JSON_OPTION
@click.pass_obj
def crawl(context: Globals, file: Path, workers: int, replace: bool, as_json: bool) -> None:
    """Crawl the campaign in FILE on this machine, and wait until everything is recorded."""
    options = context.options()
    if not (proxy := proxies(os.environ)).ok:
        click.echo(f"vangnet: {proxy.line}", err=True)
    home = context.open_home(options)
    with open_session(home, context.user) as at, server_of(home, options) as url, CrawlDisplay() as display:
        order = CrawlOrder(file, workers, context.settings, url, replace)
        summary = crawl_campaign(home, options, at, order, display.update, say=remark)
    if as_json:
        emit(summary.to_json())
    else:
        print_summary(summary)
    if summary.interrupted:
        raise click.exceptions.Exit(130)
