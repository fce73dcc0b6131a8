"""Whatever pages and the DNS say, no packet leaves for an address out of scope: counted on the cable itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crawler.urls import canonical
from tests.flow.conftest import new_root
from tests.flow.test_crawl import accounted, sha256
from tests.hostile.pinned.spaces import NAMESERVER, internet, objection
from tests.servers.vangnet import Vangnet

HERE, ALSO_HERE, FLIPPING, IPV6 = "145.97.39.10", "145.97.39.11", "145.97.39.12", "2001:610:1::80"
PRIVATE, METADATA, ABROAD = "10.66.0.1", "169.254.169.254", "93.184.216.34"
LITERALS = (
    "0x7f.1",
    "2130706433",
    "0177.0.0.1",
    "127.1",
    "[::ffff:127.0.0.1]",
    "[::1]",
    "１２７.０.０.１",
    "127。0。0。1",
    "0xa.0x42.1",
    "0x0a420001",
    "[::ffff:10.66.0.1]",
    "[64:ff9b::a42:1]",
    "[2002:a42:1::1]",
    "[fd00::1]",
    "[fe80::1]",
    METADATA,
    "2852039166",
    ABROAD,
    "0",
    "[::]",
)
"""Loopback, private, link-local, metadata and foreign addresses, in the notations that URLs have for them."""
NAMES = ("private.test", "chain.test", "metadata.test", "abroad.test", "private6.test", "mapped.test")
ZONE = {
    "site.test": [[[HERE], None]],
    "mixed.test": [[[PRIVATE, ALSO_HERE, ABROAD], None]],
    # The first question is for both families, and asks the zone twice.
    "flip.test": [[[FLIPPING], None], [[FLIPPING], None], [[PRIVATE], None]],
    "six.test": [[[IPV6], None]],
    "private.test": [[[PRIVATE], None]],
    "private6.test": [[["fd00::1"], None]],
    "mapped.test": [[["::ffff:a42:1"], None]],
    "metadata.test": [[[METADATA], None]],
    "abroad.test": [[[ABROAD], None]],
    "chain.test": [[[], "link.test"]],
    "link.test": [[[], "private.test"]],
}
TARGETS = [*LITERALS, *NAMES]


def page(*urls: str) -> list[Any]:
    body = "".join(f'<a href="{url}">x</a><img src="{url}x.jpg">' for url in urls)
    return [200, "Content-Type", "text/html; charset=utf-8", body]


def site() -> dict[str, list[Any]]:
    """Pages that link to, show images of, and redirect to what must not be visited."""
    redirects = {f"/go/{number}": f"http://{target}/" for number, target in enumerate(TARGETS)}
    links = [f"http://{target}/" for target in TARGETS]
    hops = [f"http://site.test{path}" for path in redirects]
    pages = {
        "site.test/": page(*links, *hops, "http://mixed.test/", "http://flip.test/", "http://six.test/"),
        "mixed.test/": page("http://mixed.test/more/"),
        "flip.test/": page(*(f"http://flip.test/{n}/" for n in range(5))),
        "six.test/": page(),
    }
    moved = {f"site.test{path}": [302, "Location", ascii_only(target), ""] for path, target in redirects.items()}
    return pages | moved


def ascii_only(target: str) -> str:
    """Headers are latin-1; a redirect in another script is written in UTF-8, as servers do."""
    return target.encode().decode("latin-1")


@dataclass(frozen=True)
class Crawled:
    """packets: what arrived at the internet's end of the cable.  loopback: what the crawler sent to itself."""

    summary: dict[str, Any]
    packets: dict[str, int]
    asked: list[str]
    loopback: dict[str, int]


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory, kernels: Path) -> Iterator[Crawled]:
    if (why := objection()) is not None:
        pytest.skip(why)
    environment = {"VANGNET_DNS_FLOOR": "0.001", "VANGNET_HOST_STICKY": "0.001"}
    vangnet = Vangnet(new_root(tmp_path_factory.mktemp("pinned"), kernels), environment=environment)
    vangnet.hash_list(sha256(b"something"))
    file = vangnet.campaign("http://site.test/")
    written = file.read_text().replace('"127.0.0.0/8"', '"145.97.39.0/24", "2001:610:1::/48"')
    # Nothing private is permitted: this is the scope of a real crawl.
    written = written.replace("allow_private = true", f'nameservers = ["{NAMESERVER}"]')
    file.write_text(written)
    with internet(json.dumps(ZONE), json.dumps(site())) as world:
        arguments = ["-m", "crawler", "--home", str(vangnet.home), "--settings", vangnet.settings, "crawl", str(file)]
        crawl = subprocess.run(
            world.command(sys.executable, *arguments, "--json"),
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert crawl.returncode == 0, crawl.stderr
        outside, loopback = world.report()
    yield Crawled(json.loads(crawl.stdout), outside["packets"], outside["asked"], loopback["packets"])


def test_no_packet_leaves_for_an_address_out_of_scope(crawled: Crawled) -> None:
    permitted = {f"tcp {address} 80" for address in (HERE, ALSO_HERE, FLIPPING, IPV6)} | {f"udp {NAMESERVER} 53"}
    assert set(crawled.packets) <= permitted
    assert {each for each in crawled.loopback if each.startswith("tcp")} == set()


def test_what_is_in_scope_is_crawled_all_the_same(crawled: Crawled) -> None:
    assert {f"tcp {address} 80" for address in (HERE, ALSO_HERE, FLIPPING, IPV6)} <= set(crawled.packets)
    for visit in (f"{HERE} site.test/", f"{ALSO_HERE} mixed.test/more/", f"{FLIPPING} flip.test/", f"{IPV6} six.test/"):
        assert visit in crawled.asked


def test_an_answer_that_changed_between_two_questions_is_judged_anew(crawled: Crawled) -> None:
    assert not [visit for visit in crawled.asked if visit.endswith(tuple(f"flip.test/{n}/" for n in range(5)))]


def test_every_url_is_accounted_for(crawled: Crawled) -> None:
    urls = crawled.summary["urls"]
    assert accounted(urls)
    assert urls["pending"] == 0
    assert set(urls["skipped"]) == {"out-of-scope", "no-sitemap"}
    elsewhere = {canonical(f"http://{target}/{name}") for target in TARGETS for name in ("", "x.jpg")}
    assert urls["skipped"]["out-of-scope"] >= len(elsewhere)
