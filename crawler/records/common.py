"""What every stage speaks of: kinds of URLs, runs, and why there is no value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a URL in the frontier is for. Images travel on the image lane, everything else on the page lane.

    PART is in no queue: it is what the script of a page asks for while the page is rendered.
    """

    PAGE = "page"
    IMAGE = "image"
    ROBOTS = "robots"
    SHEET = "sheet"
    FEED = "feed"
    SWEEP = "sweep"
    RECHECK = "recheck"
    PART = "part"

    @property
    def on_image_lane(self) -> bool:
        return self is Kind.IMAGE


@dataclass(frozen=True, slots=True)
class Rejected:
    """In place of a value: why there is none. `reason` is a short stable name that counters use."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RunId:
    """One numbered run of a campaign. `number` counts from 1."""

    campaign: str
    number: int

    def __str__(self) -> str:
        return f"{self.campaign}#{self.number}"
