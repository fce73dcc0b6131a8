"""Trees of MaxMind databases that end, and those that a reader would follow for ever, for all sizes of records."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.attribute.formats.mmdb_tree import is_tree
from tests.attribute.excerpts.mmdb import mmdb
from tests.attribute.test_load import MMDB, refused

DATA = 1_000
Rows = list[tuple[int, int]]


def written(rows: Rows, size: int) -> bytes:
    """size: of a record, in bits. A node is both records, in the middle of which 28 bits share a byte."""
    tree = bytearray()
    for left, right in rows:
        if size == 28:
            low = (left & 0xFFFFFF).to_bytes(3, "big"), (right & 0xFFFFFF).to_bytes(3, "big")
            tree += low[0] + bytes([left >> 24 << 4 | right >> 24]) + low[1]
        else:
            tree += left.to_bytes(size // 8, "big") + right.to_bytes(size // 8, "big")
    return bytes(tree)


def judged(tmp_path: Path, rows: Rows, *, size: int = 24, version: int = 4) -> bool:
    (tmp_path / "tree").write_bytes(written(rows, size) + bytes(100))
    return is_tree(tmp_path / "tree", nodes=len(rows), record_size=size, ip_version=version)


CHAIN = [(number + 1, DATA) for number in range(31)]
TWICE = [(number + 1, number + 1) for number in range(31)]


@pytest.mark.parametrize("size", [24, 28, 32])
@pytest.mark.parametrize(
    ("rows", "ends"),
    [
        ([(DATA, DATA)], True),
        ([(1, 2), (DATA, 3), (DATA, DATA)], True),
        ([*CHAIN, (DATA, DATA)], True),
        ([*CHAIN, (32, DATA), (DATA, DATA)], False),  # behind the last bit
        ([(0, DATA)], False),
        ([(DATA, 0)], False),
        ([(1, DATA), (DATA, 0)], False),
        ([*TWICE, (DATA, DATA)], False),
        ([*TWICE, (32, 32)], False),  # nothing in it, by four thousand million ways
    ],
)
def test_trees(tmp_path: Path, size: int, rows: Rows, ends: bool) -> None:
    assert judged(tmp_path, rows, size=size) is ends


@pytest.mark.parametrize("size", [24, 28, 32])
def test_high_numbers(tmp_path: Path, size: int) -> None:
    """Every bit of a record counts: what leads to data does not lead to a node."""
    far = 1 << size - 1
    assert judged(tmp_path, [(far, 1), (far + 1, DATA)], size=size)


def test_several_ways_to_ipv4_are_one(tmp_path: Path) -> None:
    """As MaxMind has it: ::ffff:0:0/96 and 2002::/16 point at where IPv4 is."""
    way = [(number + 1, 96 if number == 80 else DATA) for number in range(95)]
    rows = [*way, (96, DATA), (DATA, DATA)]
    assert judged(tmp_path, rows, version=6)
    assert not judged(tmp_path, [*rows[:-1], (0, DATA)], version=6)


def test_a_database_that_leads_in_circles_is_refused(tmp_path: Path) -> None:
    whole = mmdb("GeoLite2-Country", MMDB)
    # The root's left record; what it led to is reached by the root itself.
    assert "leads in circles" in refused(tmp_path, bytes(3) + whole[3:])


def test_what_holds_no_tree(tmp_path: Path) -> None:
    assert judged(tmp_path, [(DATA, DATA)])
    with pytest.raises(ValueError, match="cut off"):
        is_tree(tmp_path / "tree", nodes=10**6, record_size=24, ip_version=4)
    with pytest.raises(ValueError, match="another size"):
        is_tree(tmp_path / "tree", nodes=1, record_size=20, ip_version=4)
