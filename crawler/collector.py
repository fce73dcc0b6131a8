"""Python's collector of cycles, in a process that makes and drops many small records."""

from __future__ import annotations

import gc

_COLLECT_AFTER = 10_000
"""Containers more than there were, until it looks for cycles. With Python's own 700, what belongs to the leases at work
is walked through again and again, for a twentieth of a worker's time."""


def spare_collector() -> None:
    """What is there now stays until the end: the collector need not walk through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
