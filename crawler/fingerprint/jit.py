"""One typed way to compile a numba kernel, the same for all of them.

Kernels are compiled for one signature when their module is imported, and cached where numba caches (`NUMBA_CACHE_DIR`,
read by numba itself). A sandbox imports them before it closes itself in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba import types
from numba.extending import intrinsic

from crawler.starting import without

# numba looks for SciPy as it loads this, to offer its linear algebra to kernels. None of ours uses it, and loading it
# takes as long as half of our kernels: whoever starts a sandbox would wait for it.
with without("scipy.linalg"):
    import numba.np.arraymath

P = ParamSpec("P")
R = TypeVar("R")
Operation = tuple[Any, Callable[..., Any]]

INTEGER, FLAG, NOTHING = types.int64, types.boolean, types.void
FLOAT, DOUBLE = types.float32, types.float64


def read(scalar: types.Type, dimensions: int) -> types.Type:
    """The type of a C-contiguous array that a kernel only reads: writable and read-only arrays both fit."""
    return types.Array(scalar, dimensions, "C", readonly=True)


def write(scalar: types.Type, dimensions: int) -> types.Type:
    """The type of a C-contiguous array that a kernel fills."""
    return types.Array(scalar, dimensions, "C")


READ_BYTES, READ_PLANE, READ_IMAGE = read(types.uint8, 1), read(types.uint8, 2), read(types.uint8, 3)
READ_INTS, READ_TABLE = read(types.int32, 1), read(types.int32, 2)
READ_FLOATS, READ_DOUBLES = read(types.float32, 2), read(types.float64, 2)
WRITE_BYTES, WRITE_PLANE = write(types.uint8, 1), write(types.uint8, 2)
WRITE_INTS, WRITE_TABLE = write(types.int32, 1), write(types.int32, 2)
WRITE_LONGS = write(types.int64, 1)
WRITE_LINE, WRITE_FLOATS = write(types.float32, 1), write(types.float32, 2)
WRITE_DOUBLES = write(types.float64, 2)


def record(fields: tuple[types.Type, ...], of: type) -> types.Type:
    """The type of a NamedTuple of read-only arrays (exactly read-only: clear `flags.writeable` when building one)."""
    if len(set(fields)) == 1:  # numba tells them apart
        alike = cast(Callable[[types.Type, int, type], types.Type], types.NamedUniTuple)
        return alike(fields[0], len(fields), of)
    build = cast(Callable[[tuple[types.Type, ...], type], types.Type], types.NamedTuple)
    return build(fields, of)


def several(of: types.Type, count: int) -> types.Type:
    """The type of a tuple of so many of them (exactly read-only, as in `record`)."""
    build = cast(Callable[[types.Type, int], types.Type], types.UniTuple)
    return build(of, count)


def operation(function: Callable[..., Operation]) -> Callable[..., Any]:
    """A numba intrinsic: `function` takes argument types and returns the signature and a code generator."""
    return cast(Callable[..., Any], intrinsic(function))


def kernel(
    returns: types.Type, *arguments: types.Type, fastmath: bool = False
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Compile for this one signature, and refuse other types.

    fastmath: allow sums to be reordered into vectors. Off where results must equal another program's bit by bit.
    """

    def compiled(function: Callable[P, R]) -> Callable[P, R]:
        build = numba.njit(returns(*arguments), cache=True, nogil=True, fastmath=fastmath, error_model="numpy")
        return cast(Callable[P, R], build(function))

    return compiled
