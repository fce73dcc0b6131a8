from __future__ import annotations

import socket

import pytest
from dnslib import QTYPE, RCODE, DNSRecord

from crawler.lab.plan import Answer
from crawler.lab.process import Lab
from tests.servers.names import zone


def ask(lab: Lab, name: str, kind: str = "A", *, tcp: bool = False) -> tuple[int, list[str]]:
    host, _, port = lab.nameserver.partition(":")
    reply = DNSRecord.parse(DNSRecord.question(name, kind).send(host, int(port), tcp=tcp, timeout=5))
    return reply.header.rcode, [str(row.rdata) for row in reply.rr if QTYPE[row.rtype] in ("A", "CNAME")]


@pytest.mark.parametrize("tcp", [False, True])
def test_names(lab: Lab, tcp: bool) -> None:
    assert ask(lab, "galerij.example", tcp=tcp) == (0, ["127.10.1.1"])
    assert ask(lab, "GALERIJ.example.", tcp=tcp) == (0, ["127.10.1.1"])
    assert ask(lab, "bakker.example", tcp=tcp) == (0, ["127.12.1.1", "127.12.1.9"])
    assert ask(lab, "slager.test", tcp=tcp) == (0, ["127.12.1.1"])
    assert ask(lab, "bestaat-niet.example", tcp=tcp) == (RCODE.NXDOMAIN, [])
    assert ask(lab, "stuk.kluis.example", tcp=tcp) == (RCODE.SERVFAIL, [])
    assert ask(lab, "galerij.example", "AAAA", tcp=tcp) == (0, [])


def test_aliases_and_private_answers(lab: Lab) -> None:
    assert ask(lab, "img.winkel.example") == (0, ["winkel.edge.lichtsnel.example.", "127.20.0.10"])
    code, answers = ask(lab, "alias.kluis.example")
    assert (code, answers[-1]) == (0, "10.66.0.1")
    assert ask(lab, "metadata.kluis.example") == (0, ["169.254.169.254"])
    assert ask(lab, "ver-weg.test") == (0, ["127.50.1.1"])
    assert ask(lab, "rond.kluis.example")[0] == 0
    assert lab.seen().questions["ver-weg.test"] == 1


def test_both_families_and_times() -> None:
    table = {"six.test": Answer(("127.0.0.2", "::1"), ttl=7)}
    with zone(table) as nameserver:
        host, _, port = nameserver.partition(":")
        found = [
            DNSRecord.parse(DNSRecord.question("six.test", kind).send(host, int(port))).rr for kind in ("A", "AAAA")
        ]
    assert [[(str(row.rdata), row.ttl) for row in rows] for rows in found] == [[("127.0.0.2", 7)], [("::1", 7)]]


def test_what_is_no_question_is_ignored(lab: Lab) -> None:
    host, _, port = lab.nameserver.partition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"\x00" * 5, (host, int(port)))
        client.sendto(b"\xff" * 200, (host, int(port)))
    assert ask(lab, "galerij.example") == (0, ["127.10.1.1"])
