"""The search tree of a MaxMind DB file, looked through before it is read: a damaged one may lead in circles, or to one
node by so many ways that nobody lives to see the end of them, and the reader follows them all.

Format: https://maxmind.github.io/MaxMind-DB/#binary-search-tree-section.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

_ALIASED: Final = 96
"""Bits before the part of an IPv6 tree that holds IPv4; other parts may point at that one, which is read once."""

Children = npt.NDArray[np.uint32]
"""(n, 2): for each node the two below it; from n on there is none."""


def is_tree(path: Path, *, nodes: int, record_size: int, ip_version: int) -> bool:
    """Whether all ways from the root together pass no more nodes than there are, and none behind an address's last bit.

    nodes, record_size (bits), ip_version: of the metadata. Raises OSError, and ValueError when the file holds no such
    tree.
    """
    children = _children(path, nodes, record_size)
    ipv4 = _ipv4(children) if ip_version == 6 else nodes
    level, zeros, seen = np.zeros(1, np.uint32), np.ones(1, bool), 0
    for _ in range(128 if ip_version == 6 else 32):
        seen += len(level)
        if seen > nodes:
            return False
        below = children[level].reshape(-1)
        # The addresses that begin with zeros alone are the way to it that counts.
        zeros = np.stack((zeros, np.zeros_like(zeros)), axis=1).reshape(-1)
        inner = (below < nodes) & (zeros | (below != ipv4))
        level, zeros = below[inner], zeros[inner]
    return not len(level)


def _ipv4(children: Children) -> int:
    """Where IPv4 begins in an IPv6 tree."""
    node = 0
    for _ in range(_ALIASED):
        node = int(children[node, 0]) if node < len(children) else node
    return node


def _children(path: Path, nodes: int, record_size: int) -> Children:
    if record_size not in (24, 28, 32) or nodes < 1:
        raise ValueError("no nodes, or records of another size")
    each = record_size // 4
    raw = np.fromfile(path, np.uint8, nodes * each)
    if len(raw) < nodes * each:
        raise ValueError("its search tree is cut off")
    rows = raw.reshape(nodes, each)
    # Of 28 bits, the byte in the middle has the highest four of both.
    middle = rows[:, each // 2] if record_size == 28 else np.zeros(nodes, np.uint8)
    octets = record_size // 8
    return np.stack(
        (_number(rows[:, :octets], middle >> np.uint8(4)), _number(rows[:, -octets:], middle & np.uint8(15))), axis=1
    )


def _number(octets: npt.NDArray[np.uint8], highest: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Big-endian numbers. highest: bits that stand before the octets."""
    found = highest.astype(np.uint32)
    for column in octets.T:
        found = found << np.uint32(8) | column
    return found
