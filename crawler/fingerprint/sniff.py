"""What a file is, by its first bytes. Names and headers are not believed."""

from __future__ import annotations

import re

SIGNATURES = (
    ("JPEG", b"\xff\xd8\xff"),
    ("PNG", b"\x89PNG\r\n\x1a\n"),
    ("GIF", b"GIF87a"),
    ("GIF", b"GIF89a"),
    ("JXL", b"\xff\x0a"),
    ("JXL", b"\x00\x00\x00\x0cJXL \r\n\x87\n"),
    ("jpeg2000", b"\x00\x00\x00\x0cjP  \r\n\x87\n"),
    ("tiff", b"II*\x00"),
    ("tiff", b"MM\x00*"),
    ("icon", b"\x00\x00\x01\x00"),
    ("psd", b"8BPS"),
    ("video", b"\x1aE\xdf\xa3"),
    ("video", b"FLV\x01"),
    ("video", b"OggS"),
    ("video", b"\x00\x00\x01\xba"),
    ("video", b"\x00\x00\x01\xb3"),
    ("video", b"0&\xb2u\x8ef\xcf\x11"),
)
BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"mif1": "HEIF", b"msf1": "HEIF", b"heic": "HEIF", b"heix": "HEIF"}
BRANDS |= {b"heim": "HEIF", b"heis": "HEIF", b"hevc": "HEIF", b"hevx": "HEIF"}
BMP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
SVG = re.compile(rb"\s*(?:<\?xml[^>]*>|<!--.*?-->|<!DOCTYPE\s+svg[^>]*>|\s)*<svg[\s/>]", re.DOTALL | re.IGNORECASE)
HEAD = 1024


def sniff(data: bytes | memoryview) -> str | None:
    """Pillow's name of an image format (upper case), a kind that is never decoded (lower case), or None.

    data: the whole file or at least its first kilobyte.
    """
    head = bytes(data[:HEAD])
    for name, signature in SIGNATURES:
        if head.startswith(signature):
            return name
    if head[:4] == b"RIFF":
        return {b"WEBP": "WEBP", b"AVI ": "video"}.get(head[8:12])
    if head[4:8] == b"ftyp":
        return iso_media(head)
    return by_content(head)


def by_content(head: bytes) -> str | None:
    """The formats whose first bytes alone do not tell."""
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in BMP_HEADERS:
        return "BMP"
    if b"%PDF-" in head:
        return "pdf"
    if SVG.match(head.removeprefix(b"\xef\xbb\xbf")):
        return "svg"
    return None


def iso_media(head: bytes) -> str:
    """AVIF and HEIF by the brands of their `ftyp` box, else a video (MP4, QuickTime and the like)."""
    length = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, length - 3, 4))]
    found = [BRANDS[brand] for brand in brands if brand in BRANDS]
    if "AVIF" in found:
        return "AVIF"
    return found[0] if found else "video"


def looks_cut_off(name: str, data: bytes | memoryview) -> bool:
    """Whether a file of this format ends before its own end mark, or before the length that it states."""
    if name == "JPEG":
        return b"\xff\xd9" not in bytes(data[-HEAD:])
    if name == "PNG":
        return b"IEND" not in bytes(data[-HEAD:])
    if name == "GIF":
        return not bytes(data[-HEAD:]).rstrip(b"\0\r\n ").endswith(b";")
    if name == "WEBP":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    if name == "BMP":
        return int.from_bytes(data[2:6], "little") > len(data)
    return False


def webp_size(data: bytes | memoryview) -> tuple[int, int] | None:
    """(width, height) that a WebP file declares, in pixels. Its decoder reserves the canvas when the file is opened."""
    head = bytes(data[:30])
    if head[12:16] == b"VP8X" and len(head) >= 30:
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if head[12:16] == b"VP8L" and len(head) >= 25:
        packed = int.from_bytes(head[21:25], "little")
        return 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
    if head[12:16] == b"VP8 " and len(head) >= 30:
        return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    return None


def gif_frames(data: bytes | memoryview, limit: int) -> int:
    """The frames of a GIF, counted without decoding any, up to `limit`."""
    view = memoryview(data)
    if len(view) < 13:
        return 0
    at = 13 + table_bytes(view[10])
    count = 0
    while at < len(view) and count < limit:
        kind = view[at]
        if kind == 0x21:
            at += 2
        elif kind == 0x2C and at + 10 < len(view):
            count += 1
            at += 11 + table_bytes(view[at + 9])
        else:
            break
        while at < len(view) and view[at]:
            at += 1 + view[at]
        at += 1
    return count


def table_bytes(flags: int) -> int:
    """Bytes of the colour table that these flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
