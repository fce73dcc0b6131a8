"""What the crawl benchmarks are served by, on loopback only: a gallery behind nginx, and a synthetic server.

The gallery has as many image files as image URLs, each with bytes of its own (a JPEG comment with its number), so that
neither side can spare itself an image that it has seen. It is the web site's disk, not the crawler's, and is removed.
The synthetic server makes what it sends, small and different for every URL, for frontiers of a million.
"""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import cast

import uvloop
from PIL import Image

from bench.photographs import Photographs, file_of, photographs, scene
from bench.report import progress

SIDES = (320, 800, 1280)
PER_PAGE = 10
LARGE, SLOW = 4_000_000, 2.0
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

_CONFIGURATION = """
daemon off; pid {own}/pid; error_log {own}/error.log crit; worker_processes 1; worker_rlimit_nofile 8192; {user}
events {{ worker_connections 4096; }}
http {{
    types {{ text/html html; image/jpeg jpg; }}
    sendfile on; tcp_nopush on; keepalive_requests 1000000; access_log off;
    client_body_temp_path {own}/b; proxy_temp_path {own}/p; fastcgi_temp_path {own}/f;
    uwsgi_temp_path {own}/u; scgi_temp_path {own}/s;
    server {{ root {root}; {listen} }}
}}
"""


def addresses(count: int) -> list[str]:
    """Loopback addresses, 250 of each /24."""
    return [f"127.0.{1 + n // 250}.{1 + n % 250}" for n in range(count)]


def numbered(jpeg: bytes, number: int) -> bytes:
    """The file with a comment that holds its number: the same picture in other bytes of the same length."""
    return jpeg[:2] + b"\xff\xfe\x00\x12" + b"%016d" % number + jpeg[2:]


@dataclass(frozen=True, slots=True)
class Gallery:
    """A site below `root`, on `hosts` (address:port), each with a chain of `pages` pages of ten images.

    planted: sha256 (hex) of the files that stand on the hash list.  source: what the images are.
    mean_bytes: of an image file.
    """

    root: Path
    hosts: tuple[str, ...]
    pages: int
    planted: tuple[str, ...]
    source: str
    mean_bytes: float

    @property
    def images(self) -> int:
        return len(self.hosts) * self.pages * PER_PAGE

    @property
    def seeds(self) -> list[str]:
        """The first page of every host."""
        return [f"http://{host}/{n}/0.html" for n, host in enumerate(self.hosts)]

    def image_urls(self) -> list[str]:
        """All images, neighbours at different hosts."""
        per_host = self.pages * PER_PAGE
        return [
            f"http://{host}{image_path(n * per_host + k)}" for k in range(per_host) for n, host in enumerate(self.hosts)
        ]


def image_path(number: int) -> str:
    return f"/i/{number // 1000}/{number}.jpg"


