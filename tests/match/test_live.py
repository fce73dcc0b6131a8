"""A file with a state of the lists matches as a file of the lists as they are now would."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.errors import RecordCorrupt
from crawler.match.index import IndexRow, index_in_memory
from crawler.match.live import ListState, Mask, ground_of, merged, pack_state, unpack_state
from crawler.match.matcher import Matcher
from crawler.match.tables import LINEAR_BELOW
from crawler.match.thresholds import Thresholds
from crawler.records import Code, Digests, RowMatch
from tests.match.test_search import codes_of, flipped

INDEX = "ab" * 32
WIDE = Thresholds(min_quality=0)


def rows_of(kind: str, count: int, seed: int) -> list[IndexRow]:
    """PDQ codes, pHashes and digests of block lists, digests of benign ones, some values under several numbers."""
    rng = np.random.default_rng(seed)
    codes = codes_of(kind, count, rng)
    codes[count // 2] = codes[0]
    rows = [IndexRow(number, "pdq", code.tobytes()) for number, code in enumerate(codes)]
    for number in range(count, count + 40):
        benign = number % 3 == 0
        algorithm = ("sha256", "md5", "sha1")[number % 3]
        width = {"sha256": 32, "md5": 16, "sha1": 20}[algorithm]
        rows.append(IndexRow(number, algorithm, bytes([number % 7]) * width, benign))
        rows.append(IndexRow(number + 40, "phash", rng.bytes(8)))
    return rows


def ranges_of(numbers: set[int]) -> tuple[tuple[int, int], ...]:
    return merged((number, number) for number in numbers)


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(("uniform", "skewed", "clustered", "halves")),
    seed=st.integers(0, 2**32 - 1),
    count=st.sampled_from((60, 600)),
    added=st.floats(0, 1),
    masked=st.floats(0, 1),
)
def test_a_state_is_as_good_as_a_new_file(kind: str, seed: int, count: int, added: float, masked: float) -> None:
    check(kind, seed, count, added, masked)


def test_a_large_file_and_a_large_addition() -> None:
    check("clustered", 7, 3 * LINEAR_BELOW, 0.5, 0.3)


def check(kind: str, seed: int, count: int, added: float, masked: float) -> None:
    rows, rng = rows_of(kind, count, seed), np.random.default_rng(seed)
    late = rng.random(len(rows)) < added
    gone = rng.random(len(rows)) < masked
    file = [row for row, later in zip(rows, late, strict=True) if not later]
    delta = [row for row, later, off in zip(rows, late, gone, strict=True) if later and not off]
    enabled = [row for row, off in zip(rows, gone, strict=True) if not off]
    numbers = {row.entry for row, later, off in zip(rows, late, gone, strict=True) if off and not later}
    state = unpack_state(pack_state(ListState(3, INDEX, ranges_of(numbers), tuple(delta))))
    live = Matcher(index_in_memory(file), WIDE).in_state(state)

    queries = flipped(codes_of(kind, count, np.random.default_rng(seed))[:: max(1, count // 20)], 40, rng)
    codes = [Code(query.tobytes(), 100, f"q{number}") for number, query in enumerate(queries)]
    by_brute_force = [near(enabled, code) for code in codes]
    assert [sorted_rows(live.near(code)) for code in codes] == by_brute_force
    screened = set(live.screen(codes))
    assert {code.transform for code, expected in zip(codes, by_brute_force, strict=True) if expected} <= screened
    for seven in range(7):
        digests = Digests(bytes([seven]) * 16, bytes([seven]) * 20, bytes([seven]) * 32)
        assert sorted_rows(live.exact(digests)) == exact(enabled, digests)
    for row in [row for row in rows if row.algorithm == "phash"][:10]:
        listed = {other.entry for other in enabled if other.algorithm == "phash" and other.value == row.value}
        assert {match.entry for match in live.corroborate(row.value) if match.distance == 0} == listed


def near(enabled: list[IndexRow], code: Code) -> list[RowMatch]:
    query = np.frombuffer(code.value, np.uint8)
    listed = [row for row in enabled if row.algorithm == "pdq" and not row.benign]
    if not listed:
        return []
    values = np.frombuffer(b"".join(row.value for row in listed), np.uint8).reshape(-1, 32)
    apart = np.bitwise_count(values ^ query).sum(axis=1).tolist()
    found = [
        RowMatch(row.entry, "pdq", distance, WIDE.pdq_distance, code.transform)
        for row, distance in zip(listed, apart, strict=True)
        if distance <= WIDE.pdq_distance
    ]
    return sorted_rows(found)


def exact(enabled: list[IndexRow], digests: Digests) -> list[RowMatch]:
    values = {"md5": digests.md5, "sha1": digests.sha1, "sha256": digests.sha256}
    return sorted_rows(
        RowMatch(row.entry, row.algorithm, benign=row.benign)
        for row in enabled
        if values.get(row.algorithm) == row.value
    )


def sorted_rows(matches: Iterable[RowMatch]) -> list[RowMatch]:
    return sorted(matches, key=lambda match: (match.entry, match.algorithm))


@given(st.sets(st.integers(0, 200)))
def test_a_mask_is_the_set_of_its_numbers(numbers: set[int]) -> None:
    mask = Mask(ranges_of(numbers))
    assert {number for number in range(-1, 203) if number in mask} == numbers
    assert bool(mask) == bool(numbers)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), max_size=20))
def test_merged_ranges_are_ascending_disjoint_and_apart(starts: list[tuple[int, int]]) -> None:
    ranges = [(first, first + more) for first, more in starts]
    found = merged(ranges)
    assert {n for a, b in found for n in range(a, b + 1)} == {n for a, b in ranges for n in range(a, b + 1)}
    assert all(one[1] + 1 < other[0] for one, other in pairwise(found))


def test_what_is_no_state_is_refused() -> None:
    good = pack_state(ListState(1, INDEX, ((3, 4), (6, 6)), (IndexRow(9, "md5", bytes(16)),)))
    assert unpack_state(good).masked == ((3, 4), (6, 6))
    for cut in range(len(good)):
        with pytest.raises(RecordCorrupt):
            unpack_state(good[:cut])
    for bad in (ListState(-1, INDEX), ListState(1, INDEX, ((4, 3),)), ListState(1, INDEX, ((3, 5), (5, 6)))):
        with pytest.raises(RecordCorrupt):
            unpack_state(pack_state(bad))
    with pytest.raises(RecordCorrupt):
        unpack_state(pack_state(ListState(1, INDEX, (), (IndexRow(9, "md5", bytes(15)),))))
    with pytest.raises(ValueError, match="does not fit"):
        pack_state(ListState(1, INDEX, (), (IndexRow(1 << 31, "md5", bytes(16)),)))


def test_the_ground_is_what_counts_and_not_its_number() -> None:
    row = IndexRow(9, "sha256", b"s" * 32)
    ways = [(masked, added) for masked in ((), ((1, 4),)) for added in ((), (row,))]
    states = [ListState(number, "ab" * 32, *way) for number in (1, 2) for way in ways]
    grounds = [ground_of("ab" * 32, pack_state(state)) for state in states]
    assert grounds[:4] == grounds[4:]
    assert len(set(grounds)) == 4
    assert ground_of("ab" * 32, None) == grounds[0] != ground_of("cd" * 32, None)
