"""Waiting for a slot."""

from __future__ import annotations

import asyncio

from crawler.bridge.gate import until
from tests.bridge.leaping import leaping


@leaping
async def test_nothing_goes_on_before_its_moment() -> None:
    """asyncio runs a timer that is due within its clock's resolution together with the one before it."""
    loop = asyncio.get_running_loop()
    moment = loop.time() + 0.12
    loop.call_at(moment - 5e-10, lambda: None)
    await until(moment)
    assert loop.time() >= moment
