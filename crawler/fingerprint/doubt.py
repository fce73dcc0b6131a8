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
Half as much again below AVERAGED."""

LEAST_QUALITY: Final = 40
"""Codes of less are looked up by nobody: PDQ asks for 50, and a fast code's quality is less than 10 off."""


def possible_error(pixels: int, step: float | None) -> float:
    """By how much a coefficient of the luma plane may be off against the median; infinite: there is no saying.

    step: mean step of the coarsest quantization table; None when it cannot be read.
    """
    if step is None or step > COARSE or pixels <= SMALL:
        return math.inf
    return (BIAS + SHARE * step) * (1.0 if pixels >= AVERAGED else 1.5)


def in_doubt(margins: Iterable[tuple[float, int]], error: float) -> bool:
    """Whether any code of use may be more than BITS_ALLOWED bits off. margins: of each code, with its quality."""
    return error > 0.0 and any(margin <= error and quality >= LEAST_QUALITY for margin, quality in margins)
