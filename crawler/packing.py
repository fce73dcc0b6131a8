"""msgpack without a new buffer for every value.

`msgpack.packb` makes a packer each time, whose buffer of 256 KiB a process that overwrites its freed memory fills and
wipes again (`sandbox/forget.py`): 45 us where the value itself takes two.
"""

from __future__ import annotations

from threading import local
from typing import Any, Final

import msgpack

_BUFFER: Final = 4_096
_LARGEST: Final = 4_096
"""Bytes of a value after which a packer is not kept: its buffer never shrinks, and holds what it packed last."""


class _Packers(local):
    """A packer belongs to one thread."""

    def __init__(self) -> None:
        self.text: msgpack.Packer | None = None
        self.raw: msgpack.Packer | None = None


_packers: Final = _Packers()


def packed(value: Any) -> bytes:
    """As `msgpack.packb`: text and bytes are told apart."""
    packer = _packers.text = _packers.text or msgpack.Packer(buf_size=_BUFFER)
    data: bytes = packer.pack(value)
    if len(data) > _LARGEST:
        _packers.text = None
    return data


def packed_raw(value: Any) -> bytes:
    """As `msgpack.packb` without `use_bin_type`: for Lua, to which bytes and text are the same."""
    packer = _packers.raw = _packers.raw or msgpack.Packer(use_bin_type=False, buf_size=_BUFFER)
    data: bytes = packer.pack(value)
    if len(data) > _LARGEST:
        _packers.raw = None
    return data
