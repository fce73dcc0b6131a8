from __future__ import annotations

import hashlib

import pytest

from crawler.lab.images import Derivative, File
from crawler.lab.listed import LISTED, with_pdq
from crawler.lab.plan import Plan, build_plan, site_names
from crawler.lab.truth import Expect, Planted, Truth, judge
from crawler.lab.web import Gate, Reply, Request
from crawler.urls import canonical, parts, resource_key
from tests.lab.seen import all_bits, bits_of, distance

PAGE = "http://a.example/p/"


def truth() -> Truth:
    urls = [f"{PAGE}1.jpg", f"{PAGE}2.jpg", f"{PAGE}#data-0"]
    return Truth({url: Planted(url, "L00", Derivative.AS_IS) for url in urls}, {f"{PAGE}any.jpg": Expect.OPEN})


def test_a_perfect_crawl_is_judged_so() -> None:
    found = judge([{"image_url": url} for url in truth().planted], truth())
    assert (found.planted, found.found, found.missed, found.false) == (3, 3, (), ())


def test_missed_false_and_open() -> None:
    hits = [f"{PAGE}1.jpg", f"{PAGE}1.jpg", f"{PAGE}any.jpg", f"{PAGE}3.jpg", f"{PAGE}#data-1"]
    found = judge([{"image_url": url} for url in hits], truth())
    assert found.found == 1
    assert found.missed == (f"{PAGE}#data-0", f"{PAGE}2.jpg")
    assert found.false == (f"{PAGE}#data-1", f"{PAGE}3.jpg")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return build_plan(8042)


def test_the_lab_is_as_large_as_promised(plan: Plan) -> None:
    assert len(site_names()) >= 12
    assert 300 <= len(plan.routes) <= 600
    assert 35 <= len(plan.truth.planted) <= 80
    assert {planted.derivative for planted in plan.truth.planted.values()} == set(Derivative)


def test_every_url_is_canonical_and_a_resource_of_its_own(plan: Plan) -> None:
    urls = list(plan.truth.expected)
    assert [canonical(url) for url in urls] == urls
    planted = [url for url in plan.truth.planted if "#" not in url]
    assert len({resource_key(url) for url in planted}) == len(planted)


def test_the_plan_is_the_same_for_both_processes(plan: Plan) -> None:
    again = build_plan(8042)
    assert again.truth == plan.truth
    assert again.names == plan.names
    assert again.routes.keys() == plan.routes.keys()


def answer(plan: Plan, url: str) -> Reply:
    """As those see it who may."""
    found = parts(url)
    route = plan.routes.get((found.host, found.target))
    if isinstance(route, Gate):
        return route.inside
    return plan.reply(Request(0.0, "127.0.0.1", found.host, "GET", found.target, {}, number=2))


def test_every_planted_image_matches_and_nothing_else_does(plan: Plan) -> None:
    codes = {entry.key: bits_of(entry.content()) for entry in with_pdq()}
    digests = {
        hashlib.new(algorithm, entry.content()).digest(): entry.key
        for entry in LISTED.values()
        for algorithm in entry.algorithms
        if algorithm != "pdq"
    }
    looked_at = 0
    for url, expect in plan.truth.expected.items():
        reply = answer(plan, url)
        is_file = isinstance(reply.body, File)
        if expect not in (Expect.FETCHED, Expect.FAILED) or not (is_file or url in plan.truth.planted):
            continue
        looked_at += 1
        data = reply.body_bytes()
        keys = {
            digests[digest]
            for name in ("md5", "sha1", "sha256")
            if (digest := hashlib.new(name, data).digest()) in digests
        }
        if is_file:
            seen = all_bits(data)
            near = {key: min(distance(code, bits) for bits in seen) for key, code in codes.items()}
            keys |= {key for key, bits in near.items() if bits <= 31}
            # Nothing lies between a sure match and a sure miss, so that no result hangs on a rounding.
            assert not [key for key, bits in near.items() if 24 < bits <= 60], url
        planted = plan.truth.planted.get(url)
        assert keys == ({planted.key} if planted else set()), url
    assert looked_at > 140


def test_forbidden_places_hold_bait(plan: Plan) -> None:
    """Whoever goes where nobody may go, gets hits there, which count as false."""
    for expect in (Expect.OUTSIDE, Expect.SKIPPED):
        urls = plan.truth.urls(expect)
        assert not set(plan.truth.planted) & urls
        assert any(
            hashlib.sha256(answer(plan, url).body_bytes()).digest() in baits() for url in urls if url.endswith("jpg")
        )


def baits() -> set[bytes]:
    return {hashlib.sha256(entry.content()).digest() for entry in LISTED.values()}
