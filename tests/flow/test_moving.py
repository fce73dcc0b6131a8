"""A host that gets another address in mid-crawl is finished there."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

from crawler.lab.plan import Answer as Address
from tests.flow.conftest import new_root
from tests.flow.test_crawl import accounted, begun, sha256
from tests.servers.names import zone
from tests.servers.vangnet import Vangnet
from tests.servers.warm import warm_command
from tests.servers.web import Reply, Visit, receive, text

PAGES = 45
QUICK = {"VANGNET_HOST_DOUBTED": "0.1"}


def house(visit: Visit) -> Reply:
    if visit.path == "/robots.txt":
        return 404, (), b""
    return text("".join(f'<a href="/{n}">x</a>' for n in range(PAGES)) if visit.path == "/" else "an end")


def test_a_host_that_moves_in_mid_crawl_is_finished_at_its_new_address(tmp_path: Path, kernels: Path) -> None:
    vangnet = Vangnet(new_root(tmp_path, kernels), environment=QUICK, program=warm_command())
    vangnet.hash_list(sha256(b"something"))
    table = {"a.test": Address(("127.0.0.2",), ttl=86_400)}
    with ExitStack() as stack, zone(table) as nameserver:
        old = stack.enter_context(receive(house, "127.0.0.2"))
        file = vangnet.campaign(f"http://a.test:{old.port}/", rate=20, concurrency=2)
        file.write_text(f'{file.read_text()}nameservers = ["{nameserver}"]\n')
        with vangnet.start("crawl", file, "--json") as crawl:
            begun(old, 25)
            table["a.test"] = Address(("127.0.0.3",), ttl=86_400)
            stack.close()
            with receive(house, "127.0.0.3", old.port) as new:
                out, err = crawl.communicate(timeout=90)
    assert crawl.returncode == 0, err
    urls = json.loads(out)["urls"]
    assert accounted(urls)
    assert (urls["fetched"], urls["failed"], urls["pending"]) == (PAGES + 1, {}, 0)
    there = {visit.path for visit in new.visits}
    assert "/robots.txt" in there
    guessed = {"/sitemap.xml", "/sitemap_index.xml"}
    asked = {visit.path for visit in old.visits} | there
    assert asked - guessed == {
        "/",
        "/robots.txt",
        *(f"/{n}" for n in range(PAGES)),
    }
    assert len(there) > PAGES - 30
