"""The RIPE database as files that are mapped into memory: networks by address, other objects by their handle.

Both hold rows of cells, each the number of a text in `texts` (see `spool.Texts`), in the order of `COLUMNS`; row 0 is
empty. Beside those of `container.py` a file of networks has the sections

    high6, low6, row6    starts of the segments, IPv4 too, and the network that has each, 0 for none
    bounds, cells        per network: first and last address in halves; its cells
    parent   u32         per network, the smallest larger one around it, 0 for none

and a file of handles: `hash` u64 (BLAKE2b of the handle in capitals), ascending, and `cells`, the first of which is the
handle.
"""

from __future__ import annotations

import mmap
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from crawler.attribute.container import Sections, read_sections
from crawler.attribute.merged import find6
from crawler.attribute.rows import TableInfo
from crawler.attribute.spool import text_at
from crawler.errors import AddressDataInvalid

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "inetnum": ("netname", "country", "org", "sponsoring-org", "abuse-c", "descr", "status"),
        "inet6num": ("netname", "country", "org", "sponsoring-org", "abuse-c", "descr", "status"),
        "aut-num": ("aut-num", "as-name", "org", "sponsoring-org", "abuse-c"),
        "organisation": ("organisation", "org-name", "abuse-c", "country"),
        "as-names": ("asn", "name", "country"),
        "role": ("nic-hdl", "role", "abuse-mailbox"),
        "person": ("nic-hdl", "person", "abuse-mailbox"),
    }
)
"""Class of object -> what is kept of it; of all but networks the first is the handle."""

Cells = dict[str, str | None]


class RegistryFile(ABC):
    """One file, mapped. kind: the class of its objects.  rows: how many.

    Raises AddressDataInvalid when it is no whole file of this kind.
    """

    def __init__(self, path: Path, kind: str) -> None:
        try:
            with path.open("rb") as stream:
                buffer = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            header, sections = read_sections(buffer, verify=False)
            if header["kind"] != kind:
                raise ValueError(f"it holds {header['kind']}")
            self.info = TableInfo(str(header["source"]), str(header["date"]), str(header["licence"]))
            self._cells = sections["cells"].reshape(-1, len(COLUMNS[kind]))
            self._texts = sections["texts"].data
            self._open(sections)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
            raise AddressDataInvalid(f"{path}: is no whole table of {kind} ({error}); load it again") from error
        self.kind = kind
        self.name = str(path)
        self.rows = len(self._cells) - 1
        self.size = len(buffer)

    def cells(self, row: int) -> Cells:
        """What is kept of an object, None where it has nothing."""
        numbers = self._cells[row].tolist()
        return {name: text_at(self._texts, number) for name, number in zip(COLUMNS[self.kind], numbers, strict=True)}

    @abstractmethod
    def _open(self, sections: Sections) -> None:
        """Take the sections that this kind of file has. Raises ValueError, KeyError."""


class Networks(RegistryFile):
    """inetnum or inet6num."""

    def find(self, number: int) -> int:
        """The most specific network around an address; 0 for none."""
        segment = find6(self._highs, self._lows, number)
        return int(self._owners[segment]) if segment >= 0 else 0

    def find4(self, numbers: npt.NDArray[np.uint32]) -> list[int]:
        """As `find`, of many IPv4 addresses, in a file of IPv4 networks: the upper halves are 0."""
        owners = np.append(np.zeros(1, "<u4"), self._owners)
        found: list[int] = owners[np.searchsorted(self._starts, numbers.astype(np.uint64), "right")].tolist()
        return found

    def parent(self, row: int) -> int:
        """The next less specific network; 0 for none."""
        return int(self._parents[row])

    def bounds(self, row: int) -> tuple[int, int]:
        """First and last address of a network."""
        high, low, last_high, last_low = self._bounds[row].tolist()
        return high << 64 | low, last_high << 64 | last_low

    def _open(self, sections: Sections) -> None:
        self._highs, self._lows, self._starts = sections["high6"].data, sections["low6"].data, sections["low6"]
        self._owners: Any = sections["row6"].data
        self._parents: Any = sections["parent"].data
        self._bounds = sections["bounds"].reshape(-1, 4)
        if len({len(self._cells), len(self._parents), len(self._bounds)}) != 1 or len(self._owners) != len(self._highs):
            raise ValueError("its sections do not fit together")


class Handles(RegistryFile):
    """Objects by handle."""

    def get(self, handle: str) -> Cells | None:
        """The object with a handle, in any case; None when there is none."""
        wanted = handle_hash(handle)
        row = bisect_left(self._hashes, wanted, 1)
        while row < len(self._hashes) and self._hashes[row] == wanted:
            cells = self.cells(row)
            if (cells[COLUMNS[self.kind][0]] or "").upper() == handle.upper():
                return cells
            row += 1
        return None

    def _open(self, sections: Sections) -> None:
        self._hashes = sections["hash"].data
        if len(self._hashes) != len(self._cells):
            raise ValueError("its sections do not fit together")


def handle_hash(handle: str) -> int:
    """By what a handle is found."""
    return int.from_bytes(blake2b(handle.upper().encode(), digest_size=8).digest(), "little")


def open_registry_file(path: Path, kind: str) -> Networks | Handles:
    """Raises AddressDataInvalid when the file is no whole one of this kind."""
    return Networks(path, kind) if kind in ("inetnum", "inet6num") else Handles(path, kind)
