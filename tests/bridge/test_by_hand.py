"""`scrapy fetch` and `scrapy shell` work, through our fetcher, and show what it knows of an answer."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.servers.web import html, serve

SHOW = "print(response.ip_address, response.meta['timings'].header > 0, response.meta['tls'])"


def scrapy(*arguments: str, settings: str = "settings.lab") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"SCRAPY_SETTINGS_MODULE": settings}
    command = [sys.executable, "-m", "scrapy", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


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
