"""Rows come back in order, however many runs they were sorted in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crawler.attribute import sorting
from crawler.attribute.sorting import Records
from crawler.attribute.spool import Scratch, Texts, text_at
from crawler.attribute.sweeping import RangeSweep, nested


@pytest.mark.parametrize("run", [33, 64, 999, 1_000, 1_001, 4_096])
def test_rows_come_in_the_order_of_their_key_and_equal_ones_as_they_were_appended(
    run: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sorting, "RUN", run)
    monkeypatch.setattr(sorting, "LEAST_SHARE", 3)
    random = np.random.default_rng(run)
    # Few distinct keys, so that many are equal; high bits and zero bytes, over which byte strings could stumble.
    few = np.array([0, 1, 255, 256, 2**32, 2**56, 2**63, 2**64 - 1], dtype=np.uint64)
    keys = random.choice(few, (1_000, 2))
    rows = Records(tmp_path / "rows", {"key": ("u8", 2), "place": ("u4", 1)})
    for place, (high, low) in enumerate(keys.tolist()):
        rows.append(high, low, place)
    found = [each.copy() for each in rows.ordered(lambda chunk: [chunk["key"][:, 0], chunk["key"][:, 1]])]
    merged = np.concatenate(found)
    assert merged["place"].tolist() == np.lexsort((keys[:, 1], keys[:, 0])).tolist()
    assert (merged["key"] == keys[merged["place"]]).all()


def test_no_rows_are_no_rows(tmp_path: Path) -> None:
    rows = Records(tmp_path / "rows", {"bounds": ("u8", 4)})
    assert list(rows.ordered(nested)) == []


def test_ranges_in_runs_are_swept_as_those_in_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(5)
    firsts = random.integers(0, 2**20, 2_000)
    lasts = firsts + random.choice([0, 3, 15, 255, 4_095], 2_000)
    swept = []
    for run in (65_536, 97):
        monkeypatch.setattr(sorting, "RUN", run)
        place = tmp_path / str(run)
        place.mkdir()
        with Scratch(place) as scratch:
            rows = scratch.records({"bounds": ("u8", 4), "said": ("u4", 1)})
            for number, (first, last) in enumerate(zip(firsts.tolist(), lasts.tolist(), strict=True)):
                rows.append(0, first, 0, last, number)
            sweep = RangeSweep(scratch, 4, parents=True)
            for chunk in rows.ordered(nested):
                sweep.feed(chunk["bounds"], chunk["said"])
            done = sweep.finish()
            columns = (done.highs, done.lows, done.owners, done.said, done.parents)
            swept.append([np.concatenate([*column.section().chunks]).tolist() for column in columns])
    assert swept[0] == swept[1]
    assert len(swept[0][4]) == 2_001


def test_texts_are_read_once_and_what_says_nothing_has_no_number(tmp_path: Path) -> None:
    read: list[bytes] = []

    def clean(raw: bytes) -> str:
        read.append(raw)
        return raw.decode().strip()

    texts = Texts(tmp_path / "texts", clean)
    numbers = [texts.add(raw) for raw in (b" a ", b"", b"   ", None, b" a ", "Küche".encode())]
    assert numbers[0] == numbers[4] != 0
    assert numbers[1:4] == [0, 0, 0]
    assert read.count(b" a ") == 1
    section = memoryview(b"".join(chunk.tobytes() for chunk in texts.section().chunks))
    assert [text_at(section, number) for number in numbers] == ["a", None, None, None, "a", "Küche"]
