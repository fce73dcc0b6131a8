"""The search in 64-bit codes finds exactly what comparing everything with everything finds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.match.index import IndexRow, index_in_memory
from crawler.match.search import pack, search
from crawler.match.short import FARTHEST, radii
from crawler.match.short_tables import sound, tables
from crawler.match.tables import LINEAR_BELOW

Words = npt.NDArray[np.uint64]


def codes_of(kind: str, count: int, rng: np.random.Generator) -> Words:
    """Distinct codes in ascending order: uniform ones, or few values in every word."""
    codes = rng.integers(0, 2**64, count, dtype=np.uint64)
    if kind == "crowded":
        codes = (codes & np.uint64(0x0003_0001_FFFF_0003)) | np.uint64(0x1230_0000_0000_4560)
    return np.unique(codes)


def near(codes: Words, most: int, rng: np.random.Generator) -> Words:
    """Twenty of the codes, each with up to `most` bits flipped."""
    found = codes[rng.integers(0, len(codes), 20)].copy()
    for query in range(len(found)):
        for place in rng.permutation(64)[: rng.integers(0, most + 1)]:
            found[query] ^= np.uint64(1) << np.uint64(place)
    return found


@given(st.integers(0, 2**32 - 1), st.sampled_from(["uniform", "crowded"]), st.integers(0, 20), st.booleans())
@settings(max_examples=40, deadline=None)
def test_any_set_and_any_radius(seed: int, kind: str, radius: int, many: bool) -> None:
    rng = np.random.default_rng(seed)
    codes = codes_of(kind, 2 * LINEAR_BELOW if many else 300, rng)
    index = index_in_memory(IndexRow(n, "phash", int(code).to_bytes(8, "big")) for n, code in enumerate(codes))
    queries = near(codes, min(24, radius + 3), rng)
    found = search(index, pack([int(query).to_bytes(8, "big") for query in queries]), radius, "phash")
    expected = []
    for number, query in enumerate(queries):
        distances = np.bitwise_count(codes ^ query)
        expected += [(number, int(row), int(distances[row])) for row in np.flatnonzero(distances <= radius)]
    rows = zip(found.query_no.tolist(), found.row.tolist(), found.distance.tolist(), strict=True)
    assert list(rows) == expected


def test_the_words_spend_every_bit_of_the_radius() -> None:
    for radius in range(FARTHEST + 1):
        assert sum(each + 1 for each in radii(radius)) == radius + 1
        assert max(radii(radius)) <= 3


@pytest.mark.parametrize("part", ["order", "by_word"])
def test_tables_that_lead_outside_are_not_sound(part: str) -> None:
    codes = codes_of("uniform", 100, np.random.default_rng(1))[:, None]
    made = tables(codes)
    assert sound(made["order"], made["by_word"], len(codes))
    assert not sound(made["order"][1:], made["by_word"], len(codes))
    assert not sound(made["order"], made["by_word"][1:], len(codes))
    made[part][len(codes) // 2] = 2**32 - 1
    assert not sound(made["order"], made["by_word"], len(codes))
