"""The search finds exactly what comparing everything with everything finds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.match.entries import DIGEST_BYTES
from crawler.match.index import Index, IndexRow, index_in_memory
from crawler.match.search import ROOM, look_up, pack, plan_for, search
from crawler.match.tables import LINEAR_BELOW
from crawler.match.thresholds import MOST_RADIUS

Bytes = npt.NDArray[np.uint8]
KINDS = ("uniform", "skewed", "clustered", "halves", "few values")


def codes_of(kind: str, count: int, rng: np.random.Generator) -> Bytes:
    """(count, 32) codes of one distribution."""
    codes = rng.integers(0, 256, (count, 32), dtype=np.uint8)
    if kind == "skewed":
        codes[:, :16] &= rng.integers(0, 256, (count, 16), dtype=np.uint8)
        codes[:, 20:24] = 0
    elif kind == "clustered":
        centres = codes[: max(1, count // 200)]
        codes = flipped(centres[rng.integers(0, len(centres), count)], 24, rng)
    elif kind == "halves":
        codes[:, ::4] = codes[0, ::4]
        codes[:, 1::4] = codes[0, 1::4]
    elif kind == "few values":
        codes = rng.choice(np.array([0, 255], np.uint8), (count, 32))
    return codes


def flipped(codes: Bytes, most: int, rng: np.random.Generator) -> Bytes:
    """The codes, each with up to `most` bits flipped."""
    bits = np.unpackbits(codes, axis=1)
    order = np.argsort(rng.random(bits.shape), axis=1)
    bits ^= order < rng.integers(0, most + 1, (len(codes), 1))
    return np.packbits(bits, axis=1)


def index_of(codes: Bytes) -> Index:
    return index_in_memory(IndexRow(number, "pdq", code.tobytes()) for number, code in enumerate(codes))


def found_by(index: Index, queries: Bytes, radius: int) -> set[tuple[int, int, int]]:
    """(query, entry, distance) as the search finds them; each pair must come once."""
    near = search(index, pack([query.tobytes() for query in queries]), radius)
    pairs = list(zip(near.query_no.tolist(), near.row.tolist(), strict=True))
    assert pairs == sorted(set(pairs))
    distances = near.distance.tolist()
    return {(q, e, d) for (q, row), d in zip(pairs, distances, strict=True) for e in index.entries("pdq", row)}


def expected(codes: Bytes, queries: Bytes, radius: int) -> set[tuple[int, int, int]]:
    """(query, entry, distance) by comparing everything with everything."""
    found = set()
    for number, query in enumerate(queries):
        distances = np.bitwise_count(codes ^ query).sum(axis=1, dtype=np.int64)
        found |= {(number, int(entry), int(distances[entry])) for entry in np.flatnonzero(distances <= radius)}
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_radius_finds_all_and_nothing_else(kind: str) -> None:
    rng = np.random.default_rng(KINDS.index(kind))
    codes = codes_of(kind, LINEAR_BELOW + LINEAR_BELOW // 4, rng)
    index = index_of(codes)
    near = flipped(codes[rng.integers(0, len(codes), 24)], 40, rng)
    queries = np.concatenate((near, codes_of(kind, 8, rng)))
    for radius in range(32):
        assert found_by(index, queries, radius) == expected(codes, queries, radius)


@given(st.integers(0, 2**32 - 1), st.sampled_from(KINDS), st.integers(0, MOST_RADIUS), st.integers(1, 2 * LINEAR_BELOW))
@settings(max_examples=40, deadline=None)
def test_any_set_and_any_radius(seed: int, kind: str, radius: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    codes = codes_of(kind, count, rng)
    codes = codes[rng.integers(0, count, count + count // 4)]
    queries = flipped(codes[rng.integers(0, len(codes), 20)], min(64, 2 * radius + 1), rng)
    assert found_by(index_of(codes), queries, radius) == expected(codes, queries, radius)


def test_neighbours_at_each_distance_are_found_wherever_their_bits_lie() -> None:
    """Bits that differ lie together in one word, are spread evenly, or lie in all but one word."""
    rng = np.random.default_rng(5)
    codes = codes_of("uniform", LINEAR_BELOW, rng)
    queries, distances = [], []
    for distance in range(32):
        for places in (
            np.arange(distance),
            np.arange(distance) * 8 % 256 + np.arange(distance) // 32,
            rng.permutation(224)[:distance],
            224 + rng.permutation(32)[:distance],
        ):
            bits = np.unpackbits(codes[len(queries)])
            bits[places] ^= 1
            queries.append(np.packbits(bits))
            distances.append(len(np.unique(places)))
    found = found_by(index_of(codes), np.array(queries), 31)
    assert {(number, number, distance) for number, distance in enumerate(distances)} <= found


@pytest.mark.parametrize("count", [LINEAR_BELOW // 2, LINEAR_BELOW + 1000])
def test_more_results_than_there_is_room_for_in_one_pass(count: int) -> None:
    rng = np.random.default_rng(1)
    same = flipped(np.tile(np.arange(32, dtype=np.uint8), (count, 1)), 10, rng)
    codes = np.concatenate((same, codes_of("uniform", 1000, rng)))
    queries = np.concatenate((codes_of("uniform", 100, rng), same[:4], codes_of("uniform", 100, rng), codes[-1:]))
    found = found_by(index_of(codes), queries, 31)
    assert len(found) > ROOM
    assert found == expected(codes, queries, 31)


def test_plans_spend_every_bit_of_the_radius() -> None:
    for radius in range(MOST_RADIUS + 1):
        plan = plan_for(radius, 5000)
        assert sum(word + 1 for word in plan.words.tolist()) == radius + 1
        assert np.array_equal(plan.highs + 1 + plan.lows + 1, plan.words + 1)


def test_no_list_no_query_and_a_radius_that_is_too_large() -> None:
    index = index_of(codes_of("uniform", 10, np.random.default_rng(0)))
    assert len(search(index, pack([]), 31)) == 0
    assert len(search(index_in_memory([]), pack([bytes(32)]), 31)) == 0
    for radius in (-1, MOST_RADIUS + 1):
        with pytest.raises(ValueError, match="0 to 63 bits"):
            search(index, pack([bytes(32)]), radius)


def test_phash_codes_are_searched_by_themselves() -> None:
    rows = [IndexRow(1, "phash", bytes(7) + b"\x0f"), IndexRow(2, "phash", bytes(7) + b"\x1f")]
    near = search(index_in_memory(rows), pack([bytes(8)]), 4, "phash")
    assert near.distance.tolist() == [4]


@pytest.mark.parametrize("algorithm", list(DIGEST_BYTES))
def test_digests_are_found_where_they_stand_and_nowhere_else(algorithm: str) -> None:
    rng = np.random.default_rng(3)
    known = rng.integers(0, 256, (5000, DIGEST_BYTES[algorithm]), dtype=np.uint8)
    known[:50, :8] = 7
    index = index_in_memory(IndexRow(number, algorithm, value.tobytes()) for number, value in enumerate(known))
    rows = look_up(index, algorithm, known)
    assert [index.entries(algorithm, row) for row in rows.tolist()] == [(number,) for number in range(len(known))]
    unknown = known.copy()
    unknown[:, -1] ^= 1
    assert set(look_up(index, algorithm, unknown).tolist()) == {-1}
    assert set(look_up(index, algorithm, known, benign=True).tolist()) == {-1}
