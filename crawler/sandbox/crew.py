"""The processes of a sandbox: a zygote and its children, kept at strength."""

from __future__ import annotations

import asyncio

from crawler.errors import SandboxUnavailable
from crawler.sandbox.endings import Counts
from crawler.sandbox.handle import ChildHandle, Owner
from crawler.sandbox.launcher import ZygoteHandle
from crawler.sandbox.protocol import LONGEST_UPDATE
from crawler.sandbox.settings import SandboxSettings
from crawler.sandbox.strikes import Strikes

WARM_PATIENCE = 20.0
"""Seconds in which a forked child must have closed itself in, and in which it must have taken a state of the lists."""


class Crew:
    """Belongs to one event loop. children: those that live, warm or not.  owner: hears of them."""

    def __init__(self, settings: SandboxSettings, owner: Owner, counts: Counts) -> None:
        self.children: set[ChildHandle] = set()
        self._settings = settings
        self._owner = owner
        self._counts = counts
        self._zygote: ZygoteHandle | None = None
        self._strikes = Strikes()
        self._short = asyncio.Event()

    async def launch(self) -> None:
        """Start a zygote, warm; its children follow in `keep_strength`. Raises as `ZygoteHandle.launch` does."""
        self._counts.zygotes += 1
        self._zygote = await ZygoteHandle.launch(self._settings)
        self._short.set()

    async def keep_strength(self) -> None:
        """Replace what died or retired, without end. Raises SandboxUnavailable when that does not help any more."""
        while True:
            await self._short.wait()
            self._short.clear()
            if self._zygote is None or self._zygote.gone():
                await self._restart()
            try:
                self._fill_up()
            except OSError as error:  # descriptors or memory ran out: perhaps not for long
                await self._strikes.another(f"the system gives no more ({error.strerror})")
                self._short.set()
            except SandboxUnavailable:
                if self._zygote is not None and not self._zygote.gone():
                    raise
                self._short.set()  # it ended while it was asked for a child

    def drop(self, child: ChildHandle, *, kill: bool) -> None:
        """Let a child go, or end it; another takes its place."""
        if kill:
            child.kill()
        child.close()
        self.children.discard(child)
        self._short.set()

    def kill_zygote(self) -> None:
        if self._zygote is not None:
            self._zygote.kill()

    async def close(self) -> None:
        for child in list(self.children):
            self.drop(child, kill=True)
        await self._end_zygote()

    def _fill_up(self) -> None:
        while self._zygote is not None and len(self.children) < self._settings.processes:
            child = ChildHandle(self._zygote, max(self._settings.max_bytes, LONGEST_UPDATE), self._owner)
            child.await_within(WARM_PATIENCE)
            self.children.add(child)

    async def _restart(self) -> None:
        for child in list(self.children):
            self._owner.lost(child, None)
        await self._end_zygote()
        await self._strikes.another("the zygote ends again and again")
        await self.launch()

    async def _end_zygote(self) -> None:
        if self._zygote is not None:
            await self._zygote.close()
            self._zygote = None
