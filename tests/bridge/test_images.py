"""The image lane lets go of an image before its lease ends, however that is."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from io import StringIO
from typing import Any
from weakref import ref

import pytest
import structlog
from structlog.processors import KeyValueRenderer, format_exc_info

from crawler.bridge import images
from crawler.bridge.completer import Completer
from crawler.bridge.courier import Courier
from crawler.bridge.digging import Digger
from crawler.bridge.ending import Ending
from crawler.bridge.images import ImageLane
from crawler.errors import SandboxUnavailable
from crawler.fetch.budget import ByteBudget
from crawler.frontier.base import Completion
from crawler.records import Done, Examination, Failed, Fetched, FetchOrder, Kind, Rekind, Retry
from tests.bridge.parts import HOST, Frontier, Runs, Web, answer, lease, places_in, served


class Body(bytearray):
    """A body that can be watched: bytes take no weak references."""


@dataclass
class Sandbox:
    """Answers what it was told to, after a moment."""

    say: Callable[[], Examination]
    given: list[ref[Body]] = field(default_factory=list)

    async def examine(self, body: Body) -> Examination:
        self.given.append(ref(body))
        await asyncio.sleep(0)
        return self.say()


class Watched(Frontier):
    """Looks, at each completion, which bodies there still are."""

    def __init__(self, bodies: list[ref[Body]]) -> None:
        super().__init__()
        self.bodies = bodies
        self.left: list[int] = []

    async def complete(self, completions: Sequence[Completion]) -> list[bool]:
        self.left.append(sum(body() is not None for body in self.bodies))
        return await super().complete(completions)


def unavailable() -> Examination:
    raise SandboxUnavailable("gone")


def wrong() -> Examination:
    raise ValueError("wrong")


@pytest.fixture
def no_collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What only the collector of cycles would find must not be there in the first place.

    Logs are lines here, as a worker writes them; what structlog does by itself, for developers, keeps local variables.
    """
    quiet: Any = structlog.wrap_logger(
        structlog.PrintLogger(StringIO()), processors=[format_exc_info, KeyValueRenderer()]
    )
    monkeypatch.setattr(images, "_log", quiet)
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(
    ("say", "changes", "expected"),
    [
        (lambda: Examination(True), {}, Done(None, (), {"images": 1})),
        (lambda: Examination(False, "bomb"), {}, Failed("undecodable(bomb)", (), {"images": 1, "undecodable": 1})),
        (unavailable, {}, Retry),
        (wrong, {}, Failed("internal-ValueError")),
        (wrong, {"status": 404}, Failed("http-404")),
        (wrong, {"kind": "html"}, Rekind(Kind.PAGE)),
        (wrong, {"truncated": "reset"}, Retry),
    ],
)
async def test_no_body_outlives_its_lease(
    say: Callable[[], Examination], changes: dict[str, Any], expected: Any
) -> None:
    bodies: list[ref[Body]] = []

    def fetched(order: FetchOrder) -> Fetched:
        body: Any = Body(10_000)
        bodies.append(ref(body))
        return replace(answer(200, url=order.url, kind="image"), body=body, **changes)

    sandbox: Any = Sandbox(say)
    runs: Any = Runs(replace(served('robots = "record"\nrobots_basis = "x"', Web(fetched)), sandbox=sandbox))
    frontier, bell = Watched(bodies), asyncio.Event()
    doubled: Any = frontier
    completer, memory = Completer(doubled), ByteBudget(1_000_000)
    lane = ImageLane(
        Courier(doubled, runs, places_in(doubled), 1_000_000),
        completer,
        Digger(doubled, runs),
        runs,
        Ending(),
        bell=bell,
        concurrency=8,
        memory=memory,
    )
    sending = asyncio.create_task(completer.run())
    for number in range(3):
        lane.take(lease(f"{HOST}/{number}.jpg", Kind.IMAGE, token=number))
        await lane.drain()
    completer.close()
    await sending
    assert len(bodies) == 3
    assert frontier.left == [0, 0, 0]
    for ended in frontier.ended:
        assert isinstance(ended.outcome, expected) if isinstance(expected, type) else ended.outcome == expected
    assert memory.used == 0
