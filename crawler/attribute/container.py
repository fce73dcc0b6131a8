"""Files of named sections: packed address tables, mapped into memory and shared by all processes that read them.

    "VGADDR1\n" | SHA-256 of all that follows | u32 length of the header | header (JSON) | padding | sections

All numbers are little-endian. The header has source, date and licence, what the kind of table adds, "bytes" of what
follows the padding, and "sections": name -> [offset from there, bytes]. Sections begin at multiples of 8 bytes from the
start of the file. `packed.py` and `registry.py` say which sections there are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from crawler.attribute.rows import TableInfo
from crawler.errors import AddressDataInvalid

MAGIC: Final = b"VGADDR1\n"
_DIGEST_END: Final = 8 + 32
_HEADER_AT: Final = _DIGEST_END + 4
_TYPES: Final = {
    "start4": "<u4",
    "row4": "<u4",
    "high6": "<u8",
    "low6": "<u8",
    "row6": "<u4",
    "facts": "<u4",
    "anycast": "u1",
    "named": "<u4",
    "bounds": "<u8",
    "offsets": "<u4",
    "texts": "u1",
    "parent": "<u4",
    "cells": "<u4",
    "hash": "<u8",
}

Sections = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Lazy:
    """A section that is not in memory: `size` bytes, in the chunks that `chunks` gives."""

    size: int
    chunks: Iterable[npt.NDArray[Any]]


def assemble(info: TableInfo, sections: Mapping[str, npt.NDArray[Any]], **more: object) -> bytes:
    """The bytes of a file. more: what else stands in the header."""
    parts: list[bytes] = []
    _write(info, sections, more, lambda part: parts.append(bytes(part)))
    content = b"".join(parts)
    return MAGIC + sha256(content).digest() + content


def write_file(path: Path, info: TableInfo, sections: Mapping[str, npt.NDArray[Any] | Lazy], **more: object) -> int:
    """As `assemble`, straight into a file; memory does not grow with it. Returns its length in bytes."""
    digest = sha256()
    with path.open("wb") as stream:

        def put(part: Any) -> None:
            digest.update(part)
            stream.write(part)

        stream.write(MAGIC + bytes(32))
        _write(info, sections, more, put)
        size = stream.tell()
        stream.seek(len(MAGIC))
        stream.write(digest.digest())
    return size


def _write(
    info: TableInfo,
    sections: Mapping[str, npt.NDArray[Any] | Lazy],
    more: Mapping[str, object],
    put: Callable[[Any], None],
) -> None:
    places: dict[str, tuple[int, int]] = {}
    end = 0
    for name, values in sections.items():
        size = values.size if isinstance(values, Lazy) else values.size * np.dtype(_TYPES[name]).itemsize
        places[name] = (end, size)
        end += size + -size % 8
    header = json.dumps(
        {
            "source": info.source,
            "date": info.date,
            "licence": info.licence,
            "ranges": "bounds" in sections,
            **more,
            "sections": places,
            "bytes": end,
        }
    ).encode()
    put(len(header).to_bytes(4, "little") + header + bytes(-(_HEADER_AT + len(header)) % 8))
    for name, values in sections.items():
        for chunk in values.chunks if isinstance(values, Lazy) else (values,):
            put(np.ascontiguousarray(chunk, dtype=_TYPES[name]).reshape(-1).view("u1").data)
        put(bytes(-places[name][1] % 8))


def check_file(path: Path) -> None:
    """That a file is as it was written. Raises AddressDataInvalid, for instance when the disk lied."""
    digest = sha256()
    with path.open("rb") as stream:
        start = stream.read(_DIGEST_END)
        while block := stream.read(1 << 20):
            digest.update(block)
    if start[8:] != digest.digest():
        raise AddressDataInvalid(f"{path}: was not written whole; check the disk")


def read_sections(buffer: Any, *, verify: bool = True) -> tuple[dict[str, Any], Sections]:
    """The header and the sections as arrays over the buffer. Raises ValueError and its like for anything amiss.

    verify: compute the digest. It was when the file was loaded; large ones are not read whole at every start.
    """
    view = memoryview(buffer)
    if bytes(view[:8]) != MAGIC:
        raise ValueError("wrong first bytes")
    if verify and bytes(view[8:_DIGEST_END]) != sha256(view[_DIGEST_END:]).digest():
        raise ValueError("wrong digest")
    length = int.from_bytes(view[_DIGEST_END:_HEADER_AT], "little")
    header = json.loads(bytes(view[_HEADER_AT : _HEADER_AT + length]))
    base = (_HEADER_AT + length + 7) // 8 * 8
    if len(view) != base + header["bytes"]:
        raise ValueError("wrong length")
    found: Sections = {}
    for name, (offset, size) in header["sections"].items():
        if offset % 8 or not 0 <= offset <= offset + size <= len(view) - base:
            raise ValueError("a section lies elsewhere")
        found[name] = np.frombuffer(view[base + offset : base + offset + size], dtype=_TYPES[name])
    return header, found
