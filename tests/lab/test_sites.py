"""The sites, as an independent crawler meets them over the wire."""

from __future__ import annotations

import re
from http.client import HTTPException, IncompleteRead

import pytest

from crawler.lab.images import File
from crawler.lab.plan import build_plan, site_names
from crawler.lab.process import Lab
from crawler.lab.truth import Expect
from crawler.lab.world import hoster_of, in_scope
from crawler.urls import parts
from tests.lab.naive import BROWSER, crawl, fetch


def test_all_that_is_expected_can_be_reached(lab: Lab) -> None:
    truth = lab.truth
    wanted = frozenset().union(*(truth.urls(kind) for kind in (Expect.FETCHED, Expect.FAILED, Expect.OPEN)))
    found = crawl(lab, wanted)
    assert sorted(wanted - found.keys()) == []
    assert [url for url in truth.urls(Expect.FETCHED) if not 200 <= found[url] < 400] == []
    seen = lab.seen()
    assert seen.trespasses == 0
    assert seen.requests >= len(wanted)
    assert set(seen.addresses) <= {address for address in lab.plan.listening if in_scope(address)}


def test_what_is_forbidden_is_named_on_pages(lab: Lab) -> None:
    """Nothing is proved by a crawl that stays away from what no page mentions."""
    texts = "".join(fetch(lab, url)[2].decode() for url in lab.plan.seeds if "wankel" not in url)
    for url in lab.truth.urls(Expect.SKIPPED):
        assert parts(url).target.removeprefix("/") in texts
    for host in ("ver-weg.test", "klant-elders.test", "verboden.example", "169.254.169.254", "10.66.0.1", "2130706433"):
        assert f"http://{host}" in texts


def test_trespassing_is_counted(lab: Lab) -> None:
    for host in ("ver-weg.test", "klant-elders.test", "uitgezonderd.example", "foto.verboden.example"):
        assert fetch(lab, f"http://{host}:{lab.port}/a.jpg")[0] == 200
    assert lab.seen().out_of_scope == {
        "connection to 127.50.1.1": 1,
        "connection to 127.10.200.1": 1,
        "connection to 127.12.66.1": 1,
        "request to foto.verboden.example": 1,
    }


def test_the_unsteady_site_fails_once_and_the_same_way_every_time(lab: Lab) -> None:
    def outcomes() -> list[list[str]]:
        urls = sorted(url for url in lab.truth.expected if "wankel.example" in url and "/altijd/" not in url)
        return [[_outcome(lab, url) for url in urls] for _ in range(2)]

    first = outcomes()
    assert len(set(first[0])) == 6
    assert "200" not in first[0]
    assert set(first[1]) == {"200"}
    lab.clear()
    assert outcomes() == first


def _outcome(lab: Lab, url: str) -> str:
    try:
        return str(fetch(lab, url)[0])
    except (OSError, HTTPException) as error:
        return type(error).__name__


def test_some_images_always_fail(lab: Lab) -> None:
    urls = [url for url in lab.truth.urls(Expect.FAILED) if "/altijd/" in url]
    assert sorted(_outcome(lab, url) for url in urls) == ["401", "403", "410", "500", "ConnectionResetError"]
    assert [_outcome(lab, url) for url in urls] == [_outcome(lab, url) for url in urls]


@pytest.mark.parametrize(
    ("target", "headers", "statuses"),
    [
        ("beeldbank.example{}/b/1.jpg", {"Referer": "http://beeldbank.example{}/zaal.html"}, (403, 200)),
        ("beeldbank.example{}/b/1.jpg", {"Referer": "http://etalage.test{}/"}, (403, 403)),
        ("beeldbank.example{}/b/4.jpg", {"Referer": "http://beeldbank.example{}/"}, (200, 200)),
        ("salon.example{}/kamer.html", {"Referer": "http://salon.example{}/hal.html"}, (403, 200)),
        ("salon.example{}/kamer.html", {"Referer": "http://salon.example{}/"}, (403, 403)),
        ("leeszaal.example{}/z/2.jpg", {"Cookie": "leeskaart=c0ffee"}, (403, 200)),
        ("leeszaal.example{}/z/2.jpg", {"Cookie": "leeskaart=ander"}, (403, 403)),
        ("spiegel.test{}/s/2.jpg", {"User-Agent": BROWSER}, (404, 200)),
    ],
)
def test_some_sites_choose_their_visitors(
    lab: Lab, target: str, headers: dict[str, str], statuses: tuple[int, int]
) -> None:
    url = "http://" + target.format(f":{lab.port}")
    sent = {name: value.format(f":{lab.port}") for name, value in headers.items()}
    (first, _, refused), (second, _, shown) = fetch(lab, url), fetch(lab, url, sent)
    assert (first, second) == statuses
    # Where both are answered well, it is with different pictures.
    assert (refused == shown) == (statuses == (403, 403))


def test_a_cut_body_is_short(lab: Lab) -> None:
    urls = sorted(url for url in lab.truth.expected if "wankel.example" in url)
    errors = []
    for url in urls:
        try:
            fetch(lab, url)
        except IncompleteRead as error:
            errors.append(error)
        except (OSError, HTTPException):
            pass
    assert errors
    assert all(error.partial and error.expected for error in errors)


def test_unknown_paths_and_hosts_are_404(lab: Lab) -> None:
    url = f"http://galerij.example:{lab.port}/"
    assert fetch(lab, f"{url}bestaat-niet")[0] == 404
    assert fetch(lab, url, {"Host": "onbekend.example"})[0] == 404


@pytest.mark.parametrize("site", site_names())
def test_a_site_can_be_served_alone(site: str) -> None:
    plan = build_plan(8000, [site])
    assert plan.seeds or site == "buitenland"
    assert all(isinstance(file, File) for file in plan.files)
    for address in plan.listening:
        assert address == "127.0.0.1" or hoster_of(address) is not None


def test_every_site_says_what_kind_it_is() -> None:
    from importlib import import_module

    for site in site_names():
        assert re.match(r"[A-Z].*[.,:]", import_module(f"crawler.lab.sites.{site}").__doc__ or ""), site
