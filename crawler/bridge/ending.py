"""The end of a worker: asked for, or forced by something that cannot be mended while it runs."""

from __future__ import annotations

import asyncio

import structlog

from crawler.errors import VangnetError

_log = structlog.get_logger()


class Ending:
    """One per worker. failure: why it had to end, None while all is well or when it was only asked to."""

    def __init__(self) -> None:
        self.failure: VangnetError | None = None
        self._event = asyncio.Event()

    @property
    def near(self) -> bool:
        """Whether the worker should stop."""
        return self._event.is_set()

    def ask(self) -> None:
        """Stop in good order."""
        self._event.set()

    def fail(self, error: VangnetError) -> None:
        """Stop because of `error`; the first one is kept."""
        if self.failure is None:
            self.failure = error.with_traceback(None)  # whose frames would hold on to the image that met it
            _log.error("worker stops", error=str(error))
        self._event.set()

    async def wait(self) -> None:
        """Returns when the worker should stop."""
        await self._event.wait()
