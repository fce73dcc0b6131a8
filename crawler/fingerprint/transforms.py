"""Names for what was done to an image before it was hashed.

A transform reads in the order in which it is applied: "frame-12+on-white+trimmed+uncropped-5+exif+mirror+512". The one
that does nothing is "none". What a cut is called stands in `cuts.py`: "uncropped-5", "uncropped-4-left".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from crawler.fingerprint.cuts import SIDES, Cut

# Index: bit 0 mirrors left-right, bit 1 flips top-bottom, bit 2 transposes after that. Turns are counter-clockwise.
ORIENTATIONS = ("none", "mirror", "flip", "rot180", "transpose", "rot90", "rot270", "transverse")
TRANSPOSED = 4

# What has to be done to an image that is stored with this EXIF orientation, to show it upright.
UPRIGHT = {1: 0, 2: 1, 3: 3, 4: 2, 5: 4, 6: 6, 7: 7, 8: 5}

SQUEEZED = "512"
SHAPE = re.compile(
    r"(?:frame-(?P<frame>[1-9][0-9]{0,5})(?:\+|$))?(?P<white>on-white(?:\+|$))?(?P<trimmed>trimmed(?:\+|$))?"
    r"(?:uncropped-(?P<share>[1-9][0-9]?)(?:-(?P<sides>[a-z]+(?:-[a-z]+)?))?(?:\+|$))?"
    r"(?P<exif>exif(?:\+|$))?(?:(?P<turn>mirror|flip|rot180|transpose|rot90|rot270|transverse)(?:\+|$))?(?P<squeezed>512$)?"
)


@dataclass(frozen=True, slots=True)
class Transform:
    """One combination.

    frame: number of the frame, from 0.  uncropped: what is taken to have been cut away, None for nothing.
    orientation: index into ORIENTATIONS, after `exif`.
    """

    frame: int = 0
    on_white: bool = False
    trimmed: bool = False
    uncropped: Cut | None = None
    exif: bool = False
    orientation: int = 0
    squeezed: bool = False

    def __str__(self) -> str:
        parts = [
            f"frame-{self.frame}" if self.frame else "",
            "on-white" if self.on_white else "",
            "trimmed" if self.trimmed else "",
            f"uncropped-{self.uncropped}" if self.uncropped else "",
            "exif" if self.exif else "",
            ORIENTATIONS[self.orientation] if self.orientation else "",
            SQUEEZED if self.squeezed else "",
        ]
        return "+".join(part for part in parts if part) or "none"


def parse_transform(text: str) -> Transform | None:
    """The inverse of `str(Transform)`. None when `text` is not such a name."""
    if text == "none":
        return Transform()
    found = SHAPE.fullmatch(text)
    if not found or not text or text.endswith("+") or (found["sides"] or "") not in SIDES:
        return None
    return Transform(
        frame=int(found["frame"] or 0),
        on_white=bool(found["white"]),
        trimmed=bool(found["trimmed"]),
        uncropped=Cut(int(found["share"]), found["sides"] or "") if found["share"] else None,
        exif=bool(found["exif"]),
        orientation=ORIENTATIONS.index(found["turn"]) if found["turn"] else 0,
        squeezed=bool(found["squeezed"]),
    )


def after(first: int, second: int) -> int:
    """The orientation that equals `first` followed by `second`."""
    mirror, flip = second & 1, second >> 1 & 1
    if first & TRANSPOSED:
        mirror, flip = flip, mirror
    return first ^ (mirror | flip << 1 | second & TRANSPOSED)
