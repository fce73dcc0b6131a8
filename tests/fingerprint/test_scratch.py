"""Memory that fingerprints share: it changes nothing in them, and nothing is left in it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.fingerprint.compute import fingerprint
from crawler.fingerprint.options import DEFAULT_OPTIONS
from crawler.fingerprint.scratch import NOTHING_KEPT, PLANE_BYTES, ROW_FLOATS, Scratch
from crawler.records import Fingerprint, Rejected
from tests.fingerprint.pictures import encoded, scene

SIZES = [(640, 480), (213, 320), (1100, 900), (90, 70), (2200, 300)]
NUMBER = 9


@cache
def files() -> list[bytes]:
    """`NUMBER` files."""
    whole = [encoded(scene(n, *size), quality=85) for n, size in enumerate(SIZES)]
    others = [encoded(scene(9, 300, 260), format="PNG"), encoded(scene(8, 520, 540).convert("L"))]
    return [*whole, *others, whole[0][:4000], b"GIF89a"]


@cache
def alone() -> list[Fingerprint | Rejected]:
    """What each is by itself."""
    assert len(files()) == NUMBER
    return [fingerprint(data) for data in files()]


def content(scratch: Scratch) -> bytes:
    """All that it could still show of an image."""
    plane = scratch.plane(PLANE_BYTES)
    assert plane is not None
    return plane.tobytes() + scratch.rows(ROW_FLOATS // 64).tobytes()


@given(order=st.lists(st.integers(0, NUMBER - 1), max_size=8), wiped=st.integers(0, 8))
@settings(max_examples=25, deadline=None)
def test_fingerprints_are_the_same_in_shared_memory_whatever_came_before(order, wiped):
    scratch = Scratch(kept=True)
    for number, place in enumerate(order):
        assert fingerprint(files()[place], DEFAULT_OPTIONS, scratch=scratch) == alone()[place]
        if number == wiped:
            scratch.wipe()
    scratch.wipe()
    assert not any(content(scratch))


def test_it_is_used_and_wiped():
    scratch = Scratch(kept=True)
    fingerprint(files()[0], scratch=scratch)
    used = content(scratch)
    assert np.count_nonzero(np.frombuffer(used, np.uint8)) > 640 * 480
    scratch.wipe()
    assert not any(content(scratch))


@pytest.mark.parametrize("size", [PLANE_BYTES, PLANE_BYTES + 1])
def test_what_is_larger_than_what_is_kept_is_new(size):
    scratch = Scratch(kept=True)
    assert (scratch.plane(size) is None) == (size > PLANE_BYTES)
    whole, more = scratch.rows(ROW_FLOATS // 64), scratch.rows(ROW_FLOATS // 64 + 16)
    assert np.shares_memory(whole, scratch.rows(16))
    assert not np.shares_memory(more, scratch.rows(16))


def test_nothing_is_kept_by_default():
    assert NOTHING_KEPT.plane(1) is None
    assert not np.shares_memory(NOTHING_KEPT.rows(16), NOTHING_KEPT.rows(16))
