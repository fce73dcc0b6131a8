"""What has changed since an index file was built: entries that came, and entries that are masked.

A state is the whole difference, not a step: who has the file and the latest state knows what the lists say now,
whatever it missed before. It travels from the recorder to every worker, sealed by `crawler.bus.lists`, and from there
into the sandbox. Its packed form is a msgpack array:

    1 (version), number, sha256 of the file (32 bytes), masked, [[benign, algorithm, values, entries], …]

masked: pairs of uint32, little-endian, the first and the last entry number of each range.  values: those of one
algorithm, one after the other.  entries: their numbers, uint32, little-endian.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import msgpack
import numpy as np

from crawler.errors import RecordCorrupt
from crawler.match.contents import IndexRow
from crawler.match.entries import VALUE_BYTES

MOST_BYTES = 8_388_608
"""Longest packed state. What is larger becomes an index file of its own."""

MOST_ENTRY = (1 << 31) - 1
_VERSION = 1
_DAMAGED = "a state of the hash lists is damaged or of another version; run workers and recorder of one version"


@dataclass(frozen=True, slots=True)
class ListState:
    """number: grows with every state of a deployment.  index: sha256 (hex) of the file that it belongs to.

    masked: ranges of entry numbers (first, last), ascending and disjoint, that count no longer.  added: what the file
    does not have.
    """

    number: int
    index: str
    masked: tuple[tuple[int, int], ...] = ()
    added: tuple[IndexRow, ...] = field(default=(), repr=False)


class Mask:
    """A set of entry numbers, as ranges: a list that is disabled is a few of them, however long it is."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        """ranges: (first, last), ascending and disjoint."""
        pairs = list(ranges)
        self._firsts = [first for first, _ in pairs]
        self._lasts = [last for _, last in pairs]

    def __contains__(self, entry: int) -> bool:
        at = bisect_right(self._firsts, entry) - 1
        return at >= 0 and entry <= self._lasts[at]

    def __bool__(self) -> bool:
        return bool(self._firsts)


def merged(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The same numbers as ascending, disjoint ranges; neighbours become one."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return tuple(found)


def ground_of(index: str, packed: bytes | None) -> bytes:
    """What stands for all that images are matched against: the same for the same file and the same difference from it.

    index: sha256 (hex) of the file.  packed: a state as `pack_state` makes it, of which the number says nothing; None:
    no state. 16 bytes.
    """
    try:
        _version, _number, _index, *content = msgpack.unpackb(packed) if packed else (0, 0, 0, b"", [])
    except (ValueError, TypeError, msgpack.UnpackException):
        content = [packed, []]
    return blake2b(index.encode() + msgpack.packb(content), digest_size=16).digest()


def pack_state(state: ListState) -> bytes:
    """The packed form. Raises ValueError for an entry number that no index holds."""
    tables: dict[tuple[bool, str], tuple[bytearray, list[int]]] = {}
    for row in state.added:
        if not 0 <= row.entry <= MOST_ENTRY:
            raise ValueError("an entry number of 2**31 or more does not fit into an index")
        values, entries = tables.setdefault((row.benign, row.algorithm), (bytearray(), []))
        values += row.value
        entries.append(row.entry)
    packed: bytes = msgpack.packb(
        [
            _VERSION,
            state.number,
            bytes.fromhex(state.index),
            np.array(state.masked, "<u4").tobytes(),
            [
                [benign, algorithm, bytes(values), np.array(entries, "<u4").tobytes()]
                for (benign, algorithm), (values, entries) in tables.items()
            ],
        ]
    )
    return packed


def unpack_state(packed: bytes) -> ListState:
    """The state in a packed form. Raises RecordCorrupt for anything else."""
    try:
        version, number, index, masked, tables = msgpack.unpackb(packed)
        if version != _VERSION or len(index) != 32 or type(number) is not int or number < 0:
            raise ValueError("version")
        ranges = np.frombuffer(masked, "<u4").astype(np.int64).reshape(-1, 2)
        if np.any(ranges[:, 0] > ranges[:, 1]) or np.any(ranges[1:, 0] <= ranges[:-1, 1]):
            raise ValueError("ranges")
        added = tuple(row for table in tables for row in _rows(*table))
        pairs = tuple((first, last) for first, last in ranges.tolist())
        return ListState(number, bytes(index).hex(), pairs, added)
    except (ValueError, TypeError, KeyError, msgpack.UnpackException) as error:
        raise RecordCorrupt(_DAMAGED) from error


def _rows(benign: bool, algorithm: str, values: bytes, entries: bytes) -> Sequence[IndexRow]:
    numbers = np.frombuffer(entries, "<u4").tolist()
    width = VALUE_BYTES[algorithm]
    if len(values) != width * len(numbers) or any(number > MOST_ENTRY for number in numbers):
        raise ValueError("table")
    return [
        IndexRow(number, algorithm, values[at * width : (at + 1) * width], bool(benign))
        for at, number in enumerate(numbers)
    ]
