"""The desk in a browser: Debian's Chromium, without a screen, and `vangnet web` as it is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
# Far more than it takes on a quiet machine.
expect.set_options(timeout=20_000)
NEEDED = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium cannot be installed here")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, "--no-first-run"])
        yield browser
        browser.close()


@contextmanager
def served(home: Path, settings: str = "settings.production", **options: str) -> Iterator[str]:
    """The desk of a home, as `vangnet web` serves it; its address. options: as the environment names them."""
    command = [sys.executable, "-m", "crawler", "--home", str(home), "--settings", settings, "web", "--port", "0"]
    env = os.environ | options
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stderr is not None
        try:
            told = process.stderr.readline()
            found = re.search(r"http://\S+/", told)
            assert found, told
            yield found[0]
        finally:
            process.terminate()
            assert process.wait(30) == 0


def opened(chromium: Browser, width: int, troubles: list[str], asked: set[str]) -> Page:
    page = chromium.new_context(viewport={"width": width, "height": 900}).new_page()
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: asked.add(request.url))
    return page


def narrow_enough(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))
