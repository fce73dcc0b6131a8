"""`vangnet worker` and `vangnet recorder`: the processes of a crawl."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from contextlib import suppress

import click

from crawler.cli.context import Globals
from crawler.cli.logs import log_to_stderr
from crawler.errors import OptionInvalid, Refused, VangnetError
from crawler.home import Home
from crawler.options import Options

_PARENT = click.option("--parent", type=int, default=0, hidden=True, help="Stop when this process is gone.")


@click.command()
@click.option("--campaign", default=None, help="Refuse to start unless this campaign is running.")
@_PARENT
@click.pass_obj
def worker(context: Globals, campaign: str | None, parent: int) -> None:
    """Join the crawl at REDIS_URL: one more worker, until no campaign is running."""
    from scrapy.crawler import AsyncCrawlerProcess
    from scrapy.utils.project import get_project_settings

    from crawler.wiring import WorkerExtension

    log_to_stderr(context.verbose)
    # A worker holds images in memory; a crash must not write them to a core file.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    options = _with_server(context)
    home = context.open_home(options)
    if campaign is not None:
        asyncio.run(_require_campaign(options, campaign))
    os.environ["SCRAPY_SETTINGS_MODULE"] = context.settings
    settings = get_project_settings()
    settings.set("VANGNET_HOME", str(home.root), priority="cmdline")
    settings.set("VANGNET_PARENT", parent, priority="cmdline")
    process = AsyncCrawlerProcess(settings)
    crawler = process.create_crawler("crawl")
    process.crawl(crawler)
    process.start(install_signal_handlers=False)
    extension = crawler.get_extension(WorkerExtension)
    if extension is None:
        raise VangnetError("the worker extension is not installed; use settings that build on settings.base")
    if extension.failure is not None:
        raise extension.failure


async def _require_campaign(options: Options, campaign: str) -> None:
    from crawler.bus.control import Control
    from crawler.wiring import connect

    client = connect(options.redis_url)
    try:
        active = await Control(client, options.key_prefix).active()
    finally:
        await client.aclose()
    if campaign not in {control.run.campaign for control in active}:
        raise Refused(f"campaign {campaign!r} is not running at REDIS_URL; start it first")


@click.command()
@_PARENT
@click.pass_obj
def recorder(context: Globals, parent: int) -> None:
    """Write what the workers at REDIS_URL found into this home's database."""
    log_to_stderr(context.verbose)
    options = _with_server(context)
    home = context.open_home(options)
    asyncio.run(_record(options, home, parent))


async def _record(options: Options, home: Home, parent: int) -> None:
    from crawler.recorder import Recorder
    from crawler.store.database import open_store
    from crawler.store.keys import key_file
    from crawler.wiring import connect, frontier_of, tables_of

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    client = connect(options.redis_url)
    with open_store(home) as db:
        recorder = Recorder(frontier_of(client, options), db, tables_of(home), key_file(home.keys, "recorder"))
        watch = asyncio.create_task(_orphaned(parent, stop))
        try:
            await recorder.run(stop)
        finally:
            watch.cancel()
            await client.aclose()


async def _orphaned(parent: int, stop: asyncio.Event) -> None:
    """Sets `stop` when the process that started this one is gone; the kernel has no event for that."""
    while not stop.is_set():
        if parent and os.getppid() != parent:
            stop.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 0.5)


def _with_server(context: Globals) -> Options:
    options = context.options()
    if not options.redis_url:
        raise OptionInvalid("set REDIS_URL to the server of the crawl, for instance redis://HOST:6379/0")
    return options
