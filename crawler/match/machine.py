"""A few machine operations for numba that Python has no word for: population count, prefetch, blockwise comparison.

Each is an LLVM operation, so every processor gets the best instructions that it has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from llvmlite import ir
from numba.core import cgutils as untyped_cgutils
from numba.core import types
from numba.extending import intrinsic

Compiled = TypeVar("Compiled", bound=Callable[..., Any])
Operation = tuple[Any, Callable[..., Any]]

cgutils: Any = untyped_cgutils
untyped_njit: Any = numba.njit

LANES = 32
"""Items per block of `near`; its arrays end in as many items of padding."""


def compiled(signature: Any) -> Callable[[Compiled], Compiled]:
    """Compile for one explicit signature when the module is imported, or load what an earlier process compiled.

    Division keeps C's rules, so that no check for zero stands in a loop.
    """
    return cast("Callable[[Compiled], Compiled]", numba.njit(signature, cache=True, error_model="numpy", nogil=True))


def inlined(function: Compiled) -> Compiled:
    """A small helper, compiled into the kernels that call it."""
    return helper(function, forceinline=True)


def called(function: Compiled) -> Compiled:
    """A helper of kernels that is too large, or too rarely used, to be repeated wherever it is called."""
    return helper(function)


def helper(function: Compiled, **options: bool) -> Compiled:
    """Compiled code that only compiled code calls: without an entry for Python, which would take long to make."""
    rules = untyped_njit(error_model="numpy", nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, **options)
    return cast("Compiled", rules(function))


def operation(function: Callable[..., Operation]) -> Callable[..., Any]:
    """A numba intrinsic: `function` takes argument types and returns the signature and a code generator."""
    return cast("Callable[..., Any]", intrinsic(function))


@operation
def ones(_context: Any, _value: Any) -> Operation:
    """ones(uint32) -> uint32: the number of one bits."""
    return types.uint32(types.uint32), lambda _target, builder, _sig, args: builder.ctpop(args[0])


@operation
def ones64(_context: Any, _value: Any) -> Operation:
    """ones64(uint64) -> uint64: the number of one bits."""
    return types.uint64(types.uint64), lambda _target, builder, _sig, args: builder.ctpop(args[0])


@operation
def lowest(_context: Any, _value: Any) -> Operation:
    """lowest(uint32) -> uint32: the place of the lowest one bit, from 0; 32 when there is none."""
    return types.uint32(types.uint32), lambda _target, builder, _sig, args: builder.cttz(args[0], cgutils.false_bit)


def pointer(target: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """The address of element `index` of a one-dimensional array; the index is not checked and not wrapped."""
    view = target.make_array(array_type)(target, builder, array)
    return cgutils.get_item_pointer(target, builder, array_type, view, [index], wraparound=False)


@operation
def prefetch(_context: Any, array: Any, _index: Any) -> Operation:
    """prefetch(array, index): ask for the cache line of an element, to be read soon."""

    def generate(target: Any, builder: Any, signature: Any, args: Any) -> Any:
        address = pointer(target, builder, signature.args[0], args[0], args[1])
        word = ir.IntType(32)
        shape = ir.FunctionType(ir.VoidType(), [address.type, word, word, word])
        hint = cgutils.get_or_insert_function(builder.module, shape, "llvm.prefetch.p0")
        builder.call(hint, [address, word(0), word(3), word(1)])
        return target.get_dummy_value()

    return types.void(array, types.intp), generate


@operation
def near(_context: Any, array: Any, _at: Any, _query: Any, _limit: Any) -> Operation:
    """near(array, at, query, limit) -> uint32: bit k is set when array[at + k] differs from `query` in at most `limit`
    bits. array: uint16. It reads LANES items, whatever the array's end is."""
    item = ir.IntType(16)
    block = ir.VectorType(item, LANES)

    def generate(target: Any, builder: Any, signature: Any, args: Any) -> Any:
        def all_lanes(value: Any) -> Any:
            first = builder.insert_element(ir.Constant(block, ir.Undefined), value, ir.IntType(32)(0))
            same = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
            return builder.shuffle_vector(first, ir.Constant(block, ir.Undefined), same)

        address = pointer(target, builder, signature.args[0], args[0], args[1])
        items = builder.load(builder.bitcast(address, block.as_pointer()), align=2)
        query, limit = (all_lanes(value) for value in args[2:])
        name = f"llvm.ctpop.v{LANES}i16"
        count = cgutils.get_or_insert_function(builder.module, ir.FunctionType(block, [block]), name)
        different = builder.call(count, [builder.xor(items, query)])
        return builder.bitcast(builder.icmp_unsigned("<=", different, limit), ir.IntType(LANES))

    return types.uint32(array, types.intp, types.uint16, types.uint16), generate
