"""A loop for tests in which nothing takes time but what the code waits for."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any


class Leaping(asyncio.SelectorEventLoop):
    """A loop whose clock leaps over every rest, so that only what the code waits for takes time."""

    def __init__(self) -> None:
        super().__init__(Leaps(self))
        self.now = 1000.0

    def time(self) -> float:
        return self.now


class Leaps(selectors.DefaultSelector):
    def __init__(self, loop: Leaping) -> None:
        super().__init__()
        self.loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.loop.now += timeout or 0.0
        return super().select(0 if timeout is not None else None)


def leaping(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that runs in such a loop."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=Leaping) as runner:
            runner.run(test(*args, **kwargs))

    return run
