"""No image outlives its examination: after a crawl no process of it holds a byte string that its images contained."""

from __future__ import annotations

import hashlib
import json
import os
import random
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from tests.hostile.memory import command, descendants, holders
from tests.servers.pictures import encoded, picture
from tests.servers.vangnet import Vangnet
from tests.servers.web import Answer, html, image, serve

CANARY = 48
SIZES = ((64, 48), (160, 120), (400, 300), (1200, 900))
FILLER = 1 << 20
GONE = 4
PATIENCE = 240.0


def bitmap(canary: bytes, size: tuple[int, int]) -> bytes:
    """Grey pixels, uncompressed: the canary lies in the file and again in the decoded image."""
    pixels = bytearray(picture(1, size).convert("L").tobytes())
    pixels[: len(canary)] = canary
    return encoded(Image.frombytes("L", size, bytes(pixels)), "BMP")


def stored(canary: bytes, size: tuple[int, int]) -> bytes:
    """A PNG with a text; its pixels are deflated without compression."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", canary.hex()[:CANARY])
    out = BytesIO()
    picture(3, size).save(out, "PNG", pnginfo=info, compress_level=0)
    return out.getvalue()


def commented(canary: bytes, size: tuple[int, int]) -> bytes:
    return encoded(picture(4, size), "JPEG", comment=canary, quality=92)


def tailed(canary: bytes, size: tuple[int, int]) -> bytes:
    """An image with something behind its end, so that most of the body is nothing but canary."""
    return encoded(picture(5, size)) + canary * (size[0] * size[1] // CANARY)


MAKERS: tuple[Callable[[bytes, tuple[int, int]], bytes], ...] = (bitmap, stored, commented, tailed)


@dataclass
class Stage:
    """A site whose front page shows the images; behind it lies filler, and then a page that keeps the crawl waiting."""

    canaries: list[bytes]
    pages: dict[str, Answer | Callable[[int], Answer]] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)
    filler: list[str] = field(default_factory=list)
    scanned: threading.Event = field(default_factory=threading.Event)
    examined: threading.Event = field(default_factory=threading.Event)


def stage() -> Stage:
    dice = random.Random(4)
    made = Stage([])
    for number in range(len(MAKERS) * len(SIZES) * 3):
        maker, size = MAKERS[number % len(MAKERS)], SIZES[number // len(MAKERS) % len(SIZES)]
        canary = dice.randbytes(CANARY)
        secret = canary.hex()[:CANARY].encode() if maker is stored else canary
        made.canaries.append(secret)
        body = maker(canary, size)
        assert secret in body
        path = f"/{number}.img"
        made.images.append(path)
        gone = number < GONE  # an answer that nobody looks at
        made.pages[path] = (404, {"Content-Type": "image/png"}, body) if gone else image(body, "image/png")
    shown = []
    for maker in MAKERS:  # and some that stand in the page itself
        canary = dice.randbytes(CANARY)
        secret = canary.hex()[:CANARY].encode() if maker is stored else canary
        body = maker(canary, SIZES[1])
        made.canaries += [secret, _within_base64(body, secret)]
        shown.append(f'<img src="data:image/png;base64,{b64encode(body).decode()}">')
    noise = encoded(Image.frombytes("RGB", (330, 330), dice.randbytes(330 * 330 * 3)), "BMP")
    made.filler = [f"/filler-{number}.img" for number in range(FILLER // len(noise) + 1)]
    made.pages |= {path: image(noise) for path in made.filler}
    shown += [f'<img src="{path}">' for path in made.images]
    made.pages["/"] = html("".join(shown) + '<a href="/more">more</a>')
    made.pages["/more"] = _after(made.examined, "".join(f'<img src="{path}">' for path in made.filler) + _HOLD)
    made.pages["/hold"] = _after(made.scanned, "the end")
    return made


def _within_base64(body: bytes, secret: bytes) -> bytes:
    """What a part of `secret` reads as in the page."""
    start = body.index(secret)
    first = -(-start // 3) * 3
    return b64encode(body[first : first + 42])


_HOLD = '<a href="/hold">hold</a>'


def _after(event: threading.Event, text: str) -> Callable[[int], Answer]:
    def answer(before: int) -> Answer:
        del before
        event.wait(PATIENCE)
        return html(text)

    return answer


def _wait(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "the crawl does not get there"
        time.sleep(0.05)


@pytest.fixture
def vangnet(tmp_path: Path, pytestconfig: pytest.Config) -> Vangnet:
    assert pytestconfig.cache is not None
    kernels = pytestconfig.cache.mkdir("kernels")
    kernels.chmod(0o700)
    # A directory of kernels that the environment names goes before.
    ours = {"VANGNET_KERNELS": os.environ.get("VANGNET_KERNELS", str(kernels))}
    ours |= {"VANGNET_HEADER_TIMEOUT": "60", "VANGNET_TOTAL_TIMEOUT": "60"}
    return Vangnet(tmp_path / "home", environment=ours)


def test_the_scan_finds_what_a_process_holds() -> None:
    secret = random.randbytes(CANARY)
    assert 0 in holders(os.getpid(), [secret])


def test_no_process_of_a_crawl_holds_an_image_after_its_completion(vangnet: Vangnet) -> None:
    made = stage()
    with serve(made.pages) as site:
        vangnet.hash_list(f"sha256 {hashlib.sha256(b'known').hexdigest()}")
        file = vangnet.campaign(site.root + "/", rate=200, concurrency=8)
        with vangnet.start("crawl", file, "--json") as crawl:
            try:
                _wait(lambda: all(site.asked(path) for path in made.images))
                time.sleep(1.5)
                made.examined.set()
                _wait(lambda: all(site.asked(path) for path in (*made.filler, "/hold")))
                time.sleep(1.5)
                held = _held(crawl.pid, [canary[16:40] for canary in made.canaries])
            finally:
                made.scanned.set()
                out, err = crawl.communicate(timeout=PATIENCE)
    assert crawl.returncode == 0, err
    summary = json.loads(out)
    assert summary["urls"]["failed"] == {"http-404": GONE}
    assert summary["images"] == len(made.images) - GONE + len(made.filler) + len(MAKERS)  # all were looked at
    seen = [name for name in ("recorder", "worker", "zygote") if any(name in process for process in held)]
    assert seen == ["recorder", "worker", "zygote"]
    assert {process: found for process, found in held.items() if found} == {}


def _held(crawl: int, canaries: list[bytes]) -> dict[str, dict[int, list[str]]]:
    """By process of a crawl, what is left there. A confined child lets root alone look."""
    held: dict[str, dict[int, list[str]]] = {}
    for pid in descendants(crawl):
        try:
            held[f"{command(pid)} [{pid}]"] = holders(pid, canaries)
        except PermissionError:
            assert os.geteuid() != 0
    return held
