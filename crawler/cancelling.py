"""Awaiting what may forget that its task was cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any


async def heeding(reply: Awaitable[Any]) -> Any:
    """What `reply` gives; a cancellation that came meanwhile is raised, whoever swallowed it.

    `asyncio.wait_for` of Python 3.11, through which the client of Redis sends, gives back what it has when it is
    cancelled in the moment in which that arrives, and forgets the cancellation (python/cpython#86296): a worker that
    was told to drain, or a request that was told to stop, would go on.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    try:
        return await reply
    finally:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError
