"""MD5 of several messages at once, each in a lane of a vector: a dozen photographs take two fifths of the usual time.

MD5 is a single chain of additions, so one message leaves most of a processor idle; SHA-1 and SHA-256 have instructions
of their own and gain nothing from this. Which lane has which message is a schedule: the longest first, and whoever
falls idle takes the longest that waits.

Source: RFC 1321. For little-endian processors, as numba's are.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import types

from crawler.fingerprint.jit import (
    INTEGER,
    NOTHING,
    READ_BYTES,
    WRITE_BYTES,
    WRITE_LONGS,
    Operation,
    kernel,
    operation,
    several,
    write,
)

Uint8s = npt.NDArray[np.uint8]
Uint32s = npt.NDArray[np.uint32]
Int64s = npt.NDArray[np.int64]

LANES: Final = 8
MOST: Final = 16
"""Messages of one call of the kernel."""

WORTH: Final = 2
"""So many times the longest message must all together have: in a lane, one message takes half as long again as in the
usual way (with AVX2; without, up to three times as long)."""

BLOCK: Final = 64
FOREVER: Final = 1 << 62

NONE: Final = -1

STARTS: Final = np.array([0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476], np.uint32)
WRITE_WORDS: Final = write(types.uint32, 2)
_SINES: Final = [int(abs(math.sin(step + 1)) * 2**32) for step in range(64)]
_TURNS: Final = ((7, 12, 17, 22), (5, 9, 14, 20), (4, 11, 16, 23), (6, 10, 15, 21))
_WORDS: Final = ((1, 0), (5, 1), (3, 5), (7, 0))
"""Of each round: step s reads word (factor * s + offset) % 16."""

_NOTHING: Final = np.zeros(0, np.uint8)
_NOTHING.flags.writeable = False


def md5_of(messages: Sequence[bytes | memoryview]) -> list[bytes]:
    """The MD5 of each message, 16 bytes."""
    found: list[bytes] = []
    for first in range(0, len(messages), MOST):
        found += _in_lanes(messages[first : first + MOST])
    return found


def _in_lanes(messages: Sequence[bytes | memoryview]) -> list[bytes]:
    if sum(map(len, messages)) < WORTH * max(map(len, messages)):
        return [hashlib.md5(each, usedforsecurity=False).digest() for each in messages]
    arrays = [np.frombuffer(memoryview(each).toreadonly(), np.uint8) if len(each) else _NOTHING for each in messages]
    order = sorted(range(len(arrays)), key=lambda place: -len(messages[place]))
    out = np.empty((MOST, 4), np.uint32)
    digest_all((*(arrays[place] for place in order), *[_NOTHING] * (MOST - len(arrays))), len(arrays), out)
    found = [b""] * len(arrays)
    for place, digest in zip(order, out, strict=False):
        found[place] = digest.tobytes()
    return found


@operation
def compress(_context: Any, _state: Any, _blocks: Any) -> Operation:
    """compress(state, blocks): take one block of 64 bytes into each lane.

    state: address of 4 x LANES uint32.  blocks: address of LANES int64, each the address of a block, of any alignment.
    """
    word, address = ir.IntType(32), ir.IntType(64)
    vector = ir.VectorType(word, LANES)

    def generate(target: Any, builder: Any, _signature: Any, args: Any) -> Any:
        states = builder.inttoptr(args[0], vector.as_pointer())
        blocks = builder.inttoptr(args[1], address.as_pointer())
        places = [builder.gep(states, [address(n)]) for n in range(4)]
        before = [builder.load(place, align=4) for place in places]
        after = rounds(builder, before, message(builder, blocks, vector))
        for place, old, new in zip(places, before, after, strict=True):
            builder.store(builder.add(old, new), place, align=4)
        return target.get_dummy_value()

    return types.void(types.intp, types.intp), generate


def message(builder: Any, blocks: Any, vector: Any) -> list[Any]:
    """The sixteen words of a block, each a vector of all lanes."""
    words = []
    for half in range(2):
        rows = []
        for lane in range(LANES):
            start = builder.load(builder.gep(blocks, [ir.IntType(64)(lane)]))
            start = builder.add(start, ir.IntType(64)(half * 4 * LANES))
            rows.append(builder.load(builder.inttoptr(start, vector.as_pointer()), align=1))
        words += transposed(builder, rows)
    return words


def transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """LANES vectors of LANES items: interleaving each of the first half with one of the second, as often as halving
    comes to one."""
    half = LANES // 2
    masks = [[first + n // 2 + n % 2 * LANES for n in range(LANES)] for first in (0, half)]
    low, high = (ir.Constant(ir.VectorType(ir.IntType(32), LANES), mask) for mask in masks)
    for _ in range(LANES.bit_length() - 1):
        pairs = list(zip(rows[:half], rows[half:], strict=True))
        rows = [builder.shuffle_vector(one, other, mask) for one, other in pairs for mask in (low, high)]
    return rows


def rounds(builder: Any, state: list[Any], words: list[Any]) -> tuple[Any, ...]:
    """The 64 steps of RFC 1321, 3.4, on vectors."""
    a, b, c, d = state

    def all_lanes(value: int) -> Any:
        return ir.Constant(b.type, [value] * LANES)

    for step in range(64):
        part = step // 16
        if part == 0:
            mixed = builder.xor(d, builder.and_(b, builder.xor(c, d)))
        elif part == 1:
            mixed = builder.xor(c, builder.and_(d, builder.xor(b, c)))
        elif part == 2:
            mixed = builder.xor(b, builder.xor(c, d))
        else:
            mixed = builder.xor(c, builder.or_(b, builder.not_(d)))
        factor, offset = _WORDS[part]
        known = builder.add(builder.add(a, words[(factor * step + offset) % 16]), all_lanes(_SINES[step]))
        total, turn = builder.add(known, mixed), _TURNS[part][step % 4]
        turned = builder.or_(builder.shl(total, all_lanes(turn)), builder.lshr(total, all_lanes(32 - turn)))
        a, b, c, d = d, builder.add(b, turned), b, c
    return a, b, c, d


@kernel(INTEGER, READ_BYTES, WRITE_BYTES)
def pad(octets: Uint8s, end: Uint8s) -> int:
    """Fill `end` (128 zeros) with what follows the whole blocks of a message, and its padding; its size in blocks."""
    length, rest = octets.shape[0], octets.shape[0] % BLOCK
    for n in range(rest):
        end[n] = octets[length - rest + n]
    end[rest] = 0x80
    blocks = 1 if rest < BLOCK - 8 else 2
    for n in range(8):
        end[blocks * BLOCK - 8 + n] = (length * 8 >> 8 * n) & 0xFF
    return blocks


@kernel(NOTHING, WRITE_WORDS, WRITE_LONGS, WRITE_LONGS, WRITE_LONGS)
def advance(state: Uint32s, blocks: Int64s, strides: Int64s, left: Int64s) -> None:
    """Take blocks into all lanes until one has none left."""
    steps = left.min()
    for _ in range(steps):
        compress(state.ctypes.data, blocks.ctypes.data)
        for lane in range(LANES):
            blocks[lane] += strides[lane]
    for lane in range(LANES):
        left[lane] -= steps


@kernel(NOTHING, several(READ_BYTES, MOST), INTEGER, WRITE_WORDS)
def digest_all(messages: tuple[Uint8s, ...], count: int, out: Uint32s) -> None:
    """The MD5 of the first `count` messages, the longest first: (MOST, 4) uint32."""
    # A message is two pieces: its whole blocks, and `pad`.
    starts, sizes = np.zeros(2 * MOST, np.int64), np.zeros(2 * MOST, np.int64)
    ends = np.zeros((MOST, 2 * BLOCK), np.uint8)
    for which in range(count):
        octets = messages[which]
        starts[2 * which], sizes[2 * which] = octets.ctypes.data, octets.shape[0] // BLOCK
        starts[2 * which + 1], sizes[2 * which + 1] = ends[which].ctypes.data, pad(octets, ends[which])
    state = np.zeros((4, LANES), np.uint32)
    # Of each lane: its piece, how many blocks of it are left, the address of the next and how far the one after it.
    pieces, left = np.zeros(LANES, np.int64) + NONE, np.zeros(LANES, np.int64)
    blocks, strides = np.zeros(LANES, np.int64), np.zeros(LANES, np.int64)
    begun = ended = 0
    while ended < count:
        for lane in range(LANES):
            while left[lane] == 0:
                piece = pieces[lane] + 1
                if piece % 2 == 0:
                    if piece > 0:
                        for n in range(4):
                            out[piece // 2 - 1, n] = state[n, lane]
                        ended += 1
                    piece = 2 * begun if begun < count else NONE
                    begun += 1
                    for n in range(4):
                        state[n, lane] = STARTS[n]
                pieces[lane] = piece
                if piece == NONE:
                    blocks[lane], strides[lane], left[lane] = ends.ctypes.data, 0, FOREVER
                else:
                    blocks[lane], strides[lane], left[lane] = starts[piece], BLOCK, sizes[piece]
        if ended < count:
            advance(state, blocks, strides, left)
