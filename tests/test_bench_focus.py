"""bench/focus: the made web is what it says, the crawl of it is one, and boost finds more than breadth-first."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from bench.focus import BFS, PLAIN, Trial, in_memory, main_rows, on_server, trial, worst
from bench.focus_crawl import LIMITS, Crawl, Worker
from bench.focus_web import Shape, Web, breadth_first, make_web
from crawler.frontier.base import Claimed
from crawler.frontier.memory import MemoryFrontier
from crawler.urls import canonical

SHAPE = Shape(hosts=30, addresses=12, galleries=12, pages=3, hot_hosts=0.07)
WORKER = Worker(1, 2)


@pytest.fixture(scope="module")
def web() -> Web:
    return make_web(SHAPE, 3)


def test_a_seed_makes_the_same_web_every_time(web: Web) -> None:
    again, other = make_web(SHAPE, 3), make_web(SHAPE, 4)
    assert (again.urls, again.links, again.hits, again.seeds) == (web.urls, web.links, web.hits, web.seeds)
    assert other.urls != web.urls


def test_urls_are_canonical_distinct_and_can_all_be_reached(web: Web) -> None:
    assert len(set(web.urls)) == len(web.urls)
    assert all(canonical(url) == url for url in web.urls)
    assert sorted(breadth_first(web)) == list(range(len(web.urls)))


def test_breadth_first_asks_in_the_order_of_discovery(web: Web) -> None:
    order = breadth_first(web)
    depth = dict.fromkeys(web.seeds, 0)
    for number in order:
        for target, _ in web.links.get(number, ()):
            depth.setdefault(target, depth[number] + 1)
    assert [depth[number] for number in order] == sorted(depth.values())


def test_hits_cluster_on_few_hosts_and_no_page_is_one(web: Web) -> None:
    hosts = Counter(web.host(number) for number in web.hits)
    assert not web.hits & web.links.keys()
    assert len(web.clustered) > 0.8 * len(web.hits)
    assert sum(n for _, n in hosts.most_common(2)) > 0.8 * len(web.hits)


def test_scattered_hits_are_counted_from_the_others_but_not_clustered(web: Web) -> None:
    scattered = make_web(replace(SHAPE, scattered=2), 3)
    assert scattered.urls == web.urls
    assert len(scattered.hits) == 2 * len(web.hits)
    assert not scattered.hits & scattered.links.keys()
    assert not scattered.clustered


@pytest.mark.parametrize("boosts", [True, False])
async def test_a_crawl_requests_every_url_once(web: Web, boosts: bool) -> None:
    order = await in_memory(web, replace(WORKER, boosts=boosts), 10 * len(web.urls))
    assert sorted(order) == list(range(len(web.urls)))


async def test_a_crawl_on_a_server_does_too(client: Redis) -> None:
    tiny = make_web(replace(SHAPE, hosts=8, galleries=4, hot_hosts=0.0, seeds=0.2), 1)
    order = await on_server(client, tiny, WORKER, len(tiny.urls) + 1)
    assert sorted(order) == list(range(len(tiny.urls)))


async def test_a_crawl_stops_after_so_many_requests_and_keeps_to_the_limits_of_an_address(web: Web) -> None:
    rounds: list[Counter[str]] = []

    class Watched(MemoryFrontier):
        async def claim(self, pages: int, images: int, page_streaks: bool = True) -> Claimed:
            claimed = await super().claim(pages, images, page_streaks)
            rounds.append(Counter(lease.item.address for lease in claimed.leases))
            assert sum(lease.item.kind.on_image_lane for lease in claimed.leases) <= images
            return claimed

    now = [0.0]

    def tick() -> None:
        now[0] += 1.0

    crawl = Crawl(Watched(lambda: now[0]), web, Worker(8, 16), tick)
    assert len(await crawl.run(500)) == 500
    assert crawl.boosts > 0
    assert max(max(each.values(), default=0) for each in rounds) == LIMITS.concurrency


async def test_a_budget_is_kept_and_hits_lift_it(web: Web) -> None:
    orders = {
        boosts: await in_memory(web, replace(WORKER, boosts=boosts, budget=40), len(web.urls))
        for boosts in (True, False)
    }
    most = {boosts: Counter(map(web.host, order)).most_common(1)[0] for boosts, order in orders.items()}
    assert most[False][1] == 40
    assert most[True][1] > 40
    assert len(web.hits.intersection(orders[True])) > len(web.hits.intersection(orders[False]))


async def test_boost_finds_more_than_breadth_first_and_than_none() -> None:
    trials = [await trial(make_web(SHAPE, seed), WORKER, in_memory, 0.25) for seed in (3, 4, 5)]
    ours, plain, bfs = (sum(each.rate(name, 0.25) for each in trials) for name in ("ours", PLAIN, BFS))
    assert ours > 1.5 * bfs
    assert ours > 1.5 * plain


def made(ours: list[int], peer: list[int]) -> Trial:
    """Ten images, of which 0 to 3 are hits on two hosts, 0 alone; asked for in two orders."""
    urls = [f"https://{'b' if n else 'a'}.example/{n}.jpg" for n in range(10)]
    return Trial(Web(urls=urls, hits={0, 1, 2, 3}, clustered={1, 2, 3}), {"ours": ours, BFS: peer, PLAIN: peer})


def test_rates_are_of_the_requests_made_so_far() -> None:
    one = made([0, 1, 9, 8], [9, 8, 7, 0])
    assert one.rate("ours", 0.4) == 500.0
    assert one.rate("ours", 0.1) == 1000.0
    assert one.clustered("ours", 0.4) == 250.0
    assert one.rate(BFS, 0.3) == 0.0
    assert one.all_found(BFS, 0.4) == 25.0
    assert one.places("ours", 0.1) == 0.0
    assert one.places("ours", 0.2) == 1.0


def test_the_worst_web_is_where_we_are_least_ahead() -> None:
    good, bad, nothing = made([0, 1], [0, 9]), made([0, 9], [0, 1]), made([0, 1], [9, 8])
    row = worst([good, bad, nothing], 0.2, "three webs")
    assert (row.ours, row.peer, row.ratio, row.met) == (500.0, 1000.0, 0.5, False)
    assert worst([nothing], 0.2, "one web").ratio is None


async def test_main_rows_state_goals_for_breadth_first_only(web: Web) -> None:
    rows = main_rows([await trial(web, WORKER, in_memory, 0.25)], (0.1, 0.25), "one web")
    goals = {(row.peer_name, row.goal) for row in rows}
    assert goals == {(BFS, ">= 1.5"), (BFS, ">= 1"), (BFS, None), (PLAIN, None)}
    assert len({(row.what, row.peer_name) for row in rows}) == len(rows)
