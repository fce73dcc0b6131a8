"""A small web server for tests: answers from a dict or by a function, and knows its visitors. Loopback, a free port."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, Mapping[str, str], bytes]
Reply = tuple[int, tuple[tuple[str, str], ...], bytes]
"""An answer in which a header may come twice."""


@dataclass(frozen=True)
class Visit:
    """One request. at: monotonic seconds.  host: as the Host header has it.  cookie, referer: None without one.

    headers: all of them.  before: how often the path was asked before.
    """

    at: float
    host: str
    path: str
    headers: Mapping[str, str]
    cookie: str | None
    referer: str | None
    before: int


@dataclass
class Site:
    """Where visitors come. visits: in the order of arrival.

    unchanged: paths that were asked for by the ETag that their answer has, and answered with 304.
    """

    address: str
    port: int
    visits: list[Visit] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)

    @property
    def root(self) -> str:
        return f"http://{self.address}:{self.port}"

    @property
    def requests(self) -> list[tuple[float, str]]:
        """(monotonic seconds, path) of each visit."""
        return [(visit.at, visit.path) for visit in self.visits]

    @property
    def headers(self) -> list[Mapping[str, str]]:
        """What each visit brought along."""
        return [visit.headers for visit in self.visits]

    def asked(self, path: str) -> int:
        return sum(visit.path == path for visit in self.visits)

    def of(self, start: str) -> list[Visit]:
        """Visits whose paths start so."""
        return [visit for visit in self.visits if visit.path.startswith(start)]


def html(text: str) -> Answer:
    return 200, {"Content-Type": "text/html; charset=utf-8"}, text.encode()


def image(body: bytes, kind: str = "image/jpeg") -> Answer:
    return 200, {"Content-Type": kind}, body


def text(body: str, *headers: tuple[str, str], status: int = 200) -> Reply:
    """An HTML page with more headers."""
    return status, (("Content-Type", "text/html; charset=utf-8"), *headers), body.encode()


@contextmanager
def serve(pages: Mapping[str, Answer | Callable[[int], Answer]]) -> Iterator[Site]:
    """Serve `pages` until the block ends; what is not there is 404.

    pages: path -> an answer, or a function of how often the path was asked before.
    """

    def answer(visit: Visit) -> Answer:
        page = pages.get(visit.path, (404, {}, b"not here"))
        return page(visit.before) if callable(page) else page

    with receive(answer) as site:
        yield site


@contextmanager
def receive(answer: Callable[[Visit], Answer | Reply], address: str = "127.0.0.1", port: int = 0) -> Iterator[Site]:
    """Answer every request at a loopback address until the block ends. port: 0 for any that is free."""
    arriving, over = threading.Lock(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if over.is_set():  # over a connection that was kept
                self.close_connection = True
                return
            status, headers, body = answer(self._arrived())
            given = dict(headers)
            if "ETag" in given and self.headers.get("If-None-Match") == given["ETag"]:
                site.unchanged.append(self.path)
                self.send_response(304)
                self.end_headers()
                return
            self.send_response(status)
            for name, value in headers.items() if isinstance(headers, Mapping) else headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _arrived(self) -> Visit:
            named = dict(self.headers)
            with arriving:
                before = site.asked(self.path)
                visit = Visit(
                    time.monotonic(),
                    named["Host"],
                    self.path,
                    named,
                    named.get("Cookie"),
                    named.get("Referer"),
                    before,
                )
                site.visits.append(visit)
            return visit

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that goes away is no error here."""

    server = Server((address, port), Handler)
    site = Site(address, server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()
