"""Images that a page's script puts together itself: nothing is asked for them, so they are taken from the browser.

A `blob:` or `data:` URL that it loads an image from is told by the browser's own record of what it loads; what was
drawn on a canvas is read in the end.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from playwright.async_api import CDPSession, Error

from crawler.discover.dataimages import DataImages
from crawler.render.page import Bounds, Shown

_LONGEST: Final = 8_388_608
"""Bytes of one image."""
_TOGETHER: Final = 33_554_432
"""Of all that are looked at."""
_WAIT: Final = 2.0
"""Seconds for what was asked of the browser and is not there yet, in the end."""


class Made:
    """The images that one page made. shown: where they are noted."""

    def __init__(self, bounds: Bounds, shown: Shown) -> None:
        self._bounds = bounds
        self._shown = shown
        self._cdp: CDPSession | None = None
        self._blobs: set[str] = set()
        self._errands: set[asyncio.Task[None]] = set()
        self._told = 0
        self._kept = 0

    @property
    def flooded(self) -> bool:
        """Whether the page made more than is looked at: its browser tells all of it."""
        return self._told > self._bounds.told_bytes

    async def watch(self, cdp: CDPSession) -> None:
        """Take note of what the page loads from now on."""
        self._cdp = cdp
        cdp.on("Network.requestWillBeSent", self._begun)
        cdp.on("Network.loadingFinished", self._ended)
        await cdp.send(
            "Network.enable",
            {"maxResourceBufferSize": _LONGEST, "maxTotalBufferSize": 4 * _LONGEST, "maxPostDataSize": 0},
        )

    async def settle(self) -> None:
        """Wait for the images that are on their way."""
        if self._errands:
            await asyncio.wait(self._errands, timeout=_WAIT)

    def close(self) -> None:
        """Take nothing more."""
        for errand in self._errands:
            errand.cancel()

    def drawn(self, urls: object) -> None:
        """Take what a script read from canvases, as `data:` URLs."""
        for url in urls if isinstance(urls, list) else ():
            self._take_url(str(url))

    def _begun(self, event: Mapping[str, Any]) -> None:
        url = str(event["request"]["url"])
        if url[:5] == "data:":
            self._told += len(url)
        if event.get("type") != "Image":
            return
        if url[:5] == "data:":
            self._take_url(url)
        elif url[:5] == "blob:":
            self._blobs.add(event["requestId"])

    def _ended(self, event: Mapping[str, Any]) -> None:
        if event["requestId"] not in self._blobs:
            return
        self._blobs.discard(event["requestId"])
        if len(self._shown.made) + len(self._errands) >= self._bounds.made or self.flooded:
            self._shown.cut["made"] += 1
            return
        errand = asyncio.ensure_future(self._fetch(event["requestId"]))
        self._errands.add(errand)
        errand.add_done_callback(self._errands.discard)

    async def _fetch(self, request: str) -> None:
        assert self._cdp is not None
        try:
            answer = await self._cdp.send("Network.getResponseBody", {"requestId": request})
            body = base64.b64decode(answer["body"]) if answer.get("base64Encoded") else answer["body"].encode()
        except (Error, binascii.Error):
            self._shown.refused["render-made"] += 1
            return
        self._told += len(body)
        self._take(body)

    def _take_url(self, url: str) -> None:
        images = DataImages(_LONGEST, _TOGETHER)
        images.add(url)
        self._shown.cut.update({"made": 1} if "data-cut" in images.rejected else ())
        for image in images.found():
            self._take(image.body)

    def _take(self, body: bytes) -> None:
        if not body or body in self._shown.made:
            return
        if len(self._shown.made) >= self._bounds.made or self._kept + len(body) > _TOGETHER:
            self._shown.cut["made"] += 1
            return
        self._shown.made[body] = None
        self._kept += len(body)
