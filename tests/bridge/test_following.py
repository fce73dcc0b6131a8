"""A worker follows the lists of a run: begins in the latest state, goes over to new files, waits for what it lacks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from crawler.bridge import following
from crawler.bridge.following import Follower
from crawler.bridge.indexfiles import IndexFiles
from crawler.bridge.runs import RunBook, ServedRun
from crawler.bus.control import RunControl, RunState
from crawler.bus.lists import Published, Unread
from crawler.bus.stops import Stops
from crawler.errors import HomeUnusable, IndexCorrupt, NotAuthorised, SandboxUnavailable
from crawler.records import RunId
from crawler.sandbox.protocol import Update
from tests.bridge.parts import RUN, served

OLD, NEW = "a" * 64, "b" * 64
MARKER = RunControl(RUN, "{}", OLD, b"r" * 32, started_at=1.0)


@dataclass
class Feed:
    """What stands in Redis: the latest state and the id of its entry."""

    entry: int = 0
    state: Published | Unread | None = None

    def put(self, state: Published | Unread) -> None:
        self.entry, self.state = self.entry + 1, state

    async def read(self, run: RunId, after: bytes, signing: bytes, recorder: bytes) -> object:
        if self.state is None or (seen := int(after.split(b"-")[0])) > self.entry:
            return None
        if seen == self.entry and isinstance(self.state, Published):
            return None
        return str(self.entry).encode() + b"-0", self.state


@dataclass
class Box:
    """A sandbox of generations. said: what was done to it."""

    index: str = OLD
    number: int = 0
    said: list[tuple[str, int]] = field(default_factory=list)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    failing: int = 0

    def update(self, update: Update) -> None:
        self.number = update.number
        self.said.append(("update", update.number))

    async def renew(self, settings: str, update: Update | None) -> None:
        await self.ready.wait()
        if self.failing:
            self.failing -= 1
            raise SandboxUnavailable("a child did not become ready")
        self.index, self.number = settings, update.number if update else 0
        self.said.append((settings[0], self.number))


async def settings_of(marker: RunControl) -> Any:
    return marker.index


def follower(feed: Feed, settings: Any = settings_of) -> Follower:
    return Follower(feed, b"w" * 32, settings)


async def test_a_state_is_taken_over_once_and_an_older_one_never() -> None:
    feed, box = Feed(), Box()
    mine: Any = follower(feed)
    assert await mine.follow(MARKER, box)
    for number in (5, 5, 4, 6):
        feed.put(Published(number, OLD, b""))
        assert await mine.follow(MARKER, box)
        assert await mine.follow(MARKER, box)
    assert box.said == [("update", 5), ("update", 6)]


async def test_a_new_file_is_gone_over_to_beside_the_work() -> None:
    feed, box = Feed(), Box()
    mine: Any = follower(feed)
    feed.put(Published(9, NEW, b"", Published(8, OLD, b"")))
    marker = replace(MARKER, index=NEW)
    assert await mine.follow(marker, box)
    assert box.said == [("update", 8)]  # what is masked is masked in the old one already
    feed.put(Published(11, NEW, b"", Published(10, OLD, b"")))
    assert await mine.follow(marker, box)
    box.ready.set()
    await asyncio.sleep(0)
    assert await mine.follow(marker, box)
    assert box.said == [("update", 8), ("update", 10), ("b", 9), ("update", 11)]


async def test_a_new_file_whose_sandbox_does_not_start_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "AGAIN", 0.0)
    feed, box = Feed(), Box(failing=following.TRIES - 1)
    box.ready.set()
    mine: Any = follower(feed)
    feed.put(Published(9, NEW, b"", Published(8, OLD, b"")))
    marker = replace(MARKER, index=NEW)
    for _ in range(following.TRIES):
        assert await mine.follow(marker, box)  # the present generation goes on, with what is masked
        assert box.said == [("update", 8)]
        await asyncio.sleep(0)
    assert await mine.follow(marker, box)
    assert (box.said, box.index) == ([("update", 8), ("b", 9)], NEW)


async def test_a_sandbox_that_never_starts_on_a_new_file_ends_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "AGAIN", 0.0)
    box = Box(failing=following.TRIES)
    box.ready.set()
    mine: Any = follower(Feed())
    for _ in range(following.TRIES):
        assert await mine.follow(replace(MARKER, index=NEW), box)
        await asyncio.sleep(0)
    with pytest.raises(SandboxUnavailable, match="did not become ready"):
        await mine.follow(replace(MARKER, index=NEW), box)


async def test_what_is_closed_is_waited_for_and_then_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    feed, box = Feed(), Box()
    mine: Any = follower(feed)
    feed.put(Unread())
    assert not await mine.follow(MARKER, box)
    feed.put(Published(3, OLD, b""))
    assert await mine.follow(MARKER, box)
    feed.put(Unread())
    assert not await mine.follow(MARKER, box)
    monkeypatch.setattr(following, "PATIENCE", -1.0)
    with pytest.raises(NotAuthorised, match="closed to this worker"):
        await mine.follow(MARKER, box)


@dataclass
class Markers:
    """The control records: one run."""

    marker: RunControl

    async def stops(self) -> Stops:
        return Stops()

    async def active(self) -> list[RunControl]:
        return [self.marker]


async def test_a_worker_that_lacks_a_file_claims_nothing_until_it_is_there() -> None:
    lacking = [HomeUnusable("copy it"), IndexCorrupt("not whole yet")]

    async def settings(marker: RunControl) -> Any:
        if lacking:
            raise lacking[0]
        return marker.index

    feed, box, markers = Feed(), Box(), Markers(MARKER)
    box.ready.set()

    async def prepare(control: RunControl) -> ServedRun:
        return replace(served(), control=MARKER, sandbox=box, follower=follower(feed, settings))

    book = RunBook(markers, prepare)
    await book.refresh()
    assert (book.running, book.is_running(RUN)) == (True, True)
    markers.marker = replace(MARKER, index=NEW)
    while lacking:
        await book.refresh()
        assert (book.running, book.is_running(RUN)) == (False, False)
        lacking.pop(0)
    markers.marker = replace(markers.marker, state=RunState.PAUSED)
    await book.refresh()
    markers.marker = replace(markers.marker, state=RunState.RUNNING)
    await asyncio.sleep(0)
    await book.refresh()
    assert (book.running, book.is_running(RUN), box.index) == (True, True, NEW)


async def test_a_file_is_what_its_name_says_or_is_not_used(tmp_path: Path) -> None:
    files, path = IndexFiles(), tmp_path / "x.vgx"
    with pytest.raises(HomeUnusable, match="copy it to"):
        await files.check(path, OLD)
    path.write_bytes(b"half")
    with pytest.raises(IndexCorrupt, match="copy it again"):
        await files.check(path, OLD)
    await files.check(path, sha256(b"half").hexdigest())
    path.write_bytes(b"fallen")
    with pytest.raises(IndexCorrupt):
        await files.check(path, sha256(b"half").hexdigest())
