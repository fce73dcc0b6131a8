"""A writer of small MaxMind databases, for tests. Format: https://maxmind.github.io/MaxMind-DB/, 24-bit records."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, ip_network
from typing import Any

Node = list[Any]


class Short(int):
    """Written in 16 bits, where the format wants that."""


class Long(int):
    """Written in 64 bits."""


def mmdb(kind: str, networks: Mapping[str, Any], *, epoch: int = 1_781_740_800) -> bytes:
    """A database of type `kind`: network -> record, of maps, texts, whole numbers and true/false."""
    root: Node = [None, None]
    data = bytearray()
    for text, record in networks.items():
        network = ip_network(text)
        number = int(network.network_address)
        bits, width = network.prefixlen, network.max_prefixlen
        path = [number >> (width - 1 - place) & 1 for place in range(bits)]
        if isinstance(network, IPv4Network):
            path = [0] * 96 + path
        at = root
        for bit in path[:-1]:
            if not isinstance(at[bit], list):
                at[bit] = [at[bit], at[bit]]
            at = at[bit]
        at[path[-1]] = len(data)
        data += _encoded(record)
    nodes: list[Node] = []
    _number(root, nodes)
    count = len(nodes)
    places = {id(node): place for place, node in enumerate(nodes)}
    tree = bytearray()
    for node in nodes:
        for child in node:
            below = places[id(child)] if isinstance(child, list) else count + 16 + (child or 0)
            tree += (count if child is None else below).to_bytes(3, "big")
    about = {
        "node_count": count,
        "record_size": Short(24),
        "ip_version": Short(6),
        "database_type": kind,
        "languages": [],
        "binary_format_major_version": Short(2),
        "binary_format_minor_version": Short(0),
        "build_epoch": Long(epoch),
        "description": {"en": "made by a test"},
    }
    return bytes(tree) + bytes(16) + bytes(data) + b"\xab\xcd\xefMaxMind.com" + _encoded(about)


def _number(node: Node, nodes: list[Node]) -> None:
    nodes.append(node)
    for child in node:
        if isinstance(child, list):
            _number(child, nodes)


def _encoded(value: Any) -> bytes:
    if isinstance(value, bool):
        return bytes([int(value), 14 - 7])
    if isinstance(value, int):
        content = value.to_bytes((value.bit_length() + 7) // 8, "big")
        kind = 5 if isinstance(value, Short) else 9 if isinstance(value, Long) else 6
        return _head(kind, len(content)) + content
    if isinstance(value, str):
        return _head(2, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return _head(11, len(value)) + b"".join(map(_encoded, value))
    return _head(7, len(value)) + b"".join(_encoded(key) + _encoded(item) for key, item in value.items())


def _head(kind: int, size: int) -> bytes:
    extended = bytes([kind - 7]) if kind > 7 else b""
    first = (0 if kind > 7 else kind) << 5
    return bytes([first | size]) + extended if size < 29 else bytes([first | 29]) + extended + bytes([size - 29])
