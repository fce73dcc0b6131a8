"""The file that holds an index: named arrays, mapped read-only, named by the sha256 of its bytes.

    offset  bytes  what
         0      8  magic "VNGTIDX" and a zero byte
         8      4  version, uint32
        12      4  number of sections, uint32
        16      8  length of the file, uint64
        24     40  zero
        64   64*k  per section: name (32 bytes, zero-padded ASCII), dtype (8 bytes, "<u4" and the like), rows and
                   columns (uint64; columns 0: one-dimensional), offset (uint64, a multiple of 64)
         …      …  the arrays, C-contiguous, zeros between them

All numbers are little-endian. The same arrays make the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import mmap
import os
import struct
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crawler.errors import HomeUnusable, IndexCorrupt
from crawler.leftovers import sweep_left
from crawler.match.names import SUFFIX

MAGIC = b"VNGTIDX\0"
VERSION = 3
ALIGNMENT = 64
MOST_SECTIONS = 64
HEADER = struct.Struct("<8sIIQ40x")
SECTION = struct.Struct("<32s8sQQQ")
DTYPES: Mapping[str, np.dtype[Any]] = {
    "<u1": np.dtype("<u1"),
    "<u2": np.dtype("<u2"),
    "<u4": np.dtype("<u4"),
    "<u8": np.dtype("<u8"),
}

Array = npt.NDArray[Any]
REBUILD = "rebuild it from the lists"


def padding(offset: int) -> int:
    return -offset % ALIGNMENT


def layout(sections: Mapping[str, Array]) -> tuple[bytes, int]:
    """The header with its section table, and the length of the whole file in bytes."""
    offset = HEADER.size + SECTION.size * len(sections)
    table = []
    for name, array in sections.items():
        offset += padding(offset)
        kind = array.dtype.newbyteorder("<").str.replace("|", "<")
        columns = array.shape[1] if array.ndim == 2 else 0
        table.append(SECTION.pack(name.encode("ascii"), kind.encode("ascii"), array.shape[0], columns, offset))
        offset += array.nbytes
    return HEADER.pack(MAGIC, VERSION, len(sections), offset) + b"".join(table), offset


def write_to(put: Callable[[bytes | memoryview], object], sections: Mapping[str, Array]) -> str:
    """Hand the file's bytes to `put` piece by piece. Returns their sha256 in hexadecimal."""
    header, _ = layout(sections)
    digest = hashlib.sha256(header)
    put(header)
    offset = len(header)
    for array in sections.values():
        gap = bytes(padding(offset))
        body = np.ascontiguousarray(array).data.cast("B") if array.size else memoryview(b"")
        for piece in (gap, body):
            digest.update(piece)
            put(piece)
        offset += len(gap) + array.nbytes
    return digest.hexdigest()


def write_file(sections: Mapping[str, Array], directory: Path) -> tuple[Path, str]:
    """Write `<sha256>.vgx` (mode 0600) into `directory`: whole and on disk, or not at all.

    Returns the path and the sha256. Raises HomeUnusable when it cannot be written.
    """
    sweep_left(directory, ".index-")
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".index-{os.getpid()}-", dir=directory)
    except OSError as error:
        raise HomeUnusable(f"{directory}: no index can be written here: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            digest = write_to(file.write, sections)
            file.flush()
            os.fsync(file.fileno())
        path = directory / f"{digest}{SUFFIX}"
        Path(temporary).replace(path)
        sync_directory(directory)
    except OSError as error:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise HomeUnusable(
            f"{directory}: the index could not be written: {error.strerror}; make room for it"
        ) from error
    return path, digest


def sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def in_memory(sections: Mapping[str, Array]) -> tuple[bytes, str]:
    """The bytes that `write_file` would write, and their sha256."""
    buffer = io.BytesIO()
    digest = write_to(buffer.write, sections)
    return buffer.getvalue(), digest


def map_file(path: Path) -> mmap.mmap:
    """The file's bytes, read-only, shared with every process that maps it. Raises IndexCorrupt."""
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise IndexCorrupt(f"{path}: the index cannot be read: {error.strerror}; {REBUILD}") from error
    except ValueError as error:
        raise IndexCorrupt(f"{path}: the index is an empty file; {REBUILD}") from error


def sections_of(data: mmap.mmap | bytes, name: str) -> dict[str, Array]:
    """The arrays in `data`, as read-only views. `name` stands in messages. Raises IndexCorrupt."""
    size = len(data)
    if size < HEADER.size:
        raise IndexCorrupt(f"{name}: {size} bytes are too few for an index; {REBUILD}")
    magic, version, count, length = HEADER.unpack_from(data, 0)
    if magic != MAGIC:
        raise IndexCorrupt(f"{name}: this is no index file; {REBUILD}")
    if version != VERSION:
        raise IndexCorrupt(f"{name}: index version {version}, this program reads version {VERSION}; {REBUILD}")
    if length != size or count > MOST_SECTIONS or HEADER.size + count * SECTION.size > size:
        raise IndexCorrupt(f"{name}: the index is {size} bytes long and should be {length}; copy or {REBUILD}")
    found: dict[str, Array] = {}
    for number in range(count):
        label, array = section(data, HEADER.size + number * SECTION.size, name)
        found[label] = array
    if len(found) != count:
        raise IndexCorrupt(f"{name}: a section stands in the index twice; {REBUILD}")
    return found


def section(data: mmap.mmap | bytes, at: int, name: str) -> tuple[str, Array]:
    """One section, by the entry at `at` in the table."""
    label, kind, rows, columns, offset = SECTION.unpack_from(data, at)
    dtype = DTYPES.get(kind.rstrip(b"\0").decode("ascii", "replace"))
    cells = rows * max(columns, 1)
    if dtype is None or offset % ALIGNMENT or offset + cells * dtype.itemsize > len(data):
        raise IndexCorrupt(f"{name}: the index's table of sections is damaged; {REBUILD}")
    array = np.frombuffer(data, dtype, cells, offset)
    return label.rstrip(b"\0").decode("ascii", "replace"), array.reshape(rows, columns) if columns else array
