"""Index files: the same rows make the same file, and what is not such a file is refused in one line."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.errors import HomeUnusable, IndexCorrupt
from crawler.match import container
from crawler.match.index import Index, IndexInfo, IndexRow, arrange, build_index, index_in_memory, open_index
from crawler.match.search import look_up, pack, search
from crawler.match.tables import LINEAR_BELOW

COUNT = LINEAR_BELOW + 10
WIDTHS = {"md5": 16, "sha1": 20, "sha256": 32, "pdq": 32, "phash": 8}


def rows(count: int, seed: int = 0) -> list[IndexRow]:
    """`count` rows of each algorithm."""
    rng = random.Random(seed)
    made = [(name, rng.randbytes(width)) for _ in range(count) for name, width in WIDTHS.items()]
    return [IndexRow(number, name, value) for number, (name, value) in enumerate(made)]


def entries_of(index: Index, row: IndexRow) -> tuple[int, ...]:
    """The entries that have this row's value."""
    if row.algorithm in ("pdq", "phash"):
        found = search(index, pack([row.value]), 0, row.algorithm).row.tolist()
    else:
        value = np.frombuffer(row.value, np.uint8).reshape(1, -1)
        found = [place for place in look_up(index, row.algorithm, value, benign=row.benign).tolist() if place >= 0]
    return index.entries(row.algorithm, found[0], benign=row.benign) if found else ()


TWINS = [IndexRow(entry, name, bytes(WIDTHS[name])) for name in WIDTHS for entry in (900_000, 900_001)]
"""A value of each algorithm that two entries have."""


@pytest.fixture
def built(tmp_path: Path) -> IndexInfo:
    return build_index([*rows(COUNT), *TWINS], tmp_path)


def test_what_a_killed_process_left_of_a_file_goes_and_a_living_one_keeps_its_own(tmp_path: Path) -> None:
    (gone := tmp_path / ".index-4194305-left").touch()  # above the highest process id there is
    (here := tmp_path / f".index-{os.getpid()}-open").touch()
    build_index(rows(1), tmp_path)
    assert (gone.exists(), here.exists()) == (False, True)


def test_a_file_is_named_by_its_sha256_and_readable_by_its_owner_only(built: IndexInfo, tmp_path: Path) -> None:
    assert built.path == tmp_path / f"{built.sha256}.vgx"
    assert hashlib.sha256(built.path.read_bytes()).hexdigest() == built.sha256
    assert stat.S_IMODE(built.path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [built.path]
    assert built.rows_by_algorithm == dict.fromkeys(WIDTHS, COUNT + 2)


def test_every_row_is_found_in_the_file(built: IndexInfo) -> None:
    index = open_index(built.path, built.sha256, verify=True)
    index.preload()
    for row in rows(COUNT)[:: COUNT // 32]:
        assert entries_of(index, row) == (row.entry,)
    assert all(entries_of(index, row) == (900_000, 900_001) for row in TWINS)
    assert {index.count(name) for name in WIDTHS} == {COUNT + 1}


def test_the_same_rows_in_any_order_make_the_same_file(built: IndexInfo, tmp_path: Path) -> None:
    shuffled = [*rows(COUNT), *TWINS, *rows(COUNT)[:50]]
    random.Random(1).shuffle(shuffled)
    assert build_index(iter(shuffled), tmp_path).sha256 == built.sha256
    assert index_in_memory(shuffled).sha256 == built.sha256
    assert build_index([*shuffled[1:], IndexRow(10**6, "md5", bytes(16))], tmp_path).sha256 != built.sha256


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**31 - 1),
            st.sampled_from(list(WIDTHS)),
            st.integers(0, 3),
            st.booleans(),
        ),
        max_size=60,
    )
)
@settings(max_examples=60, deadline=None)
def test_entries_that_share_a_value_are_all_named(drawn: list[tuple[int, str, int, bool]]) -> None:
    made = [IndexRow(entry, name, bytes([byte]) * WIDTHS[name], benign) for entry, name, byte, benign in drawn]
    index = index_in_memory(made)
    for row in made:
        same = {
            other.entry
            for other in made
            if (other.algorithm, other.value, other.benign) == (row.algorithm, row.value, row.benign)
        }
        searchable = not (row.benign and row.algorithm in ("pdq", "phash"))
        if searchable:
            assert entries_of(index, row) == tuple(sorted(same))


