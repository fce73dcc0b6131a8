"""Sites that know their visitors: a kept session opens what stands behind it, and no other host sees its cookie."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flow.conftest import new_root
from tests.flow.test_crawl import sha256
from tests.servers.names import names
from tests.servers.pictures import encoded, picture
from tests.servers.vangnet import Vangnet
from tests.servers.web import Reply, Visit, receive, text

SECRET = "f00d5ec7e7"
IMAGES = 12
SEEN = encoded(picture(1))
OTHER = encoded(picture(2))


@pytest.fixture
def vangnet(tmp_path: Path, kernels: Path) -> Vangnet:
    made = Vangnet(new_root(tmp_path, kernels))
    made.hash_list(sha256(SEEN))
    return made


def gallery(visit: Visit) -> Reply:
    """Shows its pictures to those who came in by the door, which sends whoever has no cookie round once more."""
    known = visit.cookie is not None and f"sid={SECRET}" in visit.cookie
    if visit.path == "/robots.txt":
        return 404, (), b""
    if visit.path == "/":
        return text('<a href="/door">in</a><img src="/open.jpg">')
    if visit.path == "/open.jpg":
        return 200, (("Content-Type", "image/jpeg"),), OTHER
    if visit.path == "/door" and not known:
        cookies = [f"sid={SECRET}; Path=/; Max-Age=3600; HttpOnly", "lang=nl; Path=/elsewhere"]
        return text("", ("Location", "/door"), *[("Set-Cookie", cookie) for cookie in cookies], status=302)
    if not known:
        return text("members only", status=403)
    if visit.path == "/door":
        return text("".join(f'<img src="/members/{n}.jpg">' for n in range(IMAGES)))
    return 200, (("Content-Type", "image/jpeg"),), SEEN if visit.path == "/members/3.jpg" else OTHER


def test_what_stands_behind_a_session_is_seen_by_all_workers(vangnet: Vangnet) -> None:
    with receive(gallery) as house:
        done = vangnet.json("crawl", vangnet.campaign(house.root + "/", rate=100), "--workers", 2)
    assert done["urls"] == {
        "discovered": IMAGES + 3,
        "fetched": IMAGES + 3,
        "failed": {},
        "skipped": {},
        "pending": 0,
    }
    assert [hit["image_url"] for hit in vangnet.json("hits", "list")] == [f"{house.root}/members/3.jpg"]
    assert {visit.cookie for visit in house.of("/members/")} == {f"sid={SECRET}"}
    assert [visit.cookie for visit in house.of("/door")] == [None, f"sid={SECRET}"]
    assert {visit.cookie for visit in house.of("/robots.txt")} == {None}
    logs = [path.read_text() for path in (vangnet.home / "logs").iterdir()]
    assert logs
    assert not [log for log in logs if SECRET in log]


@pytest.mark.long
def test_a_campaign_may_do_without_sessions(vangnet: Vangnet) -> None:
    with receive(gallery) as house:
        done = vangnet.json("crawl", vangnet.campaign(house.root + "/", limits='session = "none"'))
    # The door leads to itself, and without a cookie that leads nowhere.
    assert (done["urls"]["fetched"], done["urls"]["discovered"], done["hits"]) == (3, 3, 0)
    assert {visit.cookie for visit in house.visits} == {None}


def neighbours(visit: Visit) -> Reply:
    """Three hosts of one server. What the third one sets changes with every answer, and leads round for ever."""
    if visit.path == "/robots.txt":
        return 404, (), b""
    host = visit.host.partition(".")[0]
    if host == "maze":
        return text("", ("Set-Cookie", f"turn={visit.at}"), ("Location", "/"), status=302)
    links = "".join(f'<a href="/{n}">x</a>' for n in range(5))
    return text(links, ("Set-Cookie", f"from={host}; Domain=test; Path=/"), ("Set-Cookie", f"own={host}"))


def test_a_hosts_cookies_are_its_own_and_a_door_that_never_opens_is_given_up(vangnet: Vangnet) -> None:
    addresses = dict.fromkeys(("a", "b", "maze"), "127.0.0.1")
    with receive(neighbours) as house, names(**addresses) as nameserver:
        file = vangnet.campaign(*(f"http://{host}.test:{house.port}/" for host in addresses), rate=100)
        file.write_text(file.read_text() + f'nameservers = ["{nameserver}"]\n')
        done = vangnet.json("crawl", file)
    # Of which two are the places where a sitemap of the maze might have been: they lead to its door.
    assert (done["urls"]["fetched"], done["urls"]["failed"]) == (14, {"redirect-with-cookie": 1})
    visits = {host: [visit for visit in house.of("/") if visit.host.startswith(host)] for host in addresses}
    for host in "ab":
        cookies = {visit.cookie for visit in visits[host] if visit.path[1:].isdigit()}
        assert cookies == {f"from={host}; own={host}"}
    turns = [visit.cookie for visit in visits["maze"] if visit.path == "/"]
    assert (turns[0], len(turns), len(set(turns))) == (None, 4, 4)
