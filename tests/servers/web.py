"""A small web server for tests: pages in a dict, every request on record. One thread, loopback, a free port."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, Mapping[str, str], bytes]


@dataclass
class Site:
    """pages: path -> (status, headers, body), or a function of how often the path was asked before.

    requests: (monotonic seconds, path) in the order of arrival.  headers: of each of them.
    unchanged: paths that were asked for by the ETag that their answer has, and answered with 304.
    """

    port: int
    pages: dict[str, Answer | Callable[[int], Answer]]
    requests: list[tuple[float, str]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def asked(self, path: str) -> int:
        return sum(asked == path for _, asked in self.requests)


def html(text: str) -> Answer:
    return 200, {"Content-Type": "text/html; charset=utf-8"}, text.encode()


def image(body: bytes, kind: str = "image/jpeg") -> Answer:
    return 200, {"Content-Type": kind}, body


@contextmanager
def serve(pages: dict[str, Answer | Callable[[int], Answer]]) -> Iterator[Site]:
    """Serve `pages` until the block ends; what is not there is 404."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            before = site.asked(self.path)
            site.requests.append((time.monotonic(), self.path))
            site.headers.append(dict(self.headers))
            answer = pages.get(self.path, (404, {}, b"not here"))
            status, headers, body = answer(before) if callable(answer) else answer
            if "ETag" in headers and self.headers.get("If-None-Match") == headers["ETag"]:
                site.unchanged.append(self.path)
                self.send_response(304)
                self.end_headers()
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that goes away is no error here."""

    server = Server(("127.0.0.1", 0), Handler)
    site = Site(server.server_address[1], pages)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
