"""What a worker, its zygote and the children say to each other, one frame per packet of a SOCK_SEQPACKET socket.

A frame is a header (version u8, kind u8, number u64, little-endian) and a msgpack payload of at most MAX_FRAME bytes in
all. `number` is the sequence number of an order, or a process id. Image bytes never travel here.

    worker -> zygote   SETTINGS map · SPAWN (with two descriptors: control socket, image buffer)
    zygote -> worker   READY · FAILED [class, message] · ENDED number=pid, wait status
    worker -> child    EXAMINE number=order, lengths of images that stand one after the other in the buffer
                       LOOK_UP number=order, [md5, sha1, sha256, size] · UPDATE number=order, length in the buffer
    child  -> worker   HERE number=pid (with its pidfd) · READY · FAILED [class, message]
                       FOUND number=order, [place, found], before image number `place` of the order is decoded
                       ANSWER number=order, [place, …], of an image that is not simply decoded with nothing found
                       DONE number=order, nil (true: replace me): that is what all other images of the order are
                       TAKEN number=order · FAILED, of an UPDATE

Decoding believes nothing: children work on hostile bytes, so types, lengths and ranges are checked one by one.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from enum import IntEnum

import msgpack

from crawler.packing import packed
from crawler.records import Digests, Examination, FoundImage, Rejected, RowMatch

VERSION = 2
MAX_FRAME = 65_536
"""Bytes; a packet of this size fits the kernel's default socket buffer."""

LONGEST_UPDATE = 8_388_608
"""Bytes of a state of the lists, which travels in the image buffer."""

MAX_MATCHES = 500
"""Matches of one image that are reported; the matcher gives the strongest first."""

_FARTHEST = 2**31 - 1
"""Distances of plug-ins are in units of their own."""

_HEADER = struct.Struct("<BBQ")
_REASON = re.compile(r"[A-Za-z0-9 ()_.,:+/-]{1,80}")
_TRANSFORM = re.compile(r"[a-z0-9+-]{1,60}")
_ALGORITHM = re.compile(r"[a-z0-9._-]{1,32}")


class FrameKind(IntEnum):
    SETTINGS = 1
    SPAWN = 2
    READY = 3
    FAILED = 4
    ENDED = 5
    EXAMINE = 6
    HERE = 7
    FOUND = 8
    DONE = 9
    LOOK_UP = 10
    UPDATE = 11
    TAKEN = 12
    ANSWER = 13


@dataclass(frozen=True, slots=True)
class Frame:
    """payload: what msgpack made of it (lists, dicts, str, bytes, int, float, bool, None); check before use."""

    kind: FrameKind
    number: int
    payload: object


@dataclass(frozen=True, slots=True)
class WholeFile:
    """A file that was hashed as it passed by. size: bytes."""

    digests: Digests
    size: int


@dataclass(frozen=True, slots=True)
class Update:
    """A state of the hash lists, for children to take over. packed: as `crawler.match.live` has it, opaque here."""

    number: int
    packed: bytes = field(repr=False)


CLEAN = Examination(True)
"""What is said of nearly every image; travels as nothing at all."""


def encode(kind: FrameKind, number: int = 0, payload: object = None) -> bytes:
    """One packet. The caller keeps the payload below MAX_FRAME."""
    return _HEADER.pack(VERSION, kind, number) + packed(payload)


def decode(packet: bytes) -> Frame | Rejected:
    """Raises nothing: a packet that is not a frame of this version is Rejected."""
    if not _HEADER.size < len(packet) <= MAX_FRAME:
        return Rejected("frame length")
    version, kind, number = _HEADER.unpack_from(packet)
    if version != VERSION:
        return Rejected("frame version")
    try:
        return Frame(FrameKind(kind), number, msgpack.unpackb(packet[_HEADER.size :], strict_map_key=True))
    except (ValueError, TypeError, RecursionError):  # all that msgpack raises derives from these
        return Rejected("frame payload")


