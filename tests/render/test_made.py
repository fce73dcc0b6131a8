"""Images that a script puts together: what is taken of them, by what the browser tells."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from crawler.render.made import Made
from crawler.render.page import Bounds, Shown


class Told:
    """What a browser tells of what it loads."""

    def __init__(self) -> None:
        self.hears: dict[str, Callable[[dict[str, Any]], None]] = {}
        self.asked = 0

    def on(self, event: str, hears: Callable[[dict[str, Any]], None]) -> None:
        self.hears[event] = hears

    async def send(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if method == "Network.getResponseBody":
            self.asked += 1
            return {
                "body": base64.b64encode(b"blob %d" % self.asked + bytes(2_000_000)).decode(),
                "base64Encoded": True,
            }
        return {}

    def loads(self, number: int, url: str, kind: str = "Image") -> None:
        event: dict[str, Any] = {"requestId": str(number), "request": {"url": url}, "type": kind}
        self.hears["Network.requestWillBeSent"](event)
        self.hears["Network.loadingFinished"](event)


async def test_of_what_a_page_makes_no_more_is_taken_than_the_bounds_allow() -> None:
    told, shown = Told(), Shown()
    made = Made(Bounds(made=30, told_bytes=50_000_000), shown)
    await made.watch(told)
    told.loads(1, "blob:http://a.test/1", "Fetch")
    told.loads(2, "http://a.test/a.png")
    await made.settle()
    assert (told.asked, shown.made) == (0, {})
    for number in range(40):
        told.loads(number, f"blob:http://a.test/{number}")
    await made.settle()
    assert told.asked == 30
    assert sum(map(len, shown.made)) <= 33_554_432 < 2_000_010 * (len(shown.made) + 1)
    assert shown.cut == {"made": 40 - len(shown.made)}
    assert made.flooded
    told.loads(50, "blob:http://a.test/50")
    await made.settle()
    assert told.asked == 30


async def test_images_in_urls_are_taken_once_each_and_counted_by_their_bytes() -> None:
    told, shown = Told(), Shown()
    made = Made(Bounds(told_bytes=100), shown)
    await made.watch(told)
    for _ in range(2):
        told.loads(1, "data:image/gif;base64,R0lGODlhAQABAAAAACw=")
    assert list(shown.made) == [b"GIF89a" + bytes([1, 0, 1, 0, 0, 0, 0, 44])]
    assert not made.flooded
    told.loads(1, "data:text/plain,GIF89a " + "x" * 90, "Fetch")
    assert made.flooded
    made.drawn(["data:image/png;base64,AAAA", "nothing", 7])
    made.drawn(None)
    assert len(shown.made) == 2
