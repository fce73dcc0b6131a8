"""`vangnet worker` and `vangnet recorder`: the processes of a crawl."""

from __future__ import annotations

import asyncio
import os
import resource

import click
import structlog

from crawler.cli.context import JSON_OPTION, Globals, emit
from crawler.cli.logs import log_to_stderr
from crawler.errors import OptionInvalid, Refused, VangnetError
from crawler.fetch.surroundings import address_families, certificate_store, descriptors, descriptors_needed, proxies
from crawler.home import Home
from crawler.meters import serve
from crawler.options import Options
from crawler.sandbox.forget import relaunch_forgetful

_log = structlog.get_logger()
_COLUMNS = ("name", "added_at", "revoked_at")
_PARENT = click.option("--parent", type=int, default=0, hidden=True, help="Stop when this process is gone.")


@click.command()
@click.option("--campaign", default=None, help="Refuse to start unless this campaign is running.")
@click.option("--enrol", metavar="KEY", help="In the recorder's home: believe the worker with this key.")
@click.option("--revoke", metavar="WORKER", help="There: believe the worker with this name or key no more, for good.")
@click.option("--list", "listing", is_flag=True, help="There: show the known workers; with --json, their keys.")
@JSON_OPTION
@_PARENT
@click.pass_obj
def worker(
    context: Globals,
    *,
    campaign: str | None,
    enrol: str | None,
    revoke: str | None,
    listing: bool,
    as_json: bool,
    parent: int,
) -> None:
    """Join the crawl at REDIS_URL: one more worker, until no campaign is running.

    With --enrol, --revoke or --list nothing is joined: they say whose results the recorder of this home believes.
    """
    if sum(map(bool, (campaign, enrol, revoke, listing))) > 1:
        raise click.UsageError("--campaign, --enrol, --revoke and --list exclude each other")
    if enrol or revoke or listing:
        _keep_keys(context, enrol, revoke, as_json)
    else:
        _work(context, campaign, parent)


def _keep_keys(context: Globals, enrol: str | None, revoke: str | None, as_json: bool) -> None:
    from crawler.cli.tables import print_table
    from crawler.service.enrol import enrol_worker, list_workers, revoke_worker
    from crawler.service.session import open_session

    home = context.open_home()
    if not home.database.exists():
        raise Refused(f"home {home.root} has no database; give --home of the recorder")
    with open_session(home, context.user) as at:
        if enrol or revoke:
            done = enrol_worker(at.db, at.actor, enrol) if enrol else revoke_worker(at.db, at.actor, revoke or "")
            if as_json:
                emit(done)
            else:
                click.echo(f"{'enrolled' if enrol else 'revoked'}: {done['name']}")
            return
        found = list_workers(at.db, at.actor)
    if as_json:
        emit(found)
    else:
        print_table(_COLUMNS, ([row[name] for name in _COLUMNS] for row in found), empty="no workers are known")


def _work(context: Globals, campaign: str | None, parent: int) -> None:
    relaunch_forgetful()  # first: whatever was imported before is imported again
    log_to_stderr(context.verbose)
    # A worker holds images in memory; a crash must not write them to a core file.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    options = _with_server(context)
    _look_around(options)
    home = context.open_home(options)
    serve(options.metrics_port)
    asyncio.run(_let_in(options, home, campaign))
    _crawl(context, home, parent)


def _crawl(context: Globals, home: Home, parent: int) -> None:
    # Late: who is not let in need not wait for these.
    from scrapy.crawler import AsyncCrawlerProcess
    from scrapy.utils.project import get_project_settings

    from crawler.wiring import WorkerExtension

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


def _look_around(options: Options) -> None:
    """Say what is missing here, once. Raises OptionInvalid when a worker could not work."""
    wanted = descriptors_needed(options.page_concurrency + options.image_concurrency, options.sweep_concurrency)
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= limit < wanted and (most < 0 or limit < most):
        limit = wanted if most < 0 else min(wanted, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, most))
    # A lab needs no way out.
    for finding in (proxies(os.environ), certificate_store(), *(() if options.lab else address_families())):
        if not finding.ok:
            _log.warning(finding.line)
    files = descriptors(limit, wanted)
    if not files.ok:
        raise OptionInvalid(files.line)


async def _let_in(options: Options, home: Home, campaign: str | None) -> None:
    """Join the active runs before the engine starts: here, a wait of a minute can be interrupted."""
    from crawler.bus.client import connect
    from crawler.bus.control import Control, RunState

    client = await connect(options.redis_url)
    try:
        from crawler.wiring import membership_of  # brings Scrapy along, which is of no use without a server

        control = Control(client, options.key_prefix)
        await control.agree_partitions(options.partitions)
        active = await control.active()
        if campaign is not None and campaign not in {marker.run.campaign for marker in active}:
            raise Refused(f"campaign {campaign!r} is not running at REDIS_URL; start it first")
        membership = membership_of(client, options, home)
        for marker in active:
            if marker.state is not RunState.STOPPED:
                await membership.join(marker)
    finally:
        await client.aclose()


@click.command()
@_PARENT
@click.pass_obj
def recorder(context: Globals, parent: int) -> None:
    """Write what the workers at REDIS_URL found into this home's database."""
    from crawler.service.recording import record

    log_to_stderr(context.verbose)
    options = _with_server(context)
    home = context.open_home(options)
    serve(options.metrics_port)
    asyncio.run(record(options, home, parent))


def _with_server(context: Globals) -> Options:
    options = context.options()
    if not options.redis_url:
        raise OptionInvalid("set REDIS_URL to the server of the crawl, for instance redis://HOST:6379/0")
    return options
