"""What workers report to the recorder, and what may leave."""

from __future__ import annotations

from dataclasses import dataclass

from crawler.records.common import RunId
from crawler.records.examined import FoundImage


@dataclass(frozen=True, slots=True)
class HitReport:
    """What a worker reports to the recorder about one matching image at one URL.

    serial: unique per report, the same at every delivery of it; a second one with this serial changes nothing.
    index: sha256 (hex) of the index file, with "+" and the number of the state of the lists when there was one.
    """

    serial: str
    run: RunId
    image_url: str
    page_url: str | None
    redirects: tuple[str, ...]
    found_at: float
    address: str
    index: str
    found: FoundImage


@dataclass(frozen=True, slots=True)
class RecheckReport:
    """What a worker reports to the recorder about one visit of a URL that stands in a notice.

    serial: as in HitReport.  target: the URL that was to be visited.  url: the one that answered, after redirects.
    answer: "image", "page", or a short stable name of what came instead, such as "http-404", "robots", "dns-nxdomain".
    found: the listed images in the answer; what does not match is not in here, by no digest and no code.
    look: the image was missed at its own URL; target is the page that showed it, and url that page, or an image on it.
    """

    serial: str
    run: RunId
    target: str
    url: str
    checked_at: float
    address: str
    index: str
    answer: str
    found: tuple[FoundImage, ...] = ()
    look: bool = False


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What the owner of a hash list lets a notice say about a match. Nothing, unless the list's manifest says so.

    digest: the image's digests.  code: perceptual codes.  list_name: the list and its entry.  distance: distance,
    threshold and algorithm of the match.
    """

    digest: bool = False
    code: bool = False
    list_name: bool = False
    distance: bool = False
