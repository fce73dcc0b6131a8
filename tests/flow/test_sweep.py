"""A /22 is swept: what listens is found, with the sites that certificates, reverse DNS and redirects name."""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from socketserver import BaseRequestHandler, BaseServer, UDPServer

from dnslib import PTR, QTYPE, RCODE, RR, A, DNSRecord

from tests.hostile.servers.certificates import Authority
from tests.servers.pictures import encoded, picture
from tests.servers.vangnet import Vangnet

PREFIX = "127.46.8.0/22"
SECURE, PLAIN, BARE = "127.46.9.77", "127.46.11.200", "127.46.8.3"
HOSTS = {
    "cert.sweep.test": SECURE,
    "reverse.sweep.test": PLAIN,
    "moved.sweep.test": BARE,
    "away.sweep.test": "10.9.9.9",
}
BACK = {f"{ip_address(PLAIN).reverse_pointer}": "reverse.sweep.test"}
PICTURES = {host: encoded(picture(n, (160, 120))) for n, host in enumerate(HOSTS)}
Asked = list[tuple[str, str]]


class _Dns(BaseRequestHandler):
    def handle(self) -> None:
        packet, socket = self.request
        question = DNSRecord.parse(packet)
        name, kind = str(question.q.qname).rstrip("."), QTYPE[question.q.qtype]
        reply = question.reply()
        if kind == "PTR" and name in BACK:
            reply.add_answer(RR(name, QTYPE.PTR, rdata=PTR(BACK[name]), ttl=60))
        elif name not in HOSTS:
            reply.header.rcode = RCODE.NXDOMAIN
        elif kind == "A":
            reply.add_answer(RR(name, QTYPE.A, rdata=A(HOSTS[name]), ttl=60))
        socket.sendto(reply.pack(), self.client_address)


class _Web(ThreadingHTTPServer):
    daemon_threads = True
    asked: Asked

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that speak no TLS are a part of this."""


class _Handler(BaseHTTPRequestHandler):
    server: _Web

    def do_GET(self) -> None:
        host = self.headers["Host"].partition(":")[0]
        self.server.asked.append((host, self.path))
        port = self.server.server_address[1]
        if self.path == "/i.jpg" and host in PICTURES:
            return self._say(200, PICTURES[host], ("Content-Type", "image/jpeg"))
        if host in HOSTS and self.path == "/":
            return self._say(200, b'<img src="/i.jpg">', ("Content-Type", "text/html"))
        if host == BARE and self.path == "/":
            return self._say(302, b"", ("Location", f"http://moved.sweep.test:{port}/"))
        return self._say(404, b"nothing")

    def _say(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def _serving(server: BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def served(directory: Path) -> Iterator[tuple[list[int], int, Asked]]:
    """The ports of the web servers (TLS last), the port of the nameserver, and what was asked."""
    asked: Asked = []
    tls: ssl.SSLContext = Authority(directory).server(("cert.sweep.test", "*.away.sweep.test"))
    with ExitStack() as stack:
        plain = _Web((PLAIN, 0), _Handler)
        port = plain.server_address[1]
        bare, secure = _Web((BARE, port), _Handler), _Web((SECURE, 0), _Handler)
        secure.socket = tls.wrap_socket(secure.socket, server_side=True, do_handshake_on_connect=False)
        dns = UDPServer(("127.0.0.1", 0), _Dns)
        for server in (plain, bare, secure):
            server.asked = asked
        for server in (plain, bare, secure, dns):
            stack.enter_context(_serving(server))
        yield [port, secure.server_address[1]], dns.server_address[1], asked


def test_a_sweep_finds_what_listens_and_by_which_names(tmp_path: Path) -> None:
    vangnet = Vangnet(tmp_path / "home")
    vangnet.hash_list(*(f"sha256 {hashlib.sha256(body).hexdigest()}" for body in PICTURES.values()))
    with served(tmp_path) as (ports, dns, asked):
        file = vangnet.campaign("http://127.46.8.3:1/", limits="sweep_rate = 2000.0")
        text = file.read_text().replace(
            'urls = ["http://127.46.8.3:1/"]', f'sweep = ["{PREFIX}"]\nsweep_ports = {ports}'
        )
        file.write_text(f'{text}nameservers = ["127.0.0.1:{dns}"]\n')
        summary = vangnet.json("crawl", file, "--workers", 2)
        hits = {hit["image_url"] for hit in vangnet.json("hits", "list")}
    urls = summary["urls"]
    # TLS on a port that is no usual one was told by how the server took plain HTTP.
    assert hits == {
        f"https://cert.sweep.test:{ports[1]}/i.jpg",
        f"http://reverse.sweep.test:{ports[0]}/i.jpg",
        f"http://moved.sweep.test:{ports[0]}/i.jpg",
    }
    assert urls["pending"] == 0
    assert urls["failed"] == {}
    # Of 1,024 addresses at two ports each, one said TLS, one has no page at its root, one redirects.
    assert urls["skipped"]["no-service(connect-refused)"] == 2 * 1_024 - 3
    assert urls["skipped"]["out-of-scope"] == 1
    assert urls["skipped"]["no-page(http-404)"] == 2
    assert len([path for host, path in asked if host == PLAIN and path == "/"]) == 1
