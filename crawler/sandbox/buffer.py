"""The memory through which image bytes reach a child: one memfd per child, written here, only readable there.

Its size is sealed, so neither side can make the other fault; the child gets a descriptor that was opened for reading,
so its mapping can never become writable. The bytes are wiped as soon as the child has answered.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Iterable

# Up to here wiping means overwriting, which keeps the pages; beyond, they are given back to the system. Overwriting
# costs 5 µs for 150 kB; giving back and faulting in again on both sides ten times that.
_KEPT = 1_048_576
_ZEROES = memoryview(bytes(_KEPT))


class ImageBuffer:
    """The worker's side. `size` bytes; `descriptor` is what to hand to the child, -1 once `handed_over` was called."""

    __slots__ = ("_map", "_used", "descriptor", "size")

    def __init__(self, size: int) -> None:
        """Raises OSError when the system has no descriptor or memory left."""
        self.size = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
        self._used = 0
        writable = os.memfd_create("image", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(writable, self.size)
            fcntl.fcntl(writable, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
            self._map = mmap.mmap(writable, self.size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
            self._map.madvise(mmap.MADV_DONTDUMP)
            self._map.madvise(mmap.MADV_DONTFORK)
            self.descriptor = os.open(f"/proc/self/fd/{writable}", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.close(writable)

    def put(self, bodies: Iterable[bytes | bytearray | memoryview]) -> list[int]:
        """Copy them to the front, one after the other, and return their lengths in bytes; together at most `size`."""
        lengths = []
        for body in bodies:
            end = self._used + len(body)
            self._map[self._used : end] = body
            self._used = end
            lengths.append(len(body))
        return lengths

    def wipe(self) -> None:
        """Overwrite what `put` wrote; large images give their pages back."""
        kept = min(self._used, _KEPT)
        self._map[:kept] = _ZEROES[:kept]
        if self._used > _KEPT:
            self._map.madvise(mmap.MADV_REMOVE, _KEPT, self.size - _KEPT)
        self._used = 0

    def handed_over(self) -> None:
        """The child has its descriptor: close ours."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def close(self) -> None:
        """Unmap. The pages go when the child is gone too."""
        self.handed_over()
        if not self._map.closed:
            self.wipe()
            self._map.close()


def map_for_reading(descriptor: int) -> memoryview:
    """The child's side: the whole buffer, read-only. Raises OSError when it cannot be mapped."""
    size = os.fstat(descriptor).st_size
    return memoryview(mmap.mmap(descriptor, size, mmap.MAP_SHARED, mmap.PROT_READ))
