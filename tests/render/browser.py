"""What tests of rendering share: whether there is a browser, the libraries that pages use, a door that notes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from crawler.records import Rejected
from crawler.render.blank import Size
from crawler.render.leftovers import members
from crawler.render.machine import MEMORY, unavailable
from crawler.render.page import For, Opened, Part

LIBRARIES = Path(__file__).parent / "libraries"
WHY_NOT = unavailable(Path(MEMORY))
needs_browser = pytest.mark.skipif(WHY_NOT is not None, reason=f"no page can be rendered here: {WHY_NOT}")


@dataclass
class Notes:
    """A door that has what it is given, and notes what was asked for. size: of every image."""

    parts: dict[str, Part] = field(default_factory=dict)
    size: Size | Rejected = (320, 200)
    asked: list[tuple[str, For]] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    wait: float = 0.0
    first: asyncio.Event = field(default_factory=asyncio.Event)

    async def part(self, url: str, what: For) -> Part | Rejected:
        self.asked.append((url, what))
        self.first.set()
        await asyncio.sleep(self.wait)
        return self.parts.get(url, Rejected("http-404"))

    async def image(self, url: str) -> Size | Rejected:
        self.images.append(url)
        return self.size


def script(text: str) -> Part:
    return Part(200, (("Content-Type", "text/javascript"),), text.encode())


def page(text: str, url: str = "http://a.test/") -> Opened:
    return Opened(url, "Vangnet/1.0 (test)", (("Content-Type", "text/html; charset=utf-8"),), text.encode())


def left_of(session: int) -> list[int]:
    """The processes of a browser that are still there, dead ones that nobody buried included."""
    return [each.pid for each in members(session)]
