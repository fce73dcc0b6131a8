"""The order of a sweep: every address once, blocks far apart, in constant memory."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from ipaddress import ip_address, ip_network
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.sweep import BLOCK, Permutation, SweepOrder, root_url, swept_urls
from crawler.urls import canonical


@given(st.integers(1, 3_000), st.binary(min_size=1, max_size=64))
@settings(max_examples=40, deadline=None)
def test_a_permutation_has_every_number_once(n: int, key: bytes) -> None:
    order = Permutation(n, key)
    assert sorted(map(order, range(n))) == list(range(n))


def test_another_key_is_another_order() -> None:
    one, other = Permutation(1_000, b"a"), Permutation(1_000, b"b")
    assert [one(n) for n in range(1_000)] != [other(n) for n in range(1_000)]
    assert sum(one(n) == n for n in range(1_000)) < 20


PREFIXES = [
    ("198.51.100.0/22",),
    ("198.51.100.7/32",),
    ("198.51.100.0/24", "203.0.113.64/26", "203.0.113.0/28"),
    ("198.51.100.0/25", "198.51.100.128/25", "198.51.100.0/24"),
    ("2001:db8::/118",),
    ("2001:db8::/124", "198.51.100.0/23", "198.51.100.0/30"),
]


@pytest.mark.parametrize("prefixes", PREFIXES)
def test_every_address_comes_once_however_prefixes_overlap(prefixes: tuple[str, ...]) -> None:
    order = SweepOrder([str(ip_network(prefix, strict=False)) for prefix in prefixes], b"key")
    swept = [address for n in range(order.positions) if (address := order.address(n)) is not None]
    wanted = {str(address) for prefix in prefixes for address in ip_network(prefix, strict=False)}
    assert set(swept) == wanted
    assert len(swept) == len(wanted) == order.addresses


def test_no_block_comes_again_before_all_others_did() -> None:
    order = SweepOrder(["10.0.0.0/20"], b"key")
    assert (order.blocks, order.addresses, order.positions) == (16, 4_096, 4_096)
    blocks = [str(order.address(n)).rpartition(".")[0] for n in range(order.positions)]
    last: dict[str, int] = {}
    for place, block in enumerate(blocks):
        assert place - last.get(block, place - 16) == 16
        last[block] = place
    assert blocks[:16] != sorted(blocks[:16])
    hosts = [int(str(order.address(n)).rpartition(".")[2]) for n in range(0, order.positions, 16)]
    assert sum(after == before + 1 for before, after in pairwise(hosts)) < 16


def test_parts_of_one_block_count_as_one() -> None:
    order = SweepOrder(["198.51.100.0/28", "198.51.100.128/28", "203.0.113.0/24"], b"key")
    assert order.blocks == 2
    turns = Counter(str(order.address(n)).rpartition(".")[0] for n in range(64) if order.address(n))
    assert turns == {"198.51.100": 32, "203.0.113": 32}


def test_eight_bits_of_the_internet_take_no_memory() -> None:
    tracemalloc.start()
    order = SweepOrder(["10.0.0.0/8"], b"key")
    found = [order.address(n) for n in (0, 5_000_000, order.positions - 1)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert order.addresses == 2**24
    assert all(ip_address(str(address)) in ip_network("10.0.0.0/8") for address in found)
    assert peak < 200_000


def test_the_urls_of_an_address_are_canonical() -> None:
    urls = [*swept_urls("198.51.100.7", (80, 443, 8080, 8443)), *swept_urls("2001:db8::1", (443, 81))]
    assert urls[:4] == [
        "http://198.51.100.7/",
        "https://198.51.100.7/",
        "http://198.51.100.7:8080/",
        "https://198.51.100.7:8443/",
    ]
    assert urls[4:] == ["https://[2001:db8::1]/", "http://[2001:db8::1]:81/"]
    assert [canonical(url) for url in urls] == urls
    assert root_url("https", "a.example", 80) == "https://a.example:80/"
    assert BLOCK == 256
