"""Packed address tables made small for shipping: numbers as differences to the row above, then xz.

An archive expands to exactly the packed file that it was made of. Differences wrap around at the width of their type.
"""

from __future__ import annotations

import lzma
from typing import Final

import numpy as np

from crawler.attribute.container import Sections, assemble, read_sections
from crawler.attribute.packed import WIDTHS
from crawler.attribute.rows import TableInfo
from crawler.errors import AddressDataInvalid

MAX_EXPANDED: Final = 134_217_728
"""Longest packed file that an archive may expand to, in bytes."""

_DIFFERENCES: Final = frozenset({"start4", "high6", "facts", "bounds", "offsets"})
_FILTERS: Final = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "lp": 2, "pb": 2}]


def squeeze(packed: bytes) -> bytes:
    """The archive of a packed file."""
    header, sections = read_sections(packed)
    small: Sections = {}
    for name, values in sections.items():
        rows = values.reshape(-1, WIDTHS.get(name, 1))
        small[name] = np.diff(rows, axis=0, prepend=rows[:1] * 0) if name in _DIFFERENCES else rows
    info = TableInfo(header["source"], header["date"], header["licence"])
    return lzma.compress(assemble(info, small), format=lzma.FORMAT_XZ, filters=_FILTERS)


def expand(archive: bytes, name: str) -> bytes:
    """The packed file of an archive. name: what messages call it. Raises AddressDataInvalid for a damaged one."""
    try:
        unpacker = lzma.LZMADecompressor(format=lzma.FORMAT_XZ)
        content = unpacker.decompress(archive, MAX_EXPANDED)
        if not unpacker.eof:
            raise ValueError("is cut off or too large")
        header, small = read_sections(content)
        sections: Sections = {}
        for section, values in small.items():
            rows = values.reshape(-1, WIDTHS.get(section, 1))
            summed = np.cumsum(rows, axis=0, dtype=rows.dtype) if section in _DIFFERENCES else rows
            sections[section] = summed
        return assemble(TableInfo(header["source"], header["date"], header["licence"]), sections)
    except (lzma.LZMAError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise AddressDataInvalid(f"{name}: is no whole address archive ({error}); install Vangnet again") from error
