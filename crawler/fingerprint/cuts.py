"""Guesses at what was cut away from a picture, to undo: the outermost pixels are repeated where something is missing.

PDQ does not survive a crop beyond a percent or two. With the margins put back, however poorly, the rest of the picture
stands where it stood, and its code is near that of the whole again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

Margins = tuple[int, int]
"""Pixels to add before and behind an axis."""

UNCUT: Margins = (0, 0)


class Side(IntEnum):
    """Where along an axis something was cut away."""

    NONE = 0
    BOTH = 1
    START = 2
    END = 3


SIDES: dict[str, tuple[Side, Side]] = {
    "": (Side.BOTH, Side.BOTH),
    "down": (Side.BOTH, Side.NONE),
    "across": (Side.NONE, Side.BOTH),
    "top": (Side.START, Side.NONE),
    "bottom": (Side.END, Side.NONE),
    "left": (Side.NONE, Side.START),
    "right": (Side.NONE, Side.END),
    "top-left": (Side.START, Side.START),
    "top-right": (Side.START, Side.END),
    "bottom-left": (Side.END, Side.START),
    "bottom-right": (Side.END, Side.END),
}
"""Name -> what it means for the rows, and for the columns."""


@dataclass(frozen=True, slots=True)
class Cut:
    """share: percent of an axis, 1 to 99.  sides: a key of SIDES; empty for all four, evenly."""

    share: int
    sides: str = ""

    def __str__(self) -> str:
        return f"{self.share}-{self.sides}" if self.sides else str(self.share)

    def margins(self, height: int, width: int) -> tuple[Margins, Margins]:
        """What to add to the rows and to the columns of what is left."""
        rows, columns = SIDES[self.sides]
        return missing(height, self.share, rows), missing(width, self.share, columns)


def missing(pixels: int, share: int, side: Side) -> Margins:
    """Pixels that are missing before and behind an axis of which `pixels` are left over."""
    if side is Side.NONE:
        return UNCUT
    if side is Side.BOTH:
        each = round(pixels * share / (2 * (100 - share)))
        return each, each
    gone = round(pixels * share / (100 - share))
    return (gone, 0) if side is Side.START else (0, gone)


USUAL = (
    *(Cut(share) for share in (2, 5, 10)),
    *(Cut(2, corner) for corner in ("top-left", "top-right", "bottom-left", "bottom-right")),
    *(Cut(4, side) for side in ("top", "bottom", "left", "right")),
    *(Cut(8, axis) for axis in ("down", "across")),
)
"""What a picture that looks like a listed one is tried with: framed a little tighter, a strip or a corner lost, or made
to fit another shape. One guess serves a range of cuts around it."""
