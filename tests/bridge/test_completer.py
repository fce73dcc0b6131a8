"""The completer: the first of a rest leaves at once, those of a busy worker travel together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from crawler.bridge import completer
from crawler.bridge.completer import Completer
from crawler.frontier.base import Completion
from crawler.records import Done
from tests.bridge.parts import Frontier, lease

SOON = 5.0


class Batches(Frontier):
    """Remembers how many completions came together."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    async def complete(self, completions: Sequence[Completion]) -> list[bool]:
        self.sizes.append(len(completions))
        return await super().complete(completions)


def ended(number: int) -> Completion:
    return Completion(lease(token=number), Done())


async def test_a_busy_worker_sends_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completer, "_LINGER", SOON)
    frontier = Batches()
    made = Completer(frontier)
    work = asyncio.create_task(made.run())
    assert await asyncio.wait_for(made.complete(ended(0)), SOON / 2)
    few = asyncio.gather(*(made.complete(ended(number)) for number in range(1, 4)))
    await asyncio.sleep(0.05)
    assert frontier.sizes == [1]
    many = asyncio.gather(*(made.complete(ended(number)) for number in range(4, 60)))
    assert all(await asyncio.wait_for(few, SOON / 2))
    await asyncio.wait_for(many, SOON / 2)
    assert frontier.sizes[0] == 1
    assert frontier.sizes[1] >= 32
    last = asyncio.create_task(made.complete(ended(60)))
    await asyncio.sleep(0)
    made.close()
    assert await asyncio.wait_for(last, SOON / 2)
    await asyncio.wait_for(work, SOON)
    assert sum(frontier.sizes) == 61


async def test_what_lingers_is_sent_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completer, "_LINGER", 0.03)
    made = Completer(Batches())
    work = asyncio.create_task(made.run())
    loop = asyncio.get_running_loop()
    await made.complete(ended(0))
    begun = loop.time()
    await made.complete(ended(1))
    assert 0.01 < loop.time() - begun < 1.0
    made.close()
    await asyncio.wait_for(work, SOON)
