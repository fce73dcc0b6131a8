"""Images of one order, examined one after the other but for the search, which takes the codes of all in one batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol, TypeVar

from crawler.records import Digests, Examination, FoundImage
from crawler.sandbox.protocol import WholeFile

Announce = Callable[[FoundImage], None]
"""Called as soon as the digests of an image match, before anything is decoded."""

Case = TypeVar("Case")


class Examines(Protocol[Case]):
    """What a child does with images; `examine.Examiner` is the one. Case: an image that has been fingerprinted."""

    def digest(self, bodies: Sequence[memoryview]) -> Sequence[Digests]:
        """The digests of all of them, in their order."""
        ...

    def begin(self, data: memoryview, found: Digests, announce: Announce) -> Examination | Case:
        """Fingerprint; an `Examination` when nothing is left to do. found: the digests of `data`."""
        ...

    def screen(self, cases: Sequence[Case]) -> None:
        """Search the codes of all of them, and note in each what came near."""
        ...

    def end(self, case: Case) -> Examination:
        """Evidence and decision, after `screen`."""
        ...

    def wipe(self) -> None:
        """Leave nothing of the images that were begun."""
        ...

    def look_up(self, file: WholeFile) -> Examination:
        """Of a file that nobody looks into."""
        ...

    def update(self, packed: bytes) -> None:
        """Take over another state of the hash lists. Raises VangnetError when it cannot: nothing is examined then."""
        ...

    def rehearse(self) -> None:
        """Raises SandboxUnavailable when what worked in the zygote does not any more."""
        ...


def examine_together(
    examiner: Examines[Case], bodies: Sequence[memoryview], announce: Callable[[int, FoundImage], None]
) -> Iterator[tuple[int, Examination]]:
    """(place, what is said of the image there), of each of `bodies` once. announce: is called with the place too.

    An image that raises something is an outcome, for itself alone. What is done to all at once, the digests and the
    search of several, lets through what it raises: whoever gave the order finds out which image it is by giving each
    alone.
    """
    told: dict[int, FoundImage] = {}

    def tell(place: int, found: FoundImage) -> None:
        told[place] = found
        announce(place, found)

    cases: dict[int, Case] = {}
    for place, (data, found) in enumerate(zip(bodies, examiner.digest(bodies), strict=True)):
        begun = _outcome(partial(examiner.begin, data, found, partial(tell, place)), told, place)
        if isinstance(begun, Examination):
            yield place, begun
        else:
            cases[place] = begun
    if len(cases) > 1:
        examiner.screen(list(cases.values()))
    for place, case in cases.items():
        yield place, _outcome(partial(_ended, examiner, case, screened=len(cases) > 1), told, place)


def _ended(examiner: Examines[Case], case: Case, *, screened: bool) -> Examination:
    if not screened:
        examiner.screen([case])
    return examiner.end(case)


Result = TypeVar("Result")


def _outcome(step: Callable[[], Result], told: dict[int, FoundImage], place: int) -> Result | Examination:
    try:
        return step()
    except MemoryError:
        return Examination(False, "memory", found=told.get(place))
    except Exception as error:  # noqa: BLE001 - a decoder may raise anything on hostile bytes; all of it is an outcome
        return Examination(False, f"failed({type(error).__name__})", found=told.get(place))
