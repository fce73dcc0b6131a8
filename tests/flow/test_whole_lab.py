"""The whole way on the whole lab: what was planted is found, nothing else, politely, and every URL is accounted for;
hits end where the deeds of their hosters lead; and neither disk nor logs give any of it away."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.lab.demo_home import FILES
from crawler.lab.files import list_text
from crawler.lab.images import encoded
from crawler.lab.listed import LISTED
from crawler.lab.truth import Expect, judge
from crawler.lab.web import Reply
from crawler.lab.world import hoster_of
from crawler.urls import parts
from tests.flow.demonstration import JUNK, Crawled, Demonstrated, Followed, demonstrated

OURS = ("kernels", FILES, "keys", "index", "tables", "outbox")
"""Not what a crawl writes: compiled code, the lab's own files, keys, which are told to be kept elsewhere, and mails."""


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, kernels: Path) -> Iterator[Demonstrated]:
    with demonstrated(tmp_path_factory.mktemp("flow"), kernels) as found:
        yield found


@pytest.fixture(scope="module")
def crawled(shown: Demonstrated) -> Crawled:
    return shown.crawled


@pytest.fixture(scope="module")
def followed(shown: Demonstrated) -> Followed:
    return shown.followed


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
        # Beside the tables: the domains with hits on the same address, and where a registered domain begins.
        sources = {row["source"] for row in shown["evidence"]} - {"hits of this installation"}
        assert {each for each in sources if not each.startswith("Public Suffix List")} == {"vangnet-lab"}
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
        # Compiled kernels are from before the crawl, and large.
        if path.is_file() and path.stat().st_size and "kernels" not in path.relative_to(crawled.home.root).parts:
            content = path.read_bytes()
            assert not [name for piece, name in pieces.items() if piece in content], path


def stolen(root: Path) -> dict[str, bytes]:
    found = [path for path in root.rglob("*") if path.is_file() and path.relative_to(root).parts[0] not in OURS]
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def test_the_disk_gives_no_url_of_a_hit_away_after_crawl_and_visits(shown: Demonstrated) -> None:
    """What somebody learns who steals the disk: no URL of a hit, and none of its digests."""
    files = stolen(shown.crawled.home.root)
    assert any("aof" in name for name in files)
    assert any(name.startswith("vangnet.sqlite") for name in files)
    hits = [*shown.followed.hits, *shown.moved.new]
    urls = {url for hit in hits for url in (hit["image_url"], hit["page_url"], *hit["redirects"]) if url}
    paths = {parts(url.partition("#")[0]).path for url in urls}
    needles = {*urls, *(path for path in paths if len(path) > 8), *(hit["sha256"] for hit in hits)}
    assert len(needles) > 20
    told = {name: [needle for needle in needles if needle.encode() in data] for name, data in files.items()}
    assert {name: found for name, found in told.items() if found} == {}


def test_hits_end_where_the_deeds_of_their_hosters_lead(followed: Followed) -> None:
    after = followed.after
    assert after.wrong == ()
    status = {hit["status"] for hit in followed.hits if hit["hoster"]["holder"] == "Polder Hosting B.V."}
    assert status == {"removed"}
    assert (after.notices, after.removed > 30, after.still_up > 10) == (5, True, True)
    assert after.visits.rounds == 3
    assert after.visits.outcomes["absent"] == 3 * after.removed
    assert after.visits.outcomes["changed"] > 0
    assert followed.report["totals"]["removed"] == after.removed


def test_visits_are_as_polite_as_the_crawl_and_ask_for_nothing_else(followed: Followed) -> None:
    assert all(by <= 0 for by in followed.excess.values())
    noticed = {hit["image_url"].partition("#")[0].split("/", 3)[3] for hit in followed.hits}
    pages = {hit["page_url"].split("/", 3)[3] for hit in followed.hits if hit["page_url"]}
    asked = {entry.target.lstrip("/") for entry in followed.entries}
    # Where an image was missed, the page that showed it is asked, and the images that it shows; no link of it.
    others = asked - noticed - pages - {"robots.txt", "sitemap.xml", "sitemap_index.xml"}
    assert sorted(target for target in others if target.endswith((".html", "/"))) == []
    # Once a round as what is visited or shown. A page with an image of a notice inside of it is visited itself, and
    # looked at once more as the page that showed another one, which is missed: two questions, two recorded answers. So
    # is a page that calls itself an image: another page shows it as one, and it shows what is missed.
    twice = pages & (noticed | {"is-html.jpg", "is-html-zegt-het.jpg"})
    times = Counter((entry.host, entry.target.lstrip("/"), entry.agent) for entry in followed.entries)
    rounds = followed.after.visits.rounds
    assert {at: n for at, n in times.items() if n > (2 * rounds if at[1] in twice else rounds)} == {}


def test_what_stands_under_another_url_of_its_page_has_moved_and_is_a_new_hit(shown: Demonstrated) -> None:
    moved = shown.moved
    assert set(moved.status.values()) == {"moved"}
    assert moved.outcomes["moved"] >= len(moved.status) == len(moved.new)
    for hit in moved.new:
        assert "/anders/" in hit["image_url"] and (hit["status"], hit["sightings"]) == ("new", 1)
    assert all(by <= 0 for by in moved.excess.values())


def test_logs_name_nothing_of_a_hit_however_verbose_and_whatever_went_wrong(shown: Demonstrated) -> None:
    said = shown.said
    assert "serving a run" in said and "anna confirms" in said
    assert "result refused" in said and "damaged entry dropped" in said
    hits = [*shown.followed.hits, *shown.moved.new]
    urls = {url for hit in hits for url in (hit["image_url"], hit["page_url"], *hit["redirects"]) if url}
    names = {name for url in urls if "." in (name := url.partition("#")[0].rpartition("/")[2])}
    digests = {hit[name] for hit in hits for name in ("sha256", "md5")}
    listed = {line.split()[1] for line in list_text().splitlines() if line and not line.startswith("#")}
    hosts = {parts(url.partition("#")[0]).host for url in urls} | {hit["domain"] for hit in hits}
    for needle in {*urls, *names, *digests, *listed, *hosts, *titles(shown.crawled), JUNK.decode()}:
        assert needle not in said
    assert not re.search(r"https?://|[\w-]+\.(?:jpe?g|png|gif|webp|html?)\b", said)


def titles(crawled: Crawled) -> set[str]:
    """What the lab's pages are called, as far as it is more than a word of everyday."""
    bodies = [route.body for route in crawled.plan.routes.values() if isinstance(route, Reply)]
    found = {title for body in bodies if isinstance(body, bytes) for title in re.findall(rb"<title>([^<]+)", body)}
    return {title.decode() for title in found if len(title) > 5}


def test_the_report_names_no_url(followed: Followed) -> None:
    assert "://" not in json.dumps(followed.report)
