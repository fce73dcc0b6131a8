"""What is fingerprinted and how much may be spent on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DEFAULT_FORMATS = frozenset({"JPEG", "PNG", "GIF", "WEBP", "BMP"})
EXTRA_FORMATS = frozenset({"AVIF", "HEIF", "JXL"})


@dataclass(frozen=True, slots=True)
class FingerprintOptions:
    """Bounds and variants of one fingerprint.

    orientations: "none", "mirror" (as is and left-right) or "all" (eight).
    max_bytes: bytes of a file.
    max_pixels: pixels of one frame as the file declares them, at most Pillow's own bound of 89,478,485.
    max_frames: frames of an animation that are decoded (later ones are counted, not looked at).
    sampled_frames: frames of an animation that are hashed, first and last included.
    uncropped: percents, 1 to 50. For each, the first frame is hashed also as if that much of either axis had been cut
    away evenly, with the outermost pixels repeated in its place. It finds evenly cropped copies, at the price of as
    many codes to search again for each.
    formats: what is decoded, of DEFAULT_FORMATS and EXTRA_FORMATS; an extra also needs a Pillow that can read it.
    reduce_above: pixels above which a JPEG is decoded at 1/2, 1/4 or 1/8, as long as its short side keeps 512; none of
    what `max_pixels` lets in. It saves little, barely moves the code of the image as is, but blurs the single pixels
    that the 512 convention picks: grain then costs any number of bits.
    full_decode: decode JPEG in colour and at full size too. Slower; PDQ and pHash are then those of the references.
    """

    orientations: Literal["none", "mirror", "all"] = "mirror"
    max_bytes: int = 33_554_432
    max_pixels: int = 67_108_864
    max_frames: int = 64
    sampled_frames: int = 5
    uncropped: tuple[int, ...] = ()
    formats: frozenset[str] = DEFAULT_FORMATS
    reduce_above: int = 67_108_864
    full_decode: bool = False


DEFAULT_OPTIONS = FingerprintOptions()
