"""Looks at the children of a sandbox while it works: how much memory they take, and how long one is missing."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from crawler.sandbox.pool import Sandbox

PAUSE = 0.02
KIB = 1024


class Watch:
    """`async with Watch(sandbox) as watch: …`; then

    missing: the longest time, in seconds, for which a child was not there.
    address_space: the most that a child had mapped, over what it may have at most: 1.0 is the cap.
    resident: the most memory, in bytes, that a child had for itself (not shared with its zygote).
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.missing = 0.0
        self.address_space = 0.0
        self.resident = 0
        self._sandbox = sandbox
        self._since: float | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Watch:
        self._task = asyncio.get_running_loop().create_task(self._look())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        await asyncio.sleep(PAUSE)
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            warm = [child for child in self._sandbox._crew.children if child.warm]
            if len(warm) >= self._sandbox._settings.processes:
                self._since = None
            elif self._since is None:
                self._since = loop.time()
            else:
                self.missing = max(self.missing, loop.time() - self._since)
            for child in warm:
                self._measure(child.pid)
            await asyncio.sleep(PAUSE)

    def _measure(self, pid: int) -> None:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
            limits = Path(f"/proc/{pid}/limits").read_text()
        except OSError:  # it has just ended
            return
        lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        if "VmPeak" not in lines:
            return
        cap = next(int(line.split()[3]) for line in limits.splitlines() if line.startswith("Max address space"))
        self.address_space = max(self.address_space, int(lines["VmPeak"].split()[0]) * KIB / cap)
        self.resident = max(self.resident, int(lines["RssAnon"].split()[0]) * KIB)
