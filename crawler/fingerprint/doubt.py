"""Which JPEG files are hashed from their colours: their luma plane could give codes that are far from the evidence.

The reference takes the luma of RGB. Two things lie between that and the file's own, which its luma plane does not show:
red, green and blue are rounded, which leaves a bias of up to half a grey value wherever the colour is even, and what
falls outside 0..255 is clipped, which takes whole grey values of luma away or adds them. Coarse quantization of the
chroma does the second on any photograph, and in a thumbnail nothing averages it out (figures: ADR 0043).

So small and coarse files are decoded in colour, which costs a thumbnail next to nothing. This is a measure of what was
seen and no bound of what can be: a bound would have to know the chroma, which is what is saved.
"""

from __future__ import annotations

from typing import Final

BITS_ALLOWED: Final = 8
"""How many bits of a fast code may differ from the code of the full decode."""

SMALL: Final = 40_000
"""Pixels up to which the decode in colour costs some hundredths of a millisecond more than that of the luma plane."""

COARSE: Final = 50.0
"""Mean step of the coarsest quantization table; those of quality 70 and less in the tables of T.81, annex K, are
coarser. All files that were seen to be more than six bits off were among them."""


def needs_colour(pixels: int, step: float | None) -> bool:
    """Whether a luma plane could give codes that are more than BITS_ALLOWED bits off.

    pixels: that are hashed.  step: mean step of the coarsest quantization table; None when it cannot be read.
    """
    return pixels <= SMALL or step is None or step > COARSE
