"""The one door to Pillow: bytes in, bounded planes of pixels out.

Only the formats that are asked for are tried, and only the one that the content shows. What fails is an outcome with a
reason, never an exception:

    not-an-image        no format that we know of
    unsupported(KIND)   known, and not decoded: svg, pdf, video, tiff, avif …
    too-large           more bytes than allowed
    bomb                more pixels or passes over them than allowed, or more memory than there is
    truncated           ends before there is anything to see
    corrupt             the decoder gave up, or the frame that was asked for is not there
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import dataclass

from PIL import AvifImagePlugin, Image, ImageFile
from PIL import _imaging as core

from crawler.fingerprint.doubt import needs_colour
from crawler.fingerprint.flatten import views_of
from crawler.fingerprint.luma import ORIENTATION_TAG, count_pairs, head_of, short_way
from crawler.fingerprint.options import DEFAULT_FORMATS, EXTRA_FORMATS, FingerprintOptions
from crawler.fingerprint.repair import repaired_jpeg, repaired_png
from crawler.fingerprint.scratch import NOTHING_KEPT, Scratch
from crawler.fingerprint.sniff import gif_frames, looks_cut_off, sniff, webp_size
from crawler.fingerprint.views import (
    BLANK,
    FRAMES_COUNTED,
    Decoded,
    View,
    as_seen,
    is_blank,
    reduction,
    sampled_frames,
)
from crawler.records import Rejected

BLOCKS_KEPT = 2

# Each scan of a JPEG goes over the whole image, however short it is. Encoders make up to a dozen.
SCAN = (0xFF, 0xDA)
MOST_SCANS = 256

ANIMATED = frozenset({"GIF", "WEBP", "PNG", "AVIF"})

# One image is one thread's work, and a process that has closed itself in may not start another.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

# Pillow's parsers raise whatever the damage makes them run into.
PARSER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
)
TOO_MUCH = (MemoryError, Image.DecompressionBombError, Image.DecompressionBombWarning)


def prepare() -> None:
    """Load everything of Pillow that decoding can need, and let it keep the memory of the last images (2 x 16 MiB).

    A process that may not open files or ask for memory freely calls this before it gives that up.
    """
    core.set_blocks_max(BLOCKS_KEPT)
    Image.init()
    options = FingerprintOptions(formats=DEFAULT_FORMATS | EXTRA_FORMATS)
    for sample in samples():
        decode(sample, options)
        decode(sample, options, full=True)
        decode(sample[: len(sample) // 2], options)


def samples() -> list[bytes]:
    """A small file of every format that can be written here, in the colour modes that take ways of their own."""
    ramp = Image.linear_gradient("L")
    colour = Image.merge("RGB", (ramp, ramp.rotate(90), ramp.rotate(180)))
    layered = colour.copy()
    layered.putalpha(ramp)
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = 6
    files = [saved(layered, name, exif=exif) for name in ("PNG", "WEBP", "AVIF") if name in Image.SAVE]
    files += [saved(colour, "JPEG", exif=exif), saved(colour.convert("CMYK"), "JPEG"), saved(colour, "BMP")]
    # With a palette that is there: choosing one for so many colours took most of a sandbox's start.
    few = colour.convert("P")
    files += [saved(few, "PNG", transparency=0), saved(ramp.convert("I;16"), "PNG")]
    files.append(saved(few, "GIF", save_all=True, append_images=[ramp.rotate(90).convert("P")]))
    return files


def saved(image: Image.Image, name: str, **how: object) -> bytes:
    """The image as a file, in memory."""
    out = io.BytesIO()
    image.save(out, name, **how)
    return out.getvalue()


def decode(
    data: bytes | memoryview,
    options: FingerprintOptions,
    *,
    full: bool = False,
    only_frame: int | None = None,
    scratch: Scratch = NOTHING_KEPT,
) -> Decoded | Rejected:
    """Decode what `options` allow. Never raises for any content of `data`.

    full: in colour and at full size, also for JPEG.  only_frame: just this frame, rather than first, sampled and last.
    scratch: may lend a luma plane, which is valid as long as it says.
    Pillow's warnings are silenced meanwhile by a process-wide filter: do not decode in several threads at once.
    """
    name = sniff(data)
    if name is None:
        return Rejected("not-an-image")
    refused = refusal(name, data, options)
    if refused is not None:
        return refused
    full = full or options.full_decode
    quick = short_way(data, options, scratch) if name == "JPEG" and not full and not only_frame else None
    if quick is not None:
        return quick
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return Attempt(name, options, full, only_frame).run(data)


def refusal(name: str, data: bytes | memoryview, options: FingerprintOptions) -> Rejected | None:
    """Why a file of a format is not even opened, if so."""
    if name not in options.formats or (name not in DEFAULT_FORMATS and not can_decode(name)):
        return Rejected(f"unsupported({name.lower()})")
    if len(data) > options.max_bytes:
        return Rejected("too-large")
    declared = webp_size(data) if name == "WEBP" else None
    if declared and declared[0] * declared[1] > options.max_pixels:
        return Rejected("bomb")
    if name == "JPEG" and count_pairs(data, *SCAN) > MOST_SCANS:
        return Rejected("bomb")
    return None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One decoding: what is decoded, and how."""

    name: str
    options: FingerprintOptions
    full: bool
    only_frame: int | None

    def run(self, data: bytes | memoryview) -> Decoded | Rejected:
        """Try the file as it is; where that fails, what can be rebuilt from it."""
        try:
            return as_seen(self.decoded(data, partial=False), len(data))
        except TOO_MUCH:
            return Rejected("bomb")
        except PARSER_ERRORS as error:
            first = type(error).__name__
        cut_off = looks_cut_off(self.name, data)
        try:
            rescued = self.rescued(data)
        except TOO_MUCH:
            return Rejected("bomb")
        except PARSER_ERRORS:
            rescued = None
        if rescued is None:
            return Rejected("truncated" if cut_off else "corrupt", first)
        if isinstance(rescued, Decoded) and is_blank(rescued):
            return Rejected("truncated" if cut_off else "corrupt", BLANK)
        return rescued

    def rescued(self, data: bytes | memoryview) -> Decoded | Rejected | None:
        """What is left of a damaged file; None when nothing is."""
        if self.name == "JPEG":
            return self.decoded(repaired_jpeg(data), partial=True)
        if self.name == "PNG":
            found = repaired_png(data, self.options.max_pixels)
            return self.decoded(found[0], partial=found[1]) if found else None
        if self.name in ("GIF", "BMP"):
            return self.decoded(data, partial=True)
        return None

    def decoded(self, data: bytes | memoryview, *, partial: bool) -> Decoded | Rejected:
        """Open, check the size, load. With `partial`, what a failing load leaves behind is used."""
        with Image.open(io.BytesIO(data), formats=[self.name]) as image:
            width, height = image.size
            if width * height > self.options.max_pixels:
                return Rejected("bomb")
            orientation = orientation_of(image)
            scale = 0 if self.full else self.draft(image, data)
            full = scale == 0
            if full and self.name in ANIMATED and not partial:
                frames = self.count_frames(image, data)
                views, partial = self.frames(image, frames, partial)
            else:
                frames = 1
                views = self.still(image, partial)
            if not views:
                return Rejected("corrupt", "no such frame")
        return Decoded(self.name, width, height, frames, orientation, partial, scale or 1, full, tuple(views))

    def draft(self, image: Image.Image, data: bytes | memoryview) -> int:
        """Set a JPEG up to give its luma plane alone, at full size or, above `reduce_above`, at a reduced one.

        Returns by how much it is reduced (1, 2, 4 or 8); 0 when the image has to be decoded in full.
        """
        if self.name != "JPEG" or not isinstance(image, ImageFile.ImageFile) or image.mode not in ("L", "RGB"):
            return 0
        width, height = image.size
        head = head_of(data)
        if image.mode == "RGB" and needs_colour(width * height, head.step if head else None):
            return 0
        scale = reduction(width, height, self.options)
        image.draft("L", (width // scale, height // scale))
        image.decodermaxblock = self.options.max_bytes
        return scale if image.mode == "L" else 0

    def count_frames(self, image: Image.Image, data: bytes | memoryview) -> int:
        """How many frames the file has, without decoding any."""
        found = gif_frames(data, FRAMES_COUNTED) if self.name == "GIF" else int(getattr(image, "n_frames", 1))
        return max(1, min(found, FRAMES_COUNTED))

    def wanted_frames(self, count: int, pixels: int) -> list[int]:
        """The frames to look at: sampled ones, or the only one that was asked for if it is within reach."""
        if self.only_frame is None:
            return sampled_frames(count, pixels, self.options)
        return [self.only_frame] if self.only_frame < min(count, self.options.max_frames) else []

    def frames(self, image: Image.Image, count: int, partial: bool) -> tuple[list[View], bool]:
        """The views of the sampled frames; partial when a later one could not be decoded."""
        views: list[View] = []
        for number in self.wanted_frames(count, image.width * image.height):
            try:
                if count > 1:
                    image.seek(number)
                image.load()
                views += views_of(image, number)
            except PARSER_ERRORS:
                if not views:
                    raise
                return views, True
        return views, partial

    def still(self, image: Image.Image, partial: bool) -> list[View]:
        """The views of a single image. With `partial`, a load that fails keeps the lines that it got."""
        if self.only_frame:
            return []
        try:
            image.load()
        except PARSER_ERRORS:
            if not partial or not isinstance(image, ImageFile.ImageFile):
                raise
            image.tile = []
        return views_of(image, 0)


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 when there is none or it cannot be read."""
    if "exif" not in image.info:
        return 1
    try:
        found = image.getexif().get(ORIENTATION_TAG, 1)
    except PARSER_ERRORS:
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def can_decode(name: str) -> bool:
    """Whether this Pillow reads a format (AVIF, HEIF and JXL depend on how it was built and on plug-ins)."""
    Image.init()
    return name in Image.OPEN


def known_formats(options: FingerprintOptions) -> frozenset[str]:
    """The formats of `options` that can be decoded here."""
    return frozenset(name for name in options.formats if name in DEFAULT_FORMATS or can_decode(name))
