"""How often a zygote may end before it is a crash loop."""

from __future__ import annotations

import asyncio
from collections import deque

from crawler.errors import SandboxUnavailable

STRIKES, STRIKE_WINDOW = 5, 60.0
"""So many restarts of the zygote within so many seconds are borne; one more is a crash loop."""


class Strikes:
    """The restarts of the last STRIKE_WINDOW seconds. Belongs to one event loop."""

    def __init__(self) -> None:
        self._at: deque[float] = deque()

    async def another(self, why: str) -> None:
        """Wait a little before another try, longer each time. Raises SandboxUnavailable when it happens too often."""
        now = asyncio.get_running_loop().time()
        while self._at and self._at[0] < now - STRIKE_WINDOW:
            self._at.popleft()
        if len(self._at) >= STRIKES:
            raise SandboxUnavailable(f"sandbox: {why}, {STRIKES} times in {STRIKE_WINDOW:.0f} s; see the system's log")
        self._at.append(now)
        await asyncio.sleep(0.05 * (2 ** len(self._at) - 2))
