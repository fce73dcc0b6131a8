"""What a misbehaving server says, as scripts for `rawserver.serving`."""

from __future__ import annotations

import asyncio
import gzip
import struct
import zlib

from .rawserver import Peer, Script

OK = b"HTTP/1.1 200 OK\r\n"
PIXEL = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,"
PICTURE = b"Content-Type: image/gif\r\n"
ZEROS = bytes(1 << 26)
DEFLATED = zlib.compress(ZEROS)
"""RFC 1950. Every test process packs them once; the other bombs are the same bits in other wrappers."""


def says(*parts: bytes | float, then: str = "close") -> Script:
    """Take a request, write the parts (a number is a pause in seconds), then close, stall or reset."""

    async def script(peer: Peer) -> None:
        await peer.request()
        for part in parts:
            if isinstance(part, float):
                await asyncio.sleep(part)
            else:
                await peer.send(part)
        if then == "stall":
            await peer.stall()
        elif then == "reset":
            await asyncio.sleep(0.05)
            peer.reset()

    return script


def floods(head: bytes, repeated: bytes) -> Script:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(head)
        await peer.flood(repeated)

    return script


def drips(head: bytes, dripped: bytes, every: float = 0.05, piece: int = 1) -> Script:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(head)
        await peer.drip(dripped, every, piece)

    return script


def sized(body: bytes, extra: bytes = b"") -> bytes:
    return OK + PICTURE + extra + b"Content-Length: %d\r\n\r\n" % len(body) + body


def packed(encoding: bytes, body: bytes) -> bytes:
    return sized(body, b"Content-Encoding: " + encoding + b"\r\n")


def raw_deflate(deflated: bytes) -> bytes:
    """The bits of RFC 1951 in a stream of RFC 1950."""
    return deflated[2:-4]


def gzipped(deflated: bytes, data: bytes) -> bytes:
    """RFC 1952. deflated: the data as of RFC 1950."""
    head = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
    return head + raw_deflate(deflated) + struct.pack("<II", zlib.crc32(data), len(data))


def layers(data: bytes, number: int) -> bytes:
    for _ in range(number):
        data = gzip.compress(data, mtime=0)
    return data


async def leads_on(peer: Peer) -> None:
    """Every page redirects to one behind it."""
    path = (await peer.request()).split(b" ")[1]
    await peer.send(b"HTTP/1.1 302 Found\r\nLocation: %sx\r\nContent-Length: 0\r\n\r\n" % path)


async def silent(peer: Peer) -> None:
    await peer.stall()


async def speaks_first(peer: Peer) -> None:
    await peer.send(sized(PIXEL))
    await peer.stall()


async def closes_after_hello(peer: Peer) -> None:
    await peer.reader.read(65536)


def alerts(number: int) -> Script:
    """Answer a ClientHello with a fatal alert (RFC 8446, 6)."""

    async def script(peer: Peer) -> None:
        await peer.reader.read(65536)
        await peer.send(bytes((0x15, 3, 1, 0, 2, 2, number)))

    return script


async def resets_at_once(peer: Peer) -> None:
    peer.reset()


async def closes_at_once(peer: Peer) -> None:
    await peer.request()


async def poisons(peer: Peer) -> None:
    """The answer, and one more for whoever asks next on this connection."""
    while True:
        await peer.request()
        await peer.send(sized(PIXEL) + sized(b"evil"))
