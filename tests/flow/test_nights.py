"""A host that is larger than its budget is covered over nights; a domain has a budget over all of its hosts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from dnslib import QTYPE, RCODE, RR, A, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSLogger, DNSServer

from tests.flow.test_crawl import accounted, sha256
from tests.servers.names import names
from tests.servers.pictures import encoded, picture
from tests.servers.vangnet import Vangnet
from tests.servers.web import html, image, serve

IMAGES = 34
BUDGET = 20


@pytest.fixture
def vangnet(tmp_path: Path) -> Vangnet:
    made = Vangnet(tmp_path / "home")
    made.hash_list(sha256(b"something"))
    return made


def album(count: int, prefix: str = "/") -> dict[str, Any]:
    body = encoded(picture(1, (120, 90)))
    pages: dict[str, Any] = {prefix: html("".join(f'<img src="{prefix}{n}.jpg">' for n in range(count)))}
    return pages | {f"{prefix}{n}.jpg": image(body) for n in range(count)}


def test_a_large_host_is_covered_over_nights(vangnet: Vangnet) -> None:
    with serve(album(IMAGES)) as site:
        file = vangnet.campaign(site.root + "/", limits=f"max_urls_per_host = {BUDGET}")
        for night in range(1, 4):
            before = len(site.requests)
            done = vangnet.json("crawl", file)
            asked = [path for _, path in site.requests[before:] if path != "/robots.txt"]
            assert done["run"] == night
            assert len(asked) == len(set(asked)) == done["urls"]["fetched"] <= BUDGET
            assert accounted(done["urls"])
            assert done["urls"]["pending"] == 0
            coverage = vangnet.json("campaign", "status", "test")["coverage"]
            assert [host["host"] for host in coverage] in (["127.0.0.1"], [])
            if night == 1:
                assert done["urls"]["skipped"] == {"host-budget": IMAGES + 1 - BUDGET}
                assert coverage == [
                    {
                        "host": "127.0.0.1",
                        "covered": BUDGET,
                        "waiting": IMAGES + 1 - BUDGET,
                        "share": round(BUDGET / (IMAGES + 1), 4),
                    }
                ]
            if {path for _, path in site.requests} >= {f"/{n}.jpg" for n in range(IMAGES)}:
                break
        # The page and 19 images on the first night; on the next, three quarters of the budget are what was left out.
        assert night == 2


def test_a_domain_has_a_budget_over_all_of_its_hosts(vangnet: Vangnet) -> None:
    with serve(album(9, "/a/") | album(9, "/b/")) as site, names(**{"a.big": "127.0.0.1", "b.big": "127.0.0.1"}) as ns:
        seeds = [f"http://{host}.big.test:{site.port}/{host}/" for host in "ab"]
        file = vangnet.campaign(*seeds, limits="max_urls_per_domain = 12")
        file.write_text(file.read_text() + f'nameservers = ["{ns}"]\n')
        done = vangnet.json("crawl", file)
    # Ten URLs of each host, and two places where a sitemap might have been. How many of these are among the twelve
    # is for the order of admission to say: links leave a quarter of the budget to images, so that they find no room
    # behind the images of the other host. But there is no other way for a URL to end, and no thirteenth is asked for.
    skipped = done["urls"]["skipped"]
    assert (done["urls"]["fetched"] + skipped.get("no-sitemap", 0), skipped["domain-budget"]) == (12, 12)
    assert (done["urls"]["failed"], skipped.keys() <= {"no-sitemap", "domain-budget"}) == ({}, True)
    assert accounted(done["urls"])


class Recovering(BaseResolver):
    """SERVFAIL for the first questions, then an answer. One lookup asks two to four times."""

    def __init__(self, failures: int) -> None:
        self.left = failures

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        reply = request.reply()
        if self.left > 0:
            self.left -= 1
            reply.header.rcode = RCODE.SERVFAIL
        elif request.q.qtype == QTYPE.A:
            reply.add_answer(RR(request.q.qname, QTYPE.A, rdata=A("127.0.0.1"), ttl=60))
        return reply


@contextmanager
def recovering(failures: int) -> Iterator[str]:
    server = DNSServer(Recovering(failures), address="127.0.0.1", port=0, logger=DNSLogger("-request,-reply"))
    thread = threading.Thread(target=server.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield "{}:{}".format(*server.server.server_address)
    server.server.shutdown()
    server.server.server_close()
    thread.join()


def test_a_name_that_the_dns_cannot_tell_now_is_asked_again(vangnet: Vangnet) -> None:
    vangnet = Vangnet(vangnet.home, environment={"VANGNET_DNS_PATIENCE": "3.1"})
    with serve({"/": html("here after all")}) as site, recovering(4) as nameserver:
        file = vangnet.campaign(f"http://later.test:{site.port}/")
        file.write_text(file.read_text() + f'nameservers = ["{nameserver}"]\n')
        done = vangnet.json("crawl", file)
    skipped = {"no-sitemap": 2}
    assert done["urls"] == {"discovered": 3, "fetched": 1, "failed": {}, "skipped": skipped, "pending": 0}


@pytest.mark.long
def test_dns_trouble_that_lasts_is_a_reason(vangnet: Vangnet) -> None:
    vangnet = Vangnet(vangnet.home, environment={"VANGNET_DNS_PATIENCE": "0.31"})
    with recovering(10_000) as nameserver:
        file = vangnet.campaign("http://away.test/")
        file.write_text(file.read_text() + f'nameservers = ["{nameserver}"]\n')
        done = vangnet.json("crawl", file)
    assert done["urls"]["skipped"] == {"dns-servfail": 1}
    assert accounted(done["urls"])
