"""What counts as near. Apart from the matcher, because who only passes these on need not load the compiled search."""

from __future__ import annotations

from dataclasses import dataclass

MOST_RADIUS = 63
"""Bits; the widest search. Up to here at most three bits of a half have to be flipped."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Distances in bits, quality 0 to 100.

    screen_margin: how much further than `pdq_distance` a fast code may lie from an entry and still be looked at again:
    more than the error of fast codes.
    quality_margin: how much poorer than `min_quality` a fast code may be and still be looked up: more than a fast code
    and its evidence differ by. Poorer ones can match nothing.
    resemblance: pHash distance at which an image that PDQ has not found is tried once more with guesses at what was cut
    away from it; PDQ decides on these too. 0 to 11; below 0 it is never done.
    """

    pdq_distance: int = 31
    phash_distance: int = 4
    min_quality: int = 50
    screen_margin: int = 10
    quality_margin: int = 10
    resemblance: int = 8

    @property
    def screen_distance(self) -> int:
        return min(self.pdq_distance + self.screen_margin, MOST_RADIUS)