@contextmanager
def gallery(
    root: Path, images: int, *, pictures: int = 24, hosts: int = 100, plant_every: int = 500
) -> Iterator[tuple[Gallery, int]]:
    """A gallery of at least `images` images, written below `root`, and the nginx that serves it (its process id).

    pictures: photographs that the files are made from.  plant_every: of so many images one is put on the hash list.
    """
    pages = -(-images // (hosts * PER_PAGE))
    names = addresses(hosts)
    port = free_port()
    site = root / "site"
    found = photographs(max(SIDES), pictures)
    progress(f"writing {hosts * pages * PER_PAGE:,} images on {hosts * pages:,} pages")
    planted, size = write_images(site, found, hosts * pages * PER_PAGE, plant_every)
    write_pages(site, hosts, pages)
    with nginx(site, root / "nginx", names, port) as pid:
        source = f"{len(found.images)} {found.source} at {', '.join(map(str, SIDES))} px"
        yield Gallery(site, tuple(f"{name}:{port}" for name in names), pages, planted, source, size), pid


def write_images(site: Path, found: Photographs, count: int, plant_every: int) -> tuple[tuple[str, ...], float]:
    """Write the files; sha256 of the planted ones, and the mean size."""
    files = [resized(image, side) for image in found.images for side in SIDES]
    planted, size = [], 0
    for number in range(count):
        data = numbered(files[number % len(files)], number)
        path = site / image_path(number)[1:]
        if number % 1000 == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(data)
        size += len(data)
        if number % plant_every == plant_every // 2:
            planted.append(sha256(data).hexdigest())
    return tuple(planted), size / count


def resized(image: Image.Image, side: int) -> bytes:
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return file_of(small, "JPEG", quality=85)


def write_pages(site: Path, hosts: int, pages: int) -> None:
    """Pages as galleries have them: some text, ten images, a link to the next page."""
    text = "<p>Foto's van een wandeling door het landschap, gemaakt in het voorjaar.</p>\n" * 20
    for host in range(hosts):
        (site / str(host)).mkdir()
        for page in range(pages):
            first = (host * pages + page) * PER_PAGE
            shown = "".join(f'<img src="{image_path(first + n)}" alt="foto {n}">\n' for n in range(PER_PAGE))
            after = f'<a href="/{host}/{page + 1}.html">volgende</a>' if page + 1 < pages else ""
            body = f"<!doctype html>\n<html><head><title>Album {page}</title></head><body>\n{text}{shown}{after}"
            (site / str(host) / f"{page}.html").write_text(f"{body}</body></html>\n")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def nginx(site: Path, own: Path, names: Sequence[str], port: int) -> Iterator[int]:
    """nginx at all these addresses; its process id. own: a directory for its own files."""
    if NGINX is None:
        raise SystemExit("nginx is not installed: apt-get install nginx-light")
    own.mkdir()
    # As root, nginx would give its workers to an account that cannot read the temporary directory.
    user = "user root;" if os.geteuid() == 0 else ""
    listen = " ".join(f"listen {name}:{port};" for name in names)
    (own / "conf").write_text(_CONFIGURATION.format(own=own, root=site, listen=listen, user=user))
    command = [NGINX, "-c", str(own / "conf"), "-e", str(own / "error.log")]
    with running(command, names[0], port) as pid:
        yield pid


@contextmanager
def running(command: Sequence[str], address: str, port: int, *descriptors: int) -> Iterator[int]:
    """A server process, ready; its process id. descriptors: that it inherits."""
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, pass_fds=descriptors)
    try:
        deadline = time.monotonic() + 20
        while not answers(address, port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{Path(command[0]).name} does not serve at {address}:{port}")
            time.sleep(0.02)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


# ------------------------------------------------------------ the synthetic server


@contextmanager
def synthetic() -> Iterator[tuple[int, int]]:
    """A server at every loopback address: /p/N is a page of the images /i/10N to /i/10N+9. Its port and process id.

    /large/N is the image N with LARGE bytes behind it, /slow/N comes in two halves, SLOW seconds apart.
    """
    with socket.socket() as listening:
        # Every address of 127.0.0.0/8, and none that another machine could reach.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("0.0.0.0", 0))
        listening.listen(4096)
        port = int(listening.getsockname()[1])
        command = [sys.executable, "-m", "bench.serving", str(listening.fileno())]
        with running(command, "127.0.0.1", port, listening.fileno()) as pid:
            yield port, pid


_BEHIND = bytes(LARGE)


class Answers(asyncio.Protocol):
    """One connection of the synthetic server; requests come one after the other."""

    files: tuple[bytes, ...] = ()

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._before = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        self._before += data
        if not self._before.endswith(b"\r\n\r\n"):
            return
        target = self._before.split(b" ", 2)[1]
        self._before = b""
        assert self._transport is not None
        self._transport.write(self._answer(target))

    def _answer(self, target: bytes) -> bytes:
        _, kind, name = (target + b"/").split(b"/", 2)
        number = int(name.rstrip(b"/") or 0) if kind in (b"i", b"p", b"large", b"slow") else 0
        if kind in (b"i", b"large", b"slow"):
            body = numbered(self.files[number % len(self.files)], number) + (_BEHIND if kind == b"large" else b"")
            found = answer(b"200 OK", b"image/jpeg", body)
            return self._halved(found) if kind == b"slow" else found
        if kind == b"p":
            shown = b"".join(b'<img src="/i/%d">\n' % (PER_PAGE * number + n) for n in range(PER_PAGE))
            return answer(b"200 OK", b"text/html", b"<!doctype html><title>album</title>\n" + shown)
        return answer(b"404 Not Found", b"text/plain", b"")

    def _halved(self, found: bytes) -> bytes:
        assert self._transport is not None
        asyncio.get_running_loop().call_later(SLOW, self._transport.write, found[len(found) // 2 :])
        return found[: len(found) // 2]


def answer(status: bytes, kind: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (status, kind, len(body))
    return head + body


async def serve(descriptor: int) -> None:
    Answers.files = tuple(small_file(seed) for seed in range(8))
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(Answers, sock=socket.socket(fileno=descriptor), backlog=4096)
    await stop.wait()
    server.close()


def small_file(seed: int) -> bytes:
    """A JPEG of 128 px and some 3 kB."""
    out = io.BytesIO()
    scene(seed, 128).save(out, "JPEG", quality=60)
    return out.getvalue()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1])))
