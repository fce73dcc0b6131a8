"""`vangnet data update` against servers that answer wrongly: what cannot be believed is named, what is in use stays."""

from __future__ import annotations

import asyncio
import datetime
import gzip
import json
import os
import ssl
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import aiohttp
import pytest

from crawler.attribute.live import EVERY, LiveBook
from crawler.attribute.load import Stated
from crawler.errors import HomeUnusable, Unavailable
from crawler.home import open_home
from crawler.scope import CachedScope
from crawler.service import data as service
from crawler.service import fetch_data
from crawler.service.session import Session, open_session
from tests.attribute.excerpts import DELEGATED, INETNUM, TEXTS
from tests.hostile.servers.certificates import Authority
from tests.test_scope import campaign

NOW = datetime.datetime.now(datetime.UTC).date()

ROUTES = "".join(f"64496\t45.9.{n}.0/24\t300\n" for n in range(100)).encode()
WHOLE: dict[str, bytes] = {name: text.encode() if isinstance(text, str) else text for name, text in TEXTS.items()}
BODIES: dict[str, bytes] = {
    **WHOLE,
    "routes": ROUTES,
    "half": b"".join(ROUTES.splitlines(keepends=True)[:49]),
    "portal": b"<!DOCTYPE html><html><body>Sign in to the network</body></html>",
    "empty": b"",
    "cut-gzip": gzip.compress(INETNUM * 50)[:-100],
    "cut-text": DELEGATED.encode()[:-60],
    "binary": bytes(range(256)) * 40,
    "packed": gzip.compress(DELEGATED.encode()),
}


