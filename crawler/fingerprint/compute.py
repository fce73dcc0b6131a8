"""Bytes in, fingerprint out; and the evidence: one code again, in the reference's own way on a full decode."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from crawler.fingerprint.bands import axes
from crawler.fingerprint.borders import Box, inner_box
from crawler.fingerprint.cuts import USUAL, Cut
from crawler.fingerprint.decode import decode, prepare
from crawler.fingerprint.doubt import SMALL
from crawler.fingerprint.exact import digests
from crawler.fingerprint.options import DEFAULT_OPTIONS, FingerprintOptions
from crawler.fingerprint.pdq import Hashed, hashes, is_squeezed
from crawler.fingerprint.phash import averaged, phash, rough_phash
from crawler.fingerprint.reference import reference_pdq
from crawler.fingerprint.scratch import NOTHING_KEPT, Scratch
from crawler.fingerprint.transforms import TRANSPOSED, UPRIGHT, Transform, after, parse_transform
from crawler.fingerprint.views import Decoded, Uint8s, View
from crawler.records import Code, Digests, Fingerprint, Rejected

WANTED = {"none": (0,), "mirror": (0, 1), "all": tuple(range(8))}

# A second look tries many guesses, each of which reads all pixels.
LOOK_PIXELS, LOOK_SHORT, LOOK_MOST = 1_500_000, 384, 4_000_000


@dataclass(frozen=True, slots=True)
class Undecodable:
    """An image of which only the bytes could be fingerprinted. `reason` as in `decode.py`."""

    digests: Digests
    reason: str
    detail: str = ""


def fingerprint(
    data: bytes | memoryview,
    options: FingerprintOptions = DEFAULT_OPTIONS,
    known: Digests | None = None,
    scratch: Scratch = NOTHING_KEPT,
) -> Fingerprint | Undecodable:
    """Digests, PDQ codes and pHash of an image file. Never raises for any content of `data`.

    known: the digests of `data`, where they have been computed already.  scratch: memory to work in.
    A JPEG is hashed from its luma plane, unless codes could be more than BITS_ALLOWED bits off then (`doubt.py`): they
    are for screening, and `reference_code` gives the evidence. Codes of other formats come from a full decode.
    No two codes are equal: of several transforms with the same code the first is kept.
    """
    found = known or digests(data)
    decoded = decode(data, options, scratch=scratch)
    if isinstance(decoded, Rejected):
        return Undecodable(found, decoded.reason, decoded.detail)
    grey = decoded.views[0].grey
    boxes = [inner_box(view.grey) for view in decoded.views]
    seen = in_colour(data, decoded, options) if is_little_left(decoded, boxes) else decoded
    return Fingerprint(
        digests=found,
        format=decoded.format,
        width=decoded.width,
        height=decoded.height,
        frames=decoded.frames,
        codes=distinct(all_codes(seen, boxes, options, scratch)),
        phash=phash(grey) if decoded.full else rough_phash(grey),
        partial=decoded.partial,
    )


def uncropped_codes(
    data: bytes | memoryview, options: FingerprintOptions = DEFAULT_OPTIONS, cuts: tuple[Cut, ...] = USUAL
) -> tuple[Code, ...] | Rejected:
    """The codes that the first frame would have if one of `cuts` had been made in it, for screening.

    Each cut costs about as much as all of the usual codes, and has as many to search: this is for an image that there
    is a reason to look at again. Large images are looked at reduced; there are no codes for one that is so long and
    narrow that it would still have more than LOOK_MOST pixels. Rejected: as `decode.py` lists.
    """
    decoded = decode(data, replace(options, reduce_above=min(options.reduce_above, LOOK_PIXELS)), only_frame=0)
    if isinstance(decoded, Rejected):
        return decoded
    scale, pixels = decoded.scale, decoded.views[0].grey
    if scale == 1:
        scale, pixels = reduced(pixels)
    if pixels.size > LOOK_MOST:
        return ()
    turns, size = wanted_turns(decoded.orientation, options), (decoded.height, decoded.width)
    return distinct(code for cut in cuts for code in cut_codes(pixels, scale, size, cut, turns))


def reduced(grey: Uint8s) -> tuple[int, Uint8s]:
    """A plane at 1, 1/2, 1/4 or 1/8 of its size: above LOOK_PIXELS, as long as its short side keeps LOOK_SHORT."""
    scale = 1
    while scale < 8 and grey.size > LOOK_PIXELS * scale * scale and min(grey.shape) >= 2 * scale * LOOK_SHORT:
        scale *= 2
    return (scale, grey) if scale == 1 else (scale, averaged(grey, scale))


def distinct(codes: Iterable[Code]) -> tuple[Code, ...]:
    """Without those whose value stands before them."""
    first: dict[bytes, Code] = {}
    for code in codes:
        first.setdefault(code.value, code)
    return tuple(first.values())


def is_little_left(decoded: Decoded, boxes: Sequence[Box | None]) -> bool:
    """Whether a border leaves less of a luma plane than may be hashed from it."""
    if decoded.full or decoded.scale > 1:
        return False
    return any(box is not None and box.size[0] * box.size[1] <= SMALL for box in boxes)


def in_colour(data: bytes | memoryview, decoded: Decoded, options: FingerprintOptions) -> Decoded:
    """The same JPEG with its own pixels in place of the luma plane; as it is where they are not to be had."""
    full = decode(data, options, full=True)
    if isinstance(full, Rejected):
        return decoded
    return replace(decoded, views=(replace(decoded.views[0], pixels=full.views[0].pixels),))


def all_codes(
    decoded: Decoded, boxes: Sequence[Box | None], options: FingerprintOptions, scratch: Scratch
) -> Iterator[Code]:
    """Every code of every view, the plain one first. boxes: what is within the border of each."""
    turns = wanted_turns(decoded.orientation, options)
    height, width, scale = decoded.height, decoded.width, decoded.scale
    for view, box in zip(decoded.views, boxes, strict=True):
        plain = hashes(view.pixels, turns, scale=scale, size=(height, width), scratch=scratch)
        yield from named(plain, Transform(view.frame, view.on_white), turns)
        if box is not None:
            whole = box.enlarged(scale, height, width)
            inner = hashes(box.cut(view.pixels), turns, scale=scale, size=whole.size, scratch=scratch)
            yield from named(inner, Transform(view.frame, view.on_white, trimmed=True), turns)
    for share in options.uncropped:
        yield from cut_codes(decoded.views[0].pixels, scale, (height, width), Cut(share), turns)


def cut_codes(
    pixels: Uint8s, scale: int, size: tuple[int, int], cut: Cut, turns: dict[int, tuple[bool, int]]
) -> Iterator[Code]:
    """The codes of a plane with a cut undone. scale, size: as for `hashes`."""
    grown = hashes(pixels, turns, scale=scale, size=size, grown=cut.margins(*size))
    yield from named(grown, Transform(uncropped=cut), turns)


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
        yield Code(found.value, found.quality, name_of(base, turns[found.orientation], found.squeezed))


@lru_cache(maxsize=512)
def name_of(base: Transform, turn: tuple[bool, int], squeezed: bool) -> str:
    """`base`, turned (as in `wanted_turns`) and squeezed. Kept, for nearly all images have the same few."""
    exif, orientation = turn
    return str(replace(base, exif=exif, orientation=orientation, squeezed=squeezed))


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
    # Before the full decode: two of a large image at once may be more than there is memory for.
    box = border(data, wanted, options) if wanted.trimmed else None
    if isinstance(box, Rejected):
        return box
    decoded = decode(data, options, full=True, only_frame=wanted.frame)
    if isinstance(decoded, Rejected):
        return decoded
    view = view_in(decoded, wanted)
    if view is None:
        return Rejected("no-such-view", transform)
    pixels = box.cut(view.pixels) if box else view.pixels
    if wanted.uncropped:
        pixels = grown_by(pixels, wanted.uncropped)
    if wanted.exif:
        pixels = turned(pixels, UPRIGHT[decoded.orientation])
    pixels = turned(pixels, wanted.orientation)
    if wanted.squeezed and is_squeezed(*pixels.shape[:2]):
        pixels = squeezed(pixels)
    value, quality = reference_pdq(pixels)
    return Code(value, quality, transform)


def border(data: bytes | memoryview, wanted: Transform, options: FingerprintOptions) -> Box | Rejected:
    """What is inside the border, in pixels of the full size, where the fast path sees it: on a colour decode it can lie
    a pixel off, or fall short of one."""
    screened = decode(data, options, only_frame=wanted.frame)
    if isinstance(screened, Rejected):
        return screened
    seen = view_in(screened, wanted)
    box = inner_box(seen.grey) if seen else None
    if box is None:
        return Rejected("no-such-view", str(wanted))
    return box.enlarged(screened.scale, screened.height, screened.width)


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


def grown_by(pixels: Uint8s, cut: Cut) -> Uint8s:
    """The image with a cut undone: its outermost pixels are repeated where something is taken to be missing."""
    return np.pad(pixels, cut.margins(*pixels.shape[:2]) + ((0, 0),) * (pixels.ndim - 2), mode="edge")


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
