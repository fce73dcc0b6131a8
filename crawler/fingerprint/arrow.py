"""Pixels of a decoded plane without a copy, through the Arrow C data interface that Pillow exports.

Source: "The Arrow C data interface" (struct ArrowArray and its capsule named "arrow_array").
"""

from __future__ import annotations

import ctypes

import numpy as np
import numpy.typing as npt

CAPSULE = b"arrow_array"


class ArrowArray(ctypes.Structure):
    """The head of `struct ArrowArray`, as far as a flat array needs it."""

    _fields_ = (
        ("length", ctypes.c_int64),
        ("null_count", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    )


class Borrowed:
    """Memory that belongs to a capsule, offered to numpy. The capsule lives as long as the array."""

    __slots__ = ("__array_interface__", "capsule")

    def __init__(self, capsule: object, address: int, shape: tuple[int, ...]) -> None:
        self.capsule = capsule
        self.__array_interface__ = {"version": 3, "typestr": "|u1", "shape": shape, "data": (address, True)}


def pointer_in(capsule: object) -> int:
    """The address that a capsule named "arrow_array" holds. Raises ValueError when it is another capsule."""
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    return int(get(capsule, CAPSULE))


def borrowed_plane(capsule: object, height: int, width: int) -> npt.NDArray[np.uint8]:
    """The (height, width) uint8 values of an Arrow array of bytes, read-only, without a copy.

    Raises ValueError when the array does not hold exactly height * width bytes in one buffer.
    """
    array = ArrowArray.from_address(pointer_in(capsule))
    address = array.buffers[1] if array.n_buffers == 2 else None
    if array.length != height * width or array.offset or array.n_children or not address:
        raise ValueError("the Arrow array is not one plane of bytes")
    return np.asarray(Borrowed(capsule, address, (height, width)))
