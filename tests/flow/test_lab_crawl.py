"""The whole way on the lab: what was planted is found, nothing else, politely, and every URL is accounted for."""

from __future__ import annotations

from collections import Counter

from crawler.lab.images import encoded
from crawler.lab.listed import LISTED
from crawler.lab.truth import Expect, judge
from crawler.lab.world import hoster_of
from crawler.urls import parts
from tests.flow.conftest import Crawled


def asked(crawled: Crawled) -> set[str]:
    return {f"http://{entry.host}:{crawled.plan.port}{entry.target}" for entry in crawled.entries}


def test_all_that_was_planted_is_found_and_nothing_else(crawled: Crawled) -> None:
    found = judge(crawled.hits, crawled.plan.truth)
    assert (found.missed, found.false) == ((), ())
    assert found.found == found.planted >= 40
    assert len(crawled.hits) == crawled.summary.hits == found.planted


def test_every_url_that_may_be_asked_was_asked(crawled: Crawled) -> None:
    truth = crawled.plan.truth
    assert sorted((truth.urls(Expect.FETCHED) | truth.urls(Expect.FAILED)) - asked(crawled)) == []


def test_nobody_went_where_nobody_may_go(crawled: Crawled) -> None:
    truth = crawled.plan.truth
    assert crawled.seen.out_of_scope == {}
    assert sorted((truth.urls(Expect.OUTSIDE) | truth.urls(Expect.SKIPPED)) & asked(crawled)) == []


def test_every_url_is_accounted_for(crawled: Crawled) -> None:
    urls = crawled.summary.urls
    assert urls["pending"] == 0
    assert urls["discovered"] == urls["fetched"] + sum(urls["failed"].values()) + sum(urls["skipped"].values())
    truth = crawled.plan.truth
    assert urls["fetched"] >= len(truth.urls(Expect.FETCHED))
    assert sum(urls["failed"].values()) >= len(truth.urls(Expect.FAILED))
    assert urls["skipped"]["robots"] == 4
    assert urls["skipped"]["out-of-scope"] >= 10


def test_failures_have_their_reasons(crawled: Crawled) -> None:
    failed = crawled.summary.urls["failed"]
    assert {"closed", "http-403", "http-404", "http-410", "http-500"} <= failed.keys()
    assert failed["undecodable(bomb)"] == 1


def test_no_address_was_asked_too_often(crawled: Crawled) -> None:
    assert {address: over for address, over in crawled.excess.items() if over > 0} == {}
    assert max(figures["concurrent"] for figures in crawled.seen.addresses.values()) <= 4


def test_no_url_was_asked_twice_under_one_name_unless_it_failed(crawled: Crawled) -> None:
    done = [entry for entry in crawled.entries if entry.status in range(200, 400)]
    times = Counter((entry.agent, *entry[1:4]) for entry in done)
    again = {target: count for (*_, target), count in times.items() if count > 1 and target != "/robots.txt"}
    # An image that turned out to be a page, or the other way round, is asked for again on its own lane.
    assert set(again) <= {"/is-html.jpg", "/is-html-zegt-het.jpg"}
    assert len({entry.agent for entry in done}) == 2


def test_hits_are_attributed(crawled: Crawled) -> None:
    for hit in crawled.hits:
        hoster = hoster_of(hit["ip"])
        assert hoster is not None
        shown = hit["hoster"]
        assert (shown["asn"], shown["as_name"], shown["network"]) == (hoster.asn, hoster.name, hoster.network)
        assert (shown["holder"], shown["abuse_contact"], shown["country"]) == (
            hoster.name,
            hoster.abuse,
            hoster.country,
        )
        # Beside the tables, the domains with hits on the same address.
        assert {row["source"] for row in shown["evidence"]} - {"hits of this installation"} == {"vangnet-lab"}
        host = parts(hit["image_url"].partition("#")[0]).host
        assert hit["ip"] in addresses_of(crawled, host)
        assert host.endswith(hit["domain"])


def test_a_cdn_in_front_is_named_and_its_origin_is_not_guessed(crawled: Crawled) -> None:
    behind = [hit["cdn"] for hit in crawled.hits if hit["ip"] == "127.20.0.10"]
    assert behind
    assert all(cdn == {"name": "Lichtsnel", "origin": "unknown"} for cdn in behind)
    assert all(hit["cdn"] is None for hit in crawled.hits if hit["ip"] != "127.20.0.10")


def addresses_of(crawled: Crawled, host: str) -> tuple[str, ...]:
    answer = crawled.plan.names[host]
    return answer.addresses or crawled.plan.names[answer.cname or ""].addresses


def test_hits_say_what_matched(crawled: Crawled) -> None:
    planted = crawled.plan.truth.planted
    for hit in crawled.hits:
        place = planted[hit["image_url"]]
        algorithms = {match["algorithm"] for match in hit["matches"]}
        assert algorithms <= {*LISTED[place.key].algorithms}
        for match in hit["matches"]:
            assert match["list"] == "lab-list"
            assert match["distance"] <= match["threshold"] <= 31
            assert (match["threshold"] == 0) == (match["algorithm"] != "pdq")
        assert hit["page_url"] is None or hit["page_url"].startswith("http://")
        assert hit["sightings"] >= 1


def test_redirects_stand_in_the_hit(crawled: Crawled) -> None:
    (hit,) = [hit for hit in crawled.hits if hit["image_url"].endswith("/echt/gevonden.jpg")]
    assert [parts(url).target for url in hit["redirects"]] == ["/r/keten.jpg", "/r/keten2.jpg", "/r/keten3.jpg"]


def test_no_image_lies_on_disk(crawled: Crawled) -> None:
    """Pieces of every picture that was served, from three places in its file, are nowhere under the home."""
    pieces: dict[bytes, str] = {}
    for file in crawled.plan.files:
        data = encoded(file)
        for part in (1, 2, 3):
            start = len(data) * part // 4
            pieces[data[start : start + 64]] = f"{file.picture.seed}"
    for path in crawled.home.root.rglob("*"):
        if path.is_file() and path.stat().st_size:
            content = path.read_bytes()
            assert not [name for piece, name in pieces.items() if piece in content], path
