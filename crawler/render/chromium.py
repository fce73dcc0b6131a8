"""One headless Chromium: started behind its launcher on a profile in memory, watched, and ended with all its processes.

It has no way to any network (`launch.py`). The switches below keep it from trying, so that it does not wait for what it
cannot have.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, Error, Playwright, async_playwright

from crawler.errors import RenderUnavailable
from crawler.render.launch import BINARY, LONGEST_FILE, PID_FILE, PROFILE
from crawler.render.leftovers import PREFIX, clear_up, members
from crawler.render.machine import launcher, program

STARTING_SECONDS: Final = 15.0
"""In which a browser must have come up."""
_LONGEST_FILE: Final = 268_435_456
_GONE: Final = 5.0
SWITCHES: Final = (
    "--proxy-server=http://127.0.0.1:9",
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--disable-quic",
    "--dns-prefetch-disable",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-gpu",
    "--disable-domain-reliability",
    "--disable-client-side-phishing-detection",
    "--no-pings",
    "--disable-logging",
    "--disk-cache-size=1",
    "--media-cache-size=1",
    "--disable-gpu-shader-disk-cache",
    "--js-flags=--max-old-space-size=256",
    "--renderer-process-limit=2",
)


@dataclass(slots=True)
class Chromium:
    """A running browser. profile: its directory.  session: the number of its first process.  pages: opened so far."""

    driver: Playwright
    browser: Browser
    profile: Path
    session: int
    pages: int = 0

    @staticmethod
    async def start(directory: Path) -> Chromium:
        """Raises RenderUnavailable, when it does not come up. directory: on tmpfs."""
        found = program()
        if found is None:
            raise RenderUnavailable("there is no Chromium on this machine; install Debian's package chromium")
        await asyncio.to_thread(clear_up, directory)
        profile = Path(tempfile.mkdtemp(prefix=PREFIX, dir=directory))
        driver: Playwright | None = None
        try:
            driver = await async_playwright().start()
            browser = await driver.chromium.launch(
                executable_path=launcher(),
                headless=True,
                chromium_sandbox=True,
                handle_sigint=False,
                handle_sigterm=False,
                handle_sighup=False,
                args=list(SWITCHES),
                env={
                    "PATH": "/usr/bin:/bin",
                    BINARY: found,
                    PROFILE: str(profile),
                    LONGEST_FILE: str(_LONGEST_FILE),
                },
                timeout=1000 * STARTING_SECONDS,
            )
            return Chromium(driver, browser, profile, int((profile / PID_FILE).read_text()))
        except (Error, OSError, ValueError) as error:
            await _discard(driver, profile)
            raise RenderUnavailable(f"Chromium does not start: {str(error).splitlines()[0]}") from error
        except BaseException:
            await _discard(driver, profile)
            raise

    @property
    def alive(self) -> bool:
        return self.browser.is_connected()

    def memory(self) -> int:
        """Bytes that its processes have for themselves, and the most that one has of what they share."""
        found = list(members(self.session))
        return sum(each.private for each in found) + max((each.shared for each in found), default=0)

    async def end(self) -> None:
        """End it, gently if it can still be spoken to; nothing of it is left, no process and no file."""
        with suppress(Error, TimeoutError):
            async with asyncio.timeout(_GONE):
                await self.browser.close()
        self.kill()
        await _discard(self.driver, self.profile)

    def kill(self) -> None:
        """At once. Its launcher buries it."""
        for each in members(self.session):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(each.pid, signal.SIGKILL)


async def _discard(driver: Playwright | None, profile: Path) -> None:
    if driver is not None:
        # A driver that is gone already cannot be told to go, and one that hangs does not answer.
        with suppress(Exception):
            async with asyncio.timeout(_GONE):
                await driver.stop()
    shutil.rmtree(profile, ignore_errors=True)
