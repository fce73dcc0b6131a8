"""How far the codes of a JPEG's luma plane can be from those of a full decode, and so which of them are computed again.

The reference takes the luma of RGB. Two things lie between that and the file's own, which its luma plane does not show:
red, green and blue are rounded, which leaves a bias of up to half a grey value wherever the colour is even, and what
falls outside 0..255 is clipped, which takes whole grey values of luma away or adds them. Coarse quantization of the
chroma does the second on any photograph, and in a thumbnail nothing averages it out (figures: ADR 0043).

So small and coarse files are decoded in colour at once, which costs a thumbnail next to nothing. Of the others those
are hashed again in colour of which more than BITS_ALLOWED coefficients are within the possible error of the median.
That error is a measure of what was seen and no bound of what can be: a bound would have to know the chroma, which is
what is saved.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

SMALL: Final = 40_000
"""Pixels up to which the decode in colour costs some hundredths of a millisecond more than that of the luma plane."""

AVERAGED: Final = 160_000
"""Pixels from which a sample is the mean of so many that what is clipped counts for less."""

COARSE: Final = 100.0
"""Mean step of the coarsest quantization table; that of quality 43 in the tables of T.81, annex K."""

BIAS: Final = 0.05
SHARE: Final = 0.0025
"""What counts as the possible error of a coefficient: a constant for the rounding, and a share of the mean step.
"""

LEAST_QUALITY: Final = 40
"""Codes of less are looked up by nobody: PDQ asks for 50, and a fast code's quality is less than 10 off."""


def possible_error(step: float | None) -> float:
    """By how much a coefficient of a large luma plane may be off against the median; infinite: there is no saying.

    step: mean step of the coarsest quantization table; None when it cannot be read.
    """
    return math.inf if step is None or step > COARSE else BIAS + SHARE * step


def times(pixels: int) -> float:
    """How many times that for a plane, or the part of it that is hashed, of so many pixels."""
    if pixels <= SMALL:
        return math.inf
    return 1.0 if pixels >= AVERAGED else 1.5


def in_doubt(codes: Iterable[tuple[float, int, int]], error: float) -> bool:
    """Whether any code of use may be more than BITS_ALLOWED bits off.

    codes: margin, quality, and pixels that were hashed.  error: by `possible_error`; 0 for what is exact.
    """
    return error > 0.0 and any(
        margin <= error * times(pixels) for margin, quality, pixels in codes if quality >= LEAST_QUALITY
    )