def test_benign_codes_and_unknown_algorithms_are_counted_and_left_out(tmp_path: Path) -> None:
    made = [
        IndexRow(1, "photodna", bytes(144)),
        IndexRow(2, "photodna", bytes(144)),
        IndexRow(3, "pdq", bytes(32), benign=True),
        IndexRow(4, "md5", bytes(16), benign=True),
    ]
    info = build_index(made, tmp_path)
    assert info.rows_by_algorithm == {"benign md5": 1}
    assert info.unsearchable == {"photodna": 2, "benign pdq": 1}
    index = open_index(info.path)
    assert (index.count("pdq"), index.count("md5"), index.count("md5", benign=True)) == (0, 0, 1)


def test_codes_of_a_plug_in_lie_beside_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = [bytes([number]) * 144 for number in range(4)]
    made = [IndexRow(10 + number, "photodna", code) for number, code in enumerate(codes)]
    made += [IndexRow(20, "photodna", codes[1]), IndexRow(21, "photodna", bytes(144), benign=True)]
    info = build_index(made, tmp_path, ["photodna", "another"])
    assert info.rows_by_algorithm == {"photodna": 5}
    assert info.unsearchable == {"benign photodna": 1}
    index = open_index(info.path, verify=True)
    assert list(index.plugged()) == ["photodna"]
    assert [row.tobytes() for row in index.plugged()["photodna"]] == codes
    assert index.entries("photodna", 1) == (11, 20)
    assert index_in_memory(made).plugged() == {}
    monkeypatch.setattr("crawler.match.index.MOST_PLUGGED", 3)
    few = build_index(made, tmp_path, ["photodna"])
    assert (few.rows_by_algorithm, few.unsearchable["photodna"]) == ({"photodna": 3}, 2)
    with pytest.raises(ValueError, match="144 bytes, not 3"):
        index_in_memory([IndexRow(1, "photodna", b"abc")], ["photodna"])


def test_an_index_of_nothing_is_an_index(tmp_path: Path) -> None:
    index = open_index(build_index([], tmp_path).path, verify=True)
    assert index.count("sha256") == 0


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (IndexRow(1, "md5", bytes(15)), "16 bytes, not 15"),
        (IndexRow(2**31, "md5", bytes(16)), r"2\*\*31"),
    ],
)
def test_rows_that_cannot_be_indexed_are_programming_errors(row: IndexRow, says: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=says):
        build_index([row], tmp_path)
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- damage


def refusal(path: Path, expected: str | None = None, *, verify: bool = False) -> str:
    with pytest.raises(IndexCorrupt) as caught:
        open_index(path, expected, verify=verify)
    message = str(caught.value)
    assert message.startswith(f"{path}:")
    assert "\n" not in message
    assert "rebuild it from the lists" in message
    return message


def changed(info: IndexInfo, at: int, new: bytes) -> Path:
    content = bytearray(info.path.read_bytes())
    content[at : at + len(new)] = new
    info.path.write_bytes(content)
    return info.path


def test_missing_empty_short_and_foreign_files_are_refused(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path / "none.vgx")
    for content, says in ((b"", "empty"), (b"abc", "too few"), (b"GIF89a" + bytes(100), "no index file")):
        path = tmp_path / "some.vgx"
        path.write_bytes(content)
        assert says in refusal(path)
    assert "cannot be read" in refusal(tmp_path)


def test_another_version_is_refused(built: IndexInfo) -> None:
    assert "version 9, this program reads version 3" in refusal(changed(built, 8, struct.pack("<I", 9)))


