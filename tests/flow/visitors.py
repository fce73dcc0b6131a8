"""A web server that answers by what a request says, for sites that know their visitors. A free port."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Headers = tuple[tuple[str, str], ...]
Reply = tuple[int, Headers, bytes]


@dataclass(frozen=True)
class Visit:
    """One request. at: monotonic seconds.  host: as the Host header has it.  cookie: None without one."""

    at: float
    host: str
    path: str
    cookie: str | None


@dataclass
class House:
    """Where visitors come. visits: in the order of arrival."""

    address: str
    port: int
    visits: list[Visit] = field(default_factory=list)

    @property
    def root(self) -> str:
        return f"http://{self.address}:{self.port}"

    def of(self, start: str) -> list[Visit]:
        """Visits whose paths start so."""
        return [visit for visit in self.visits if visit.path.startswith(start)]


def text(body: str, *headers: tuple[str, str], status: int = 200) -> Reply:
    """An HTML page."""
    return status, (("Content-Type", "text/html; charset=utf-8"), *headers), body.encode()


@contextmanager
def receive(answer: Callable[[Visit], Reply], address: str = "127.0.0.1") -> Iterator[House]:
    """Answer every request at a loopback address until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            visit = Visit(time.monotonic(), self.headers["Host"], self.path, self.headers["Cookie"])
            house.visits.append(visit)
            status, headers, body = answer(visit)
            self.send_response(status)
            for name, value in headers:
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

    server = Server((address, 0), Handler)
    house = House(address, server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield house
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
