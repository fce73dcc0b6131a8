"""Names in Redis, all in one place, and which partition a thing belongs to.

Every key of partition n starts with `PREFIX:{pN}:`; the braces make it the hash tag of Redis Cluster, so a script that
touches one partition touches one slot. What the parts after it are called is drawn at the top of `base.lua`.
"""

from __future__ import annotations

from hashlib import blake2b

ADMITTERS = "admit"
RECORDERS = "record"
"""Consumer groups of the discoveries and the results stream."""


def partition_prefix(prefix: str, partition: int) -> str:
    """The first part of every key of a partition, without the last colon: what the scripts get as KEYS[1]."""
    return f"{prefix}:{{p{partition}}}"


def partition_of(text: str, partitions: int) -> int:
    """Which of `partitions` a host or a politeness key belongs to: stable over machines and versions."""
    if partitions == 1:
        return 0
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") % partitions
