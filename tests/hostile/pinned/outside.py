"""Runs in a namespace: counts the packets on a device, and plays the internet behind it when told of zone and site.

`python -m tests.hostile.pinned.outside DEVICE [ZONE SITE]` says "ready", works until its input ends, and prints
{"packets": {"tcp 203.0.113.1 80": n, …}, "asked": ["ADDRESS HOST/PATH", …]}. Of TCP, only first packets are counted.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address, IPv6Address

from crawler.lab.dns import NameServer
from crawler.lab.log import RequestLog
from crawler.lab.plan import Answer

PORT = 80
_ALL = 0x0003
_SYN, _ACK = 0x02, 0x10


def packet_name(frame: bytes) -> str | None:
    """What a frame opens, None for what opens nothing: "tcp ADDRESS PORT", "udp ADDRESS PORT", "other ADDRESS"."""
    (kind,) = struct.unpack_from(">H", frame, 12)
    if kind == 0x0800:
        protocol, target = frame[23], str(IPv4Address(frame[30:34]))
        rest = frame[14 + 4 * (frame[14] & 15) :]
    elif kind == 0x86DD:
        protocol, target, rest = frame[20], str(IPv6Address(frame[38:54])), frame[54:]
    else:
        return None
    if protocol == socket.IPPROTO_ICMPV6 or target.startswith("ff02:"):
        return None  # neighbours, who are looked for on the cable itself by the kernel
    if protocol == socket.IPPROTO_TCP:
        opens = rest[13] & (_SYN | _ACK) == _SYN
        return f"tcp {target} {struct.unpack_from('>H', rest, 2)[0]}" if opens else None
    if protocol == socket.IPPROTO_UDP:
        return f"udp {target} {struct.unpack_from('>H', rest, 2)[0]}"
    return f"other {target}"


class Changing(dict[str, list[Answer]]):
    """A zone whose names answer differently each time they are asked for an A record; the last answer stays."""

    def get(self, name: str, default: object = None) -> Answer | None:
        answers = super().get(name)
        if answers is None:
            return None
        return answers[0] if len(answers) == 1 else answers.pop(0)


def sniff(device: str, packets: Counter[str]) -> None:
    """Count what arrives at a device until the process ends."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL)) as line:
        line.bind((device, 0))
        while True:
            frame, (_, _, direction, *_) = line.recvfrom(2048)
            name = packet_name(frame) if direction != socket.PACKET_OUTGOING else None
            if name is not None:
                packets[name] += 1


def answer_names(zone: str) -> None:
    """Be the name server of a zone, {name: [[addresses, alias], …]}, whose answers hold for no time."""
    table = Changing(
        (name, [Answer(tuple(addresses), alias, ttl=0) for addresses, alias in answers])
        for name, answers in json.loads(zone).items()
    )
    server = NameServer(table, RequestLog())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("192.0.2.1", 53))
        while True:
            packet, asker = listening.recvfrom(4096)
            listening.sendto(server.answer(packet) or b"", asker)


def web_server(site: str, asked: list[str], family: socket.AddressFamily) -> ThreadingHTTPServer:
    """A web server at every address. site: {"HOST/PATH": [status, header, value, body], …}; others get an image."""
    pages = json.loads(site)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            name = f"{self.headers['Host']}{self.path}"
            asked.append(f"{self.connection.getsockname()[0]} {name}")
            status, header, value, body = pages.get(name, [404, "X", "x", ""])
            self.send_response(status)
            self.send_header(header, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        address_family = family
        daemon_threads = True

        def server_bind(self) -> None:
            if family is socket.AF_INET6:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            super().server_bind()

    return Server(("::" if family is socket.AF_INET6 else "0.0.0.0", PORT), Handler)


def main(device: str, zone: str = "", site: str = "") -> None:
    packets: Counter[str] = Counter()
    asked: list[str] = []
    work = [threading.Thread(target=sniff, args=(device, packets), daemon=True)]
    if zone:
        work.append(threading.Thread(target=answer_names, args=(zone,), daemon=True))
        servers = [web_server(site, asked, family) for family in (socket.AF_INET, socket.AF_INET6)]
        work += [threading.Thread(target=server.serve_forever, daemon=True) for server in servers]
    for each in work:
        each.start()
    print("ready", flush=True)
    sys.stdin.read()
    print(json.dumps({"packets": packets, "asked": asked}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
