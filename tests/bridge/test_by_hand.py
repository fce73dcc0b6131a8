"""`scrapy fetch` and `scrapy shell` work, through our fetcher, and show what it knows of an answer."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from scrapy.settings import Settings

from tests.servers.web import html, serve

SHOW = "print(response.ip_address, response.meta['timings'].header > 0, response.meta['tls'])"


def scrapy(*arguments: str, settings: str = "settings.lab") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"SCRAPY_SETTINGS_MODULE": settings}
    command = [sys.executable, "-m", "scrapy", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("module", ["settings.lab", "settings.production"])
def test_nothing_of_the_engine_runs_that_a_crawl_does_not_use(module: str) -> None:
    """No stock middleware (which keeps a robots parser for each host), no telnet console; `-o` alone is left."""
    settings = Settings()
    settings.setmodule(module, priority="project")
    kinds = ("DOWNLOADER_MIDDLEWARES", "SPIDER_MIDDLEWARES", "EXTENSIONS", "ITEM_PIPELINES", "DOWNLOAD_HANDLERS")
    used = [name for kind in kinds for name in settings.get_component_priority_dict_with_base(kind)]
    handlers = settings.getwithbase("DOWNLOAD_HANDLERS")
    assert [name for name in used if name.startswith("scrapy.")] == ["scrapy.extensions.feedexport.FeedExporter"]
    assert {scheme for scheme, handler in handlers.items() if handler} == {"http", "https"}
    assert not settings.getbool("TELNETCONSOLE_ENABLED")


def test_scrapy_fetch() -> None:
    with serve({"/": html("hello by hand")}) as site:
        done = scrapy("fetch", site.root + "/")
        assert (done.returncode, done.stdout.strip()) == (0, "hello by hand")
        [asked] = site.headers
    assert asked["User-Agent"] == "Vangnet (by hand)"
    assert asked["Accept"].startswith("text/html")


@pytest.mark.parametrize("settings", ["settings.lab", "settings.production"])
def test_scrapy_shell(settings: str) -> None:
    with serve({"/": html("hello")}) as site:
        done = scrapy("shell", site.root + "/", "-c", SHOW, settings=settings)
    if settings == "settings.lab":
        assert done.stdout.splitlines()[0] == "127.0.0.1 True None"
    else:  # loopback is the lab's
        assert (done.returncode, site.requests) == (1, [])
        assert done.stderr.splitlines()[-1].endswith("NotFetched: blocked-scope")
