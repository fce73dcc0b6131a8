"""A sandbox whose index file may change: each file is a generation of processes of its own, the next one takes over.

The new generation warms up while the old one works; then what waits is handed over and what is being looked at ends
where it is. No image is lost over that, and none is looked at twice.
"""

from __future__ import annotations

import asyncio

from crawler.errors import SandboxUnavailable
from crawler.match.live import ground_of
from crawler.records import Digests, Examination
from crawler.sandbox.pool import Sandbox
from crawler.sandbox.protocol import Update
from crawler.sandbox.settings import SandboxSettings


class Generations:
    """Made by `start`; belongs to the event loop that started it."""

    def __init__(self, sandbox: Sandbox, index_sha256: str, update: Update | None) -> None:
        self._current = sandbox
        self._index = index_sha256
        self._note(update)
        self._retiring: set[asyncio.Task[None]] = set()
        self._closed = False

    @classmethod
    async def start(cls, settings: SandboxSettings, update: Update | None = None) -> Generations:
        """The first generation, warm. Raises as `Sandbox.start` does."""
        return cls(await Sandbox.start(settings, update), settings.index_sha256, update)

    @property
    def index(self) -> str:
        """sha256 of the index file that the present generation maps."""
        return self._index

    @property
    def number(self) -> int:
        """Number of the state of the lists that images are matched against from now on; 0: the file alone."""
        return self._number

    @property
    def ground(self) -> bytes:
        """What stands for all that images are matched against, whatever its number."""
        return self._ground

    def _note(self, update: Update | None) -> None:
        self._number = update.number if update else 0
        self._ground = ground_of(self._index, update.packed if update else None)

    async def examine(self, body: bytes | bytearray | memoryview) -> Examination:
        """As `Sandbox.examine`."""
        return await self._current.examine(body)

    async def look_up(self, digests: Digests, size: int) -> Examination:
        """As `Sandbox.look_up`."""
        return await self._current.look_up(digests, size)

    def update(self, update: Update) -> None:
        """Let the present generation take over a state of the lists before the next image."""
        self._current.update(update)
        self._note(update)

    async def renew(self, settings: SandboxSettings, update: Update | None = None) -> None:
        """Go over to another index file. Raises as `Sandbox.start` does: then the present generation goes on."""
        fresh = await Sandbox.start(settings, update)
        if self._closed:
            await fresh.close(0.0)
            raise SandboxUnavailable("sandbox: closed")
        old, self._current = self._current, fresh
        self._index = settings.index_sha256
        self._note(update)
        task = asyncio.get_running_loop().create_task(old.retire(fresh))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def close(self, patience: float | None = None) -> None:
        """As `Sandbox.close`, of all generations."""
        self._closed = True
        await self._current.close(patience)
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
