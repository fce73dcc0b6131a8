"""A crawl over all hostile servers at once ends, accounts for every URL, and sees all of a healthy site beside them."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.flow.test_crawl import accounted, sha256
from tests.servers.pictures import encoded, picture
from tests.servers.vangnet import Vangnet
from tests.servers.web import Answer, html, image, serve

from .catalogue import CATALOGUE, Hostile
from .certificates import Authority
from .rawserver import serving

IMAGES = 40
QUICK = {"CONNECT_TIMEOUT": "1", "HEADER_TIMEOUT": "1", "IDLE_TIMEOUT": "1", "TOTAL_TIMEOUT": "4", "ATTEMPTS": "2"}


def gallery(planted: bytes) -> dict[str, Answer]:
    shown = "".join(f'<img src="/{number}.jpg">' for number in range(IMAGES))
    return {"/": html(shown)} | {f"/{number}.jpg": image(planted + bytes([number])) for number in range(IMAGES)}


async def seeded(stack: AsyncExitStack, hostile: Hostile, number: int, authority: Authority) -> str:
    """Start one of them, at an address of its own; where it is."""
    context = None if hostile.context is None else hostile.context(authority)
    server = await stack.enter_async_context(serving(hostile.script, tls=context, address=f"127.0.9.{number + 1}"))
    scheme = "https" if hostile.tls_client or context is not None else "http"
    return f"{scheme}://{server.address}:{server.port}/"


@pytest.mark.long
async def test_a_crawl_over_all_of_them_ends(tmp_path: Path) -> None:
    environment = {f"VANGNET_{name}": value for name, value in QUICK.items()}
    vangnet = Vangnet(tmp_path / "home", environment=environment)
    planted = encoded(picture(1, (120, 90)))
    vangnet.hash_list(sha256(planted + b"\x07"))
    authority = Authority(tmp_path)
    async with AsyncExitStack() as stack:
        site = stack.enter_context(serve({**gallery(planted)}))
        seeds = [await seeded(stack, hostile, number, authority) for number, hostile in enumerate(CATALOGUE)]
        file = vangnet.campaign(site.root + "/", *seeds, limits='robots = "record"\nrobots_basis = "a test"')
        with vangnet.start("crawl", file, "--json") as crawl:
            out, err = await asyncio.to_thread(crawl.communicate, timeout=240)
    assert crawl.returncode == 0, err
    urls = json.loads(out)["urls"]
    assert accounted(urls)
    assert urls["pending"] == 0
    assert {f"/{number}.jpg" for number in range(IMAGES)} <= {path for _, path in site.requests}
    assert len(vangnet.json("hits", "list")) == 1
    named = set(urls["failed"])
    assert {"header-timeout", "malformed-http", "headers-too-large", "decompression-bomb", "tls"} <= named
    assert "too-many-redirects" in named
    assert not [reason for reason in named if reason.startswith("internal")]
