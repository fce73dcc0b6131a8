"""A site that nobody here made: nginx's own listings over photographs, with hashes that other tools computed.

Afterwards the home, the logs and the server's memory are searched for bytes of what was served.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import imagehash
import numpy as np
import pdqhash
import pytest
from PIL import Image, ImageOps
from redis import Redis

from crawler.bus.server import embedded_server
from crawler.home import open_home
from tests.servers.nginx import NGINX, nginx
from tests.servers.pictures import picture
from tests.servers.vangnet import Vangnet

PHOTOGRAPHS = sorted(Path("/usr/share/backgrounds/mate/nature").glob("*.jpg"))[:8]


def photographs() -> list[Image.Image]:
    """Eight photographs of Debian's mate-backgrounds; pictures made in code where the package is not installed."""
    if not PHOTOGRAPHS:
        return [picture(n, (1280, 800)) for n in range(8)]
    return [ImageOps.contain(Image.open(path).convert("RGB"), (1280, 1280)) for path in PHOTOGRAPHS]


def pdq(image: Image.Image) -> str:
    return np.packbits(pdqhash.compute(np.asarray(image))[0]).tobytes().hex()


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian: nginx-light)")
def test_photographs_behind_nginx(tmp_path: Path) -> None:
    photos = photographs()
    root = tmp_path / "site"
    for name in ("as-is", "changed/deeper", "others"):
        (root / name).mkdir(parents=True)
    for number, photo in enumerate(photos[:3]):
        photo.save(root / "as-is" / f"{number}.jpg", quality=92)
    photos[3].resize((640, 400)).save(root / "changed" / "small.jpg", quality=75)
    ImageOps.mirror(photos[4]).save(root / "changed" / "deeper" / "mirror.jpg", quality=85)
    photos[5].save(root / "changed" / "deeper" / "other-format.png")
    for number, photo in enumerate(photos[6:]):
        photo.save(root / "others" / f"{number}.jpg", quality=92)
    lines = [
        f"{kind} {hashlib.new(kind, (root / 'as-is' / f'{n}.jpg').read_bytes()).hexdigest()}"
        for n, kind in enumerate(("md5", "sha1", "sha256"))
    ]
    lines += [f"pdq {pdq(photo)}" for photo in photos[3:6]]
    lines += [f"phash {imagehash.phash(photos[6])}"]  # corroborates, and must not raise a hit alone
    home = tmp_path / "home"
    vangnet = Vangnet(home)
    vangnet.hash_list(*lines)
    with embedded_server(open_home(home, lab=True).server) as server, nginx(root, tmp_path / "nginx") as url:
        summary = vangnet.json("crawl", vangnet.campaign(url, rate=500))
        hits = {hit["image_url"].removeprefix(url): hit for hit in vangnet.json("hits", "list")}
        needles = canaries(root)
        assert found_in_memory(server.url, needles) == set()
    assert set(hits) == {
        *(f"as-is/{n}.jpg" for n in range(3)),
        "changed/small.jpg",
        "changed/deeper/mirror.jpg",
        "changed/deeper/other-format.png",
    }
    assert {hits[f"as-is/{n}.jpg"]["certainty"] for n in (0, 1)} == {"C"}  # lone md5 and sha1
    assert hits["as-is/2.jpg"]["certainty"] == "A"
    assert summary["images"] == len(photos) == 8
    assert summary["urls"]["failed"] == {}
    assert summary["urls"]["discovered"] == summary["urls"]["fetched"] + sum(summary["urls"]["skipped"].values())
    assert found_on_disk(home, needles) == set()


def canaries(root: Path) -> dict[str, bytes]:
    """48 bytes from the middle of every image file: enough to occur nowhere else."""
    found = {}
    for path in root.rglob("*.*g"):
        body = path.read_bytes()
        found[str(path)] = body[len(body) // 2 : len(body) // 2 + 48]
    assert len(found) == 8
    return found


def found_on_disk(home: Path, needles: dict[str, bytes]) -> set[str]:
    texts = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    assert texts
    return {name for name, needle in needles.items() for text in texts if needle in text}


def found_in_memory(url: str, needles: dict[str, bytes]) -> set[str]:
    with Redis.from_url(url) as client:
        pid = client.info("server")["process_id"]
    found: set[str] = set()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            where = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if where is None or "[v" in line:
                continue
            first, last = int(where[1], 16), int(where[2], 16)
            memory.seek(first)
            text = memory.read(last - first)
            found |= {name for name, needle in needles.items() if needle in text}
    return found
