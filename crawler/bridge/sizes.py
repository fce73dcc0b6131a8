"""Waits for the sizes of images that a browser wants to show, while the image lanes of all workers fetch them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from typing import Final

from crawler.bus.sizes import SizeBook
from crawler.errors import RedisUnavailable
from crawler.records import Lease
from crawler.render.blank import DEFAULT, Size, size_of

AWAITED: Final = 0
"""The priority of images that a browser waits for: before all others, and so known to the lane that fetches them."""
PATIENCE: Final = 1.5
"""Seconds without any news after which no size is waited for any more, and another one has to do."""
_POLL: Final = 0.1
_KEPT: Final = 10_000


class SizeBoard:
    """One per worker. Sizes of images that were on another page already are remembered here, within bounds."""

    def __init__(self, book: SizeBook) -> None:
        self._book = book
        self._known: OrderedDict[str, Size] = OrderedDict()
        self._awaited: dict[str, int] = {}
        self._news = asyncio.Event()
        self._heard = 0.0
        self._poll: asyncio.Task[None] | None = None

    def knows(self, url: str) -> bool:
        """Whether it was fetched for another page."""
        return url in self._known

    async def told(self, lease: Lease, body: bytes) -> None:
        """The image lane has the bytes of an image: pass its size on, if a browser waits for it."""
        if lease.item.priority == AWAITED and (size := size_of(body)) is not None:
            with suppress(RedisUnavailable):  # then another size has to do
                await self._book.tell(lease.item.url, size)

    async def size(self, url: str) -> Size:
        """The size of an image that was given to the frontier; DEFAULT when it does not become known in time."""
        loop = asyncio.get_running_loop()
        self._heard = max(self._heard, loop.time())
        self._awaited[url] = self._awaited.get(url, 0) + 1
        if self._poll is None or self._poll.done():
            self._poll = asyncio.create_task(self._ask())
        try:
            while url not in self._known and (left := self._heard + PATIENCE - loop.time()) > 0:
                news = self._news
                with suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await news.wait()
        finally:
            self._awaited[url] -= 1
            if not self._awaited[url]:
                del self._awaited[url]
        return self._known.get(url, DEFAULT)

    async def _ask(self) -> None:
        loop = asyncio.get_running_loop()
        while self._awaited:
            found: dict[str, Size] = {}
            with suppress(RedisUnavailable):
                found = await self._book.ask([url for url in self._awaited if url not in self._known])
            if found:
                self._known |= found
                while len(self._known) > _KEPT:
                    self._known.popitem(last=False)
                self._heard = loop.time()
                self._news.set()
                self._news = asyncio.Event()
            await asyncio.sleep(_POLL)
