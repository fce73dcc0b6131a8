"""How large the images are that some browser waits for, told by whichever worker fetched them.

PREFIX:size:DIGEST   "WIDTHxHEIGHT", for two minutes

Names are digests under the deployment's key, so that no URL stands in Redis.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from redis.asyncio import Redis

from crawler.bus.client import answered

LIFE: Final = 120
"""Seconds that a size is kept: a browser waits no longer."""


class SizeBook:
    """number_key: of the deployment. Every method raises RedisUnavailable when the server does not answer."""

    def __init__(self, client: Redis, prefix: str, number_key: bytes) -> None:
        self._client = client
        self._prefix = prefix
        self._number_key = number_key

    async def tell(self, url: str, size: tuple[int, int]) -> None:
        """An image was fetched: width and height in pixels."""
        await answered(self._client.set(self._key(url), f"{size[0]}x{size[1]}", ex=LIFE))

    async def ask(self, urls: Sequence[str]) -> dict[str, tuple[int, int]]:
        """The sizes of those that were fetched within the last two minutes."""
        found = {}
        for url in urls:
            value: bytes | None = await answered(self._client.get(self._key(url)))
            if value is not None:
                width, _, height = value.decode("ascii", "replace").partition("x")
                if width.isdecimal() and height.isdecimal():
                    found[url] = int(width), int(height)
        return found

    def _key(self, url: str) -> str:
        digest = blake2b(url.encode(), digest_size=12, key=self._number_key).hexdigest()
        return f"{self._prefix}:size:{digest}"