def test_files_that_were_cut_or_grew_are_refused(built: IndexInfo) -> None:
    content = built.path.read_bytes()
    for other in (content[:-1], content[: len(content) // 2], content[:70], content + b"\0"):
        built.path.write_bytes(other)
        assert "should be" in refusal(built.path)


def test_another_index_than_the_campaigns_is_refused(built: IndexInfo) -> None:
    assert "f" * 64 in refusal(built.path, "f" * 64)


def test_a_flipped_bit_is_found_when_the_file_is_verified(built: IndexInfo) -> None:
    size = built.path.stat().st_size
    changed(built, size - 5000, b"\xaa\xbb\xcc")
    assert "sha256 of its name" in refusal(built.path, verify=True)


def places(info: IndexInfo) -> Iterator[tuple[str, int, int]]:
    """Name, place of the entry in the table of sections, and place of the data, of each section."""
    content = info.path.read_bytes()
    for number in range(struct.unpack_from("<I", content, 12)[0]):
        at = container.HEADER.size + number * container.SECTION.size
        name, *_, offset = container.SECTION.unpack_from(content, at)
        yield name.rstrip(b"\0").decode(), at, offset


@pytest.mark.parametrize("field", [32, 40, 48, 56])
def test_a_damaged_table_of_sections_is_refused(field: int, built: IndexInfo) -> None:
    whole = built.path.read_bytes()
    for _, at, _ in list(places(built)):
        built.path.write_bytes(whole)
        refusal(changed(built, at + field, b"\xff\xff\xff\xff"))


def test_buckets_that_lead_outside_are_refused(built: IndexInfo) -> None:
    """The compiled search checks no bounds, so that opening has to."""
    whole = built.path.read_bytes()
    wanted = {"starts", "by_high", "by_low", "rows", "shared", "entries", "order", "by_word"}
    seen = set()
    for name, _, offset in list(places(built)):
        part = name.rpartition(".")[2]
        if part in wanted:
            seen.add(part)
            built.path.write_bytes(whole)
            assert "table is damaged" in refusal(changed(built, offset, b"\xff\xff\xff\xff"))
    assert seen == wanted


def test_a_missing_or_doubled_section_is_refused(built: IndexInfo) -> None:
    whole = built.path.read_bytes()
    names = [name for name, _, _ in places(built)]
    for name, at, _ in list(places(built)):
        if not name.endswith(".entries"):
            built.path.write_bytes(whole)
            assert "damaged" in refusal(changed(built, at, f"{name}x".encode().ljust(32, b"\0")))
    built.path.write_bytes(whole)
    first = next(at for name, at, _ in places(built) if name == names[0])
    assert "twice" in refusal(changed(built, first, names[1].encode().ljust(32, b"\0")))


def test_search_tables_of_other_codes_than_pdq_are_refused(tmp_path: Path) -> None:
    """Their words are 32 bytes wide: a query of eight would be spread over them."""
    sections, _, _ = arrange(rows(LINEAR_BELOW))
    wrong = {f"block.phash.{name.rpartition('.')[2]}": part for name, part in sections.items() if ".pdq." in name}
    assert "block.phash.lows" in wrong
    path, _ = container.write_file(wrong, tmp_path)
    assert "phash table is damaged" in refusal(path)


# ---------------------------------------------------------------- disks


def test_a_disk_that_is_full_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(container.os, "fsync", full)
    with pytest.raises(HomeUnusable, match="No space left on device; make room"):
        build_index(rows(3), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(HomeUnusable, match="no index can be written here"):
        build_index(rows(3), tmp_path / "missing")


def test_memory_that_was_never_mapped_is_preloaded_without_complaint(built: IndexInfo, monkeypatch: Any) -> None:
    monkeypatch.setattr("crawler.match.index.POPULATE_READ", -1)
    open_index(built.path).preload()
    index_in_memory(rows(1)).preload()
