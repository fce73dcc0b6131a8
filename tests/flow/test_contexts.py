"""An image that its host refuses to strangers is asked for again when a page of its own domain shows it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.flow.test_campaign import names
from tests.flow.test_crawl import sha256
from tests.servers.pictures import encoded, picture
from tests.servers.vangnet import Vangnet

BODY = encoded(picture(3))
IMAGE = "/1.jpg"


@contextmanager
def guarded(pages: dict[str, str]) -> Iterator[tuple[int, list[str]]]:
    """Pages by URL without its port, and an image for whom a page of gallery.test sends; yields port and referrers.

    The last page of the gallery answers when the image has been refused once.
    """
    referrers: list[str] = []
    refused = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            where = self.headers["Host"].partition(":")[0] + self.path
            if self.path == IMAGE:
                referrers.append(self.headers.get("Referer", ""))
                own = "gallery.test" in referrers[-1]
                (refused.set if not own else lambda: None)()
                return self._answer(200 if own else 403, "image/jpeg", BODY if own else b"")
            if where == "gallery.test/last":
                refused.wait(60)
            page = pages.get(where)
            return self._answer(404 if page is None else 200, "text/html", (page or "").encode())

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    port = server.server_address[1]
    shown = f'<img src="http://img.gallery.test:{port}{IMAGE}">'
    pages |= {"forum.test/": shown, "gallery.test/": '<a href="/last">l</a>', "gallery.test/last": shown}
    yield port, referrers
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_image_refused_to_strangers_is_found_at_home(tmp_path: Path) -> None:
    vangnet = Vangnet(tmp_path / "home")
    vangnet.hash_list(sha256(BODY))
    hosts = {"forum": "127.0.0.1", "gallery": "127.0.0.1", "img.gallery": "127.0.0.1"}
    with guarded({}) as (port, referrers), names(**hosts) as nameserver:
        file = vangnet.campaign(f"http://forum.test:{port}/", f"http://gallery.test:{port}/")
        file.write_text(file.read_text() + f'nameservers = ["{nameserver}"]\n')
        done = vangnet.json("crawl", file)
        (hit,) = vangnet.json("hits", "list")
    # Three hosts, and at each two places where a sitemap might have been.
    skipped = {"no-sitemap": 6}
    urls = {"discovered": 11, "fetched": 4, "failed": {"http-403": 1}, "skipped": skipped, "pending": 0}
    assert done["urls"] == urls
    assert [f"//{name}.test" in each for name, each in zip(("forum", "gallery"), referrers, strict=True)] == [
        True,
        True,
    ]
    assert hit["page_url"] == f"http://gallery.test:{port}/last"
    assert hit["sightings"] == 1