class Source(BaseHTTPRequestHandler):
    """Answers as its path says."""

    def do_GET(self) -> None:
        how, _, name = self.path[1:].partition("/")
        getattr(self, f"answer_{how}")(name)

    def answer_plain(self, name: str, *, announced: int = 0, status: int = 200, **headers: str) -> None:
        body = BODIES[name]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) + announced))
        for header, value in headers.items():
            self.send_header(header.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def answer_short(self, name: str) -> None:
        self.answer_plain(name, announced=9)

    def answer_long(self, name: str) -> None:
        # In one piece, so that the client has what is too much before it is done.
        body = BODIES[name]
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(body) - 9) + body)

    def answer_encoded(self, name: str) -> None:
        self.answer_plain(name, Content_Encoding="gzip", Content_Type="image/png")

    def answer_status(self, name: str) -> None:
        self.answer_plain("empty", status=int(name))

    def answer_circle(self, name: str) -> None:
        self.answer_plain("empty", status=302, Location=f"/circle/{name}")

    def answer_to(self, name: str) -> None:
        self.answer_plain("empty", status=302, Location=name)

    def answer_slow(self, name: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(40):
            self.wfile.write(b"x")
            time.sleep(0.05)

    def answer_silent(self, name: str) -> None:
        time.sleep(2.0)

    def answer_hangup(self, name: str) -> None:
        self.connection.close()

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (OSError, ValueError):
            self.close_connection = True  # the client gave up, as it should

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a handshake that the client broke off


def serving(context: ssl.SSLContext | None = None) -> Iterator[str]:
    made = Server(("127.0.0.1", 0), Source)
    if context is not None:
        made.socket = context.wrap_socket(made.socket, server_side=True)
    thread = Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"{'http' if context is None else 'https'}://127.0.0.1:{made.server_address[1]}"
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture(scope="module")
def plain() -> Iterator[str]:
    yield from serving()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def secure(authority: Authority) -> Iterator[str]:
    yield from serving(authority.server(("localhost",)))


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Session]:
    with open_session(open_home(tmp_path / "home", lab=True), None) as session:
        yield session


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second of patience, in place of half an hour."""
    times = aiohttp.ClientTimeout(total=0.5, connect=0.5, sock_read=0.3)
    monkeypatch.setattr(fetch_data, "_TIMES", times)


WRONG = [
    ("short/routes4", "the answer broke off"),
    ("status/404", "HTTP status 404"),
    ("status/503", "HTTP status 503"),
    ("status/204", "HTTP status 204"),
    ("circle/x", "redirects in a circle"),
    ("to/gopher://x/y", "redirects to what is no address of the web"),
    ("slow/x", "no answer in time"),
    ("silent/x", "no answer in time"),
    ("hangup/x", "cannot be fetched (ServerDisconnectedError)"),
    ("plain/half", "has 49 rows, origin-ris-4 in use has 100; that much does not vanish"),
    ("plain/portal", "is none of"),
    ("plain/empty", "is empty"),
    ("plain/cut-gzip", "the compressed file ends too early"),
    ("plain/cut-text", "line 10: has 6 columns"),
    ("plain/binary", "is binary data"),
    ("long/delegated", "the answer is not as HTTP has it|has 6 columns"),
]


def test_what_cannot_be_believed_is_named_and_changes_nothing(at: Session, plain: str) -> None:
    """All at once: one that is wrong does not keep the others from being taken."""
    service.update(at, [f"{plain}/plain/routes"], Stated())
    addresses = [f"{plain}/{path}" for path, _ in WRONG]
    done = service.update(at, [*addresses, f"{plain}/plain/aut-num"], Stated())
    assert [row["name"] for row in done["loaded"]] == ["aut-num"]
    for address, (_, reason) in zip(addresses, WRONG, strict=True):
        assert any(each in done["refused"][address] for each in reason.split("|"))
        assert "\n" not in done["refused"][address]
    assert len(done["refused"]) == len(WRONG)
    in_use = {row["name"]: row for row in service.data_status(at.db.home, today=NOW)["tables"]}
    assert in_use["origin-ris-4"]["ranges"] >= 100


def test_an_encoding_and_a_media_type_that_say_nonsense_do_not_matter(at: Session, plain: str) -> None:
    done = service.update(at, [f"{plain}/encoded/packed", f"{plain}/encoded/cloudflare4"], Stated())
    assert {row["name"] for row in done["loaded"]} == {"country-ripencc", "cdn-cloudflare-4"}


def test_the_same_data_from_two_addresses_is_taken_once(at: Session, plain: str) -> None:
    done = service.update(at, [f"{plain}/plain/delegated", f"{plain}/to/{plain}/plain/delegated"], Stated())
    assert [row["name"] for row in done["loaded"]] == ["country-ripencc"]
    assert "is country-ripencc, and so is" in next(iter(done["refused"].values()))


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding

    context = ssl.create_default_context(cadata=authority.root.public_bytes(Encoding.PEM).decode())
    monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", context)


@pytest.mark.usefixtures("trusted")
def test_https_is_never_left_for_http_on_the_way(at: Session, secure: str, plain: str) -> None:
    secure = secure.replace("127.0.0.1", "localhost")
    there_and_back = f"{secure}/to/{plain}/to/{secure}/plain/delegated"
    wanted = [f"{secure}/plain/routes", f"{secure}/to/{plain}/plain/delegated", there_and_back]
    done = service.update(at, wanted, Stated())
    assert [row["name"] for row in done["loaded"]] == ["origin-ris-4"]
    assert set(done["refused"].values()) == {"redirects from HTTPS to HTTP"}
    assert len(done["refused"]) == 2


def test_a_certificate_of_nobody_is_refused_and_said(at: Session, secure: str, plain: str) -> None:
    done = service.update(at, [f"{secure}/plain/routes", f"{plain}/plain/delegated"], Stated())
    assert [row["name"] for row in done["loaded"]] == ["country-ripencc"]
    assert done["refused"][f"{secure}/plain/routes"].startswith("cannot be reached safely (")
    with pytest.raises(Unavailable, match="check the addresses"):
        service.update(at, [f"{secure}/plain/routes"], Stated())


def test_plain_http_where_tls_is_asked_for(at: Session, plain: str) -> None:
    with pytest.raises(Unavailable, match=r"cannot be reached"):
        service.update(at, [plain.replace("http:", "https:") + "/plain/routes"], Stated())


def test_a_dead_network_is_said_in_one_line(at: Session) -> None:
    with pytest.raises(Unavailable) as caught:
        service.update(at, ["https://ftp.ripe.invalid/a", "http://127.0.0.1:9/b"], Stated())
    message = str(caught.value)
    assert message.startswith("nothing could be fetched (https://ftp.ripe.invalid/a: cannot be reached (")
    assert message.endswith("the data in use stays")
    assert "is there a network?" in message
    assert "\n" not in message


@pytest.mark.parametrize("address", ["nonsense", "http://", "http://[::1", "ftp://a.nl/x", "file:///etc/passwd"])
def test_what_is_no_address_is_said(at: Session, address: str) -> None:
    with pytest.raises(Unavailable, match="nothing could be fetched"):
        service.update(at, [address], Stated())


def test_a_full_disk_is_said(at: Session, plain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fetch_data, "_store", full)
    with pytest.raises(HomeUnusable, match="No space left on device; make room"):
        service.update(at, [f"{plain}/plain/routes"], Stated())


class Told(asyncio.Event):
    """Set when the tables have changed."""

    forget = asyncio.Event.set


async def test_a_running_worker_takes_what_an_update_brought(at: Session, plain: str) -> None:
    live = LiveBook(at.db.home)
    scope = CachedScope(campaign("asns = [64496]"), live)
    told = Told()
    live.follow(scope)
    live.follow(told)
    assert scope.judge("45.9.7.1").reason == "unknown"
    watch = asyncio.create_task(live.watch(every=0.02))
    # In another process in earnest, as `vangnet data update` is.
    command = [sys.executable, "-m", "crawler", "--settings", "settings.lab"]
    command += ["--home", str(at.db.home.root), "data", "update", "--json"]
    environment = os.environ | {"VANGNET_DATA_SOURCES": f"{plain}/plain/routes"}
    try:
        ran = await asyncio.create_subprocess_exec(*command, env=environment, stdout=-1, stderr=-1)
        out, err = await ran.communicate()
        assert (ran.returncode, err) == (0, b"")
        assert [row["name"] for row in json.loads(out)["loaded"]] == ["origin-ris-4"]
        await asyncio.wait_for(told.wait(), 5)
        assert scope.judge("45.9.7.1").in_scope
    finally:
        watch.cancel()
    assert EVERY < 60, "within a minute, when nobody shortens the interval"