def pack_found(found: FoundImage) -> list[object]:
    matches = [
        [match.entry, match.algorithm, match.distance, match.threshold, match.transform, match.benign]
        for match in found.matches[:MAX_MATCHES]
    ]
    return [found.sha256, found.md5, found.size, found.width, found.height, found.quality, matches]


def pack_announced(place: int, found: FoundImage) -> list[object]:
    return [place, pack_found(found)]


def unpack_announced(payload: object) -> tuple[int, FoundImage] | Rejected:
    match payload:
        case [int(place), found] if _is_count(place):
            image = unpack_found(found)
            return image if isinstance(image, Rejected) else (place, image)
    return Rejected("found")


def pack_answer(place: int, examination: Examination) -> list[object]:
    found = None if examination.found is None else pack_found(examination.found)
    return [place, examination.decoded, examination.reason, examination.partial, found]


def unpack_answer(payload: object) -> tuple[int, Examination] | Rejected:
    """The place of an image in its order, and what is said of it."""
    match payload:
        case [int(place), bool(decoded), reason, bool(partial), found] if _is_count(place):
            image = None if found is None else unpack_found(found)
            if isinstance(image, Rejected):
                return image
            if decoded != (reason is None) or not (reason is None or _is_text(reason, _REASON)):
                return Rejected("reason")
            text = reason if isinstance(reason, str) else None
            return place, Examination(decoded, text, partial, image)
    return Rejected("answer")


def unpack_lengths(payload: object, room: int) -> list[int] | Rejected:
    """Bytes of the images of an order, which together fit into `room` bytes."""
    match payload:
        case [*lengths] if lengths and all(isinstance(each, int) and _is_count(each) for each in lengths):
            found = [each for each in lengths if isinstance(each, int)]
            return found if sum(found) <= room else Rejected("lengths")
    return Rejected("lengths")


def pack_file(file: WholeFile) -> list[object]:
    return [file.digests.md5, file.digests.sha1, file.digests.sha256, file.size]


def unpack_file(payload: object) -> WholeFile | Rejected:
    match payload:
        case [bytes(md5), bytes(sha1), bytes(sha256), int(size)]:
            if (len(md5), len(sha1), len(sha256)) == (16, 20, 32) and _is_count(size):
                return WholeFile(Digests(md5, sha1, sha256), size)
    return Rejected("file")


def unpack_found(payload: object) -> FoundImage | Rejected:
    match payload:
        case [bytes(sha256), bytes(md5), int(size), width, height, quality, list(rows)]:
            if len(sha256) != 32 or len(md5) != 16 or not 0 < len(rows) <= MAX_MATCHES or not _is_count(size):
                return Rejected("found")
            matches = [_unpack_match(row) for row in rows]
            kept = tuple(match for match in matches if isinstance(match, RowMatch))
            sizes = [value for value in (width, height, quality) if value is None or isinstance(value, int)]
            if (
                len(kept) != len(matches)
                or len(sizes) != 3
                or not all(size is None or _is_count(size) for size in sizes)
            ):
                return Rejected("found")
            return FoundImage(sha256, md5, size, sizes[0], sizes[1], sizes[2], kept)
    return Rejected("found")


def unpack_failure(payload: object) -> tuple[str, str]:
    """The class name and the message of a FAILED frame, cut to one readable line."""
    match payload:
        case [str(name), str(message)]:
            return name[:64], " ".join(message.split())[:500]
    return "SandboxUnavailable", "a sandbox process failed and did not say why"


def _unpack_match(row: object) -> RowMatch | Rejected:
    match row:
        case [int(entry), str(algorithm), int(distance), int(threshold), str(transform), bool(benign)]:
            numbers_fit = _is_count(entry) and 0 <= distance <= _FARTHEST and 0 <= threshold <= _FARTHEST
            if numbers_fit and _is_text(algorithm, _ALGORITHM) and _is_text(transform, _TRANSFORM):
                return RowMatch(entry, algorithm, distance, threshold, transform, benign)
    return Rejected("match")


def _is_text(value: object, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
