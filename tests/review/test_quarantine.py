from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.review.quarantine import FloodRule, Place, level_due, unrelated


def place(number: int, domain: str | None = None, icann: str | None = None) -> Place:
    name = domain or f"site{number}.example"
    return Place(name, icann or name, f"192.0.2.{number}")


def test_unrelated_places_share_nothing() -> None:
    assert unrelated([]) == 0
    assert unrelated([place(number) for number in range(7)]) == 7


def test_many_urls_on_one_host_are_one_place() -> None:
    assert unrelated([place(1)] * 10_000) == 1
    assert unrelated([Place(None, None, "192.0.2.1")] * 3) == 1


@pytest.mark.parametrize(
    "places",
    [
        [place(1, "a.example"), place(2, "a.example")],
        [place(1, "a.github.io", "github.io"), place(2, "b.github.io", "github.io")],
        [place(1, "a.example"), place(1, "b.example")],
        [Place("a.example", "a.example", "2001:db8::1"), Place("b.example", "b.example", "2001:db8::ffff")],
        [place(1, "a.example"), place(2, "b.example"), place(1, "c.example"), place(2, "c.example")],
    ],
)
def test_a_domain_an_icann_domain_or_an_address_makes_them_one(places: list[Place]) -> None:
    assert unrelated(places) == 1


def test_addresses_of_a_cdn_relate_nobody() -> None:
    assert unrelated([Place(f"site{n}.example", f"site{n}.example", None) for n in range(5)]) == 5


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), max_size=30), st.randoms())
def test_their_order_does_not_matter(numbers: list[tuple[int, int, int]], random: object) -> None:
    places = [Place(f"d{d}", f"i{i}", f"192.0.2.{a}") for d, i, a in numbers]
    other = list(places)
    random.shuffle(other)
    assert unrelated(places) == unrelated(other) <= len(set(places))


def test_the_rule() -> None:
    rule = FloodRule(domains=10)
    assert not rule.floods(9)
    assert rule.floods(10)
    assert not rule.floods(23, lifted_at=12)
    assert rule.floods(24, lifted_at=12)
    assert not FloodRule(domains=0).floods(1_000)


def test_levels_rise_with_time_and_end() -> None:
    hour = 3_600.0
    assert [level_due(100.0, 100.0 + hours * hour, 4 * hour) for hours in (-1, 0, 3.9, 4, 8)] == [1, 1, 1, 2, 3]
    # Then daily, for as long as nobody answers.
    assert [level_due(0.0, 16 * hour + days * 24 * hour, 4 * hour) for days in (0, 0.9, 1, 7)] == [5, 5, 6, 12]
    assert level_due(0.0, 4 * 72 * hour + 72 * hour, 72 * hour) == 6
