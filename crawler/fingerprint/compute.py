"""Bytes in, fingerprint out; and the evidence: one code again, in the reference's own way on a full decode."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from crawler.fingerprint.bands import axes, margin
from crawler.fingerprint.borders import inner_box
from crawler.fingerprint.decode import decode, prepare
from crawler.fingerprint.exact import digests
from crawler.fingerprint.options import DEFAULT_OPTIONS, FingerprintOptions
from crawler.fingerprint.pdq import Hashed, hashes, is_squeezed
from crawler.fingerprint.phash import phash, rough_phash
from crawler.fingerprint.reference import reference_pdq
from crawler.fingerprint.transforms import TRANSPOSED, UPRIGHT, Transform, after, parse_transform
from crawler.fingerprint.views import Decoded, Uint8s, View
from crawler.records import Code, Digests, Fingerprint, Rejected

WANTED = {"none": (0,), "mirror": (0, 1), "all": tuple(range(8))}
MIRROR = 1


@dataclass(frozen=True, slots=True)
class Undecodable:
    """An image of which only the bytes could be fingerprinted. `reason` as in `decode.py`."""

    digests: Digests
    reason: str
    detail: str = ""


def fingerprint(data: bytes | memoryview, options: FingerprintOptions = DEFAULT_OPTIONS) -> Fingerprint | Undecodable:
    """Digests, PDQ codes and pHash of an image file. Never raises for any content of `data`.

    A JPEG is hashed from its luma plane, at a reduced scale where its short side stays at 512 pixels or more: its codes
    are for screening, and `reference_code` gives the evidence. Codes of other formats come from a full decode.
    No two codes are equal: of several transforms with the same code the first is kept.
    """
    found = digests(data)
    decoded = decode(data, options)
    if isinstance(decoded, Rejected):
        return Undecodable(found, decoded.reason, decoded.detail)
    codes: dict[bytes, Code] = {}
    for code in all_codes(decoded, options):
        codes.setdefault(code.value, code)
    grey = decoded.views[0].grey
    return Fingerprint(
        digests=found,
        format=decoded.format,
        width=decoded.width,
        height=decoded.height,
        frames=decoded.frames,
        codes=tuple(codes.values()),
        phash=phash(grey) if decoded.full else rough_phash(grey),
        partial=decoded.partial,
    )


def all_codes(decoded: Decoded, options: FingerprintOptions) -> Iterator[Code]:
    """Every code of every view, the plain one first."""
    turns = wanted_turns(decoded.orientation, options)
    height, width, scale = decoded.height, decoded.width, decoded.scale
    for view in decoded.views:
        plain = hashes(view.pixels, turns, scale=scale, size=(height, width))
        yield from named(plain, Transform(view.frame, view.on_white), turns)
        box = inner_box(view.grey)
        if box is not None:
            whole = box.enlarged(scale, height, width)
            inner = hashes(box.cut(view.pixels), turns, scale=scale, size=whole.size)
            yield from named(inner, Transform(view.frame, view.on_white, trimmed=True), turns)
    first = decoded.views[0]
    for share in options.uncropped:
        grown = hashes(first.pixels, turns, scale=scale, size=(height, width), grown=share)
        yield from named(grown, Transform(uncropped=share), turns)


def wanted_turns(exif: int, options: FingerprintOptions) -> dict[int, tuple[bool, int]]:
    """Orientation to compute -> how to name it: whether upright as EXIF says, and turned how after that."""
    turns = {each: (False, each) for each in WANTED[options.orientations]}
    for each in WANTED[options.orientations]:
        if UPRIGHT[exif]:
            turns.setdefault(after(UPRIGHT[exif], each), (True, each))
    return turns


def named(found_here: list[Hashed], base: Transform, turns: dict[int, tuple[bool, int]]) -> Iterator[Code]:
    """The codes with the names of their transforms: `base`, turned and squeezed."""
    for found in found_here:
        exif, turn = turns[found.orientation]
        name = replace(base, exif=exif, orientation=turn, squeezed=found.squeezed)
        yield Code(found.value, found.quality, str(name))


def reference_code(
    data: bytes | memoryview, transform: str, options: FingerprintOptions = DEFAULT_OPTIONS
) -> Code | Rejected:
    """The code of one transform on a full decode, bit by bit as the reference computes it.

    transform: as `fingerprint` named it. Rejected: as `decode.py` lists, or "unknown-transform", or "no-such-view" when
    the image has no such frame, transparency or border.
    """
    wanted = parse_transform(transform)
    if wanted is None:
        return Rejected("unknown-transform", transform)
    decoded = decode(data, options, full=True, only_frame=wanted.frame)
    if isinstance(decoded, Rejected):
        return decoded
    view = view_in(decoded, wanted)
    if view is None:
        return Rejected("no-such-view", transform)
    pixels = view.pixels
    if wanted.trimmed:
        # The border is where the fast path saw it: on a colour decode it can lie a pixel off, or fall short of one.
        screened = decode(data, options, only_frame=wanted.frame)
        seen = None if isinstance(screened, Rejected) else view_in(screened, wanted)
        box = inner_box(seen.grey) if seen else None
        if isinstance(screened, Rejected) or box is None:
            return Rejected("no-such-view", transform)
        pixels = box.enlarged(screened.scale, decoded.height, decoded.width).cut(pixels)
    if wanted.uncropped:
        pixels = grown_by(pixels, wanted.uncropped)
    if wanted.exif:
        pixels = turned(pixels, UPRIGHT[decoded.orientation])
    pixels = turned(pixels, wanted.orientation)
    if wanted.squeezed and is_squeezed(*pixels.shape[:2]):
        pixels = squeezed(pixels)
    value, quality = reference_pdq(pixels)
    return Code(value, quality, transform)


def view_in(decoded: Decoded, wanted: Transform) -> View | None:
    """The view that a transform starts from (the decoded frames are those that it asked for)."""
    return next((each for each in decoded.views if each.on_white == wanted.on_white), None)


def reference_phash(data: bytes | memoryview, options: FingerprintOptions = DEFAULT_OPTIONS) -> bytes | Rejected:
    """The pHash (8 bytes) of the first frame on a full decode, as imagehash computes it."""
    decoded = decode(data, options, full=True, only_frame=0)
    return decoded if isinstance(decoded, Rejected) else phash(decoded.views[0].grey)


def turned(pixels: Uint8s, orientation: int) -> Uint8s:
    """The image in another orientation (an index into ORIENTATIONS)."""
    if orientation & 1:
        pixels = pixels[:, ::-1]
    if orientation & 2:
        pixels = pixels[::-1]
    if orientation & TRANSPOSED:
        pixels = pixels.swapaxes(0, 1)
    return pixels


def grown_by(pixels: Uint8s, share: int) -> Uint8s:
    """The image with its outermost pixels repeated, as if `share` percent of either axis had been cut away evenly."""
    down, across = margin(pixels.shape[0], share), margin(pixels.shape[1], share)
    return np.pad(pixels, ((down, down), (across, across)) + ((0, 0),) * (pixels.ndim - 2), mode="edge")


def squeezed(pixels: Uint8s) -> Uint8s:
    """The image resized to 512 x 512 with nearest neighbours, as the reference's command-line tool does it."""
    height, width = pixels.shape[:2]
    return np.ascontiguousarray(
        pixels[np.ix_(axes(height, squeezed=True).straight, axes(width, squeezed=True).straight)]
    )


def warm() -> None:
    """Load every kernel (compiling those that are not cached), run each once, and prepare Pillow.

    The kernels were compiled or loaded when this module was imported; call this before a sandbox closes itself in.
    """
    prepare()
    rows, columns = np.indices((600, 560))
    grey = ((rows * 3 + columns * 2) % 251).astype(np.uint8)
    colour = np.ascontiguousarray(np.repeat(grey[:, :, None], 3, axis=2))
    hashes(grey, range(8))
    hashes(colour, range(8))
    phash(grey)
    rough_phash(grey)
    inner_box(grey)
    reference_pdq(colour)
