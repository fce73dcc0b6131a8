"""What happens to one image inside the sandbox: digests, exact matches, fingerprint, screen, evidence, decision.

Fast codes only screen. Of what they let through, the reference codes are computed on a full decode, and those decide
and are reported. Exact digests decide even when the image cannot be decoded. What does not match leaves no trace but
its digest among the last few thousand, in this process alone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from crawler.errors import SandboxUnavailable
from crawler.fingerprint import compute
from crawler.fingerprint.compute import Undecodable, fingerprint, reference_code, reference_phash
from crawler.fingerprint.decode import can_decode
from crawler.fingerprint.exact import digests
from crawler.fingerprint.options import FingerprintOptions
from crawler.match import search
from crawler.match.index import open_index
from crawler.match.matcher import Matcher, decide
from crawler.records import Examination, Fingerprint, FoundImage, Rejected, RowMatch
from crawler.sandbox.child import Announce, Warm
from crawler.sandbox.samples import SAMPLES
from crawler.sandbox.settings import from_map, limits_of


def no_announcement(found: FoundImage) -> None:
    """For callers outside a sandbox, to whom the answer itself comes soon enough."""


class Examiner:
    """Examines one image after the other; pure but for its memory of the last `remembered` answers."""

    def __init__(self, matcher: Matcher, options: FingerprintOptions, remembered: int = 4_096) -> None:
        self._matcher = matcher
        self._options = options
        self._memory = Memory(remembered)
        self._rehearsed: dict[str, tuple[object, ...]] = {}

    def examine(self, data: memoryview, announce: Announce = no_announcement) -> Examination:
        """What to say about the image file in `data`.

        announce: called with what is certain already, first the exact matches before anything is decoded, so that it is
        known even if the decoder brings the process down or does not come to an end. Raises MemoryError when the
        process has no more; what the decoder reports is an outcome.
        """
        found = digests(data)
        known = self._memory.recall(found.sha256)
        if known is not None:
            return known
        case = Case(data, FoundImage(found.sha256, found.md5, len(data), None, None, None, ()), announce)
        return self._memory.keep(found.sha256, self._judge(case, self._matcher.exact(found)))

    def _judge(self, case: Case, exact: Sequence[RowMatch]) -> Examination:
        case.settle(decide(exact))
        printed = fingerprint(case.data, self._options)
        if isinstance(printed, Undecodable):
            return Examination(False, printed.reason, found=case.found)
        quality = printed.codes[0].quality if printed.codes else None
        case.image = replace(case.image, width=printed.width, height=printed.height, quality=quality)
        near: list[RowMatch] = []
        failed: Rejected | None = None
        for transform in self._matcher.screen(printed.codes):
            code = reference_code(case.data, transform, self._options)
            if isinstance(code, Rejected):
                failed = code
                continue
            rows = self._matcher.near(code)
            if rows and not near:
                case.image = replace(case.image, quality=code.quality)
            near += rows
            case.settle(decide(exact, near))
        if case.found is None and failed is not None:
            # A candidate without evidence is not clean: it is an image that could not be looked at.
            return Examination(False, failed.reason)
        if decide(exact, near):
            case.settle(decide(exact, near, self._corroborating(case.data)))
        return Examination(True, partial=printed.partial, found=case.found)

    def _corroborating(self, data: memoryview) -> tuple[RowMatch, ...]:
        phash = reference_phash(data, self._options)
        return self._matcher.corroborate(phash) if isinstance(phash, bytes) else ()

    def rehearse(self) -> None:
        """Do with the samples all that can be done with an image, and compare with the first time.

        A decoder that finds a file closed to it may say that the image is damaged; so a process that has closed itself
        in shows that it still comes to the same results. Raises SandboxUnavailable when it does not.
        """
        for name, data in SAMPLES.items():
            if name.split(",")[0] not in self._options.formats:
                continue
            results = tuple(self._rehearsal(data))
            expected = self._rehearsed.setdefault(name, results)
            if results != expected or any(isinstance(result, Undecodable | Rejected) for result in results):
                raise SandboxUnavailable(
                    f"sandbox: a small {name} cannot be decoded in it; check Pillow, or leave it out"
                )

    def _rehearsal(self, data: bytes) -> Iterator[object]:
        printed = fingerprint(data, self._options)
        yield printed
        yield reference_phash(data, self._options)
        if isinstance(printed, Fingerprint):
            self._matcher.exact(printed.digests)
            self._matcher.screen(printed.codes)
            self._matcher.corroborate(printed.phash)
            code = printed.codes[-1]  # the most involved transform of this sample
            yield reference_code(data, code.transform, self._options)
            self._matcher.near(code)


@dataclass(slots=True)
class Case:
    """One image under examination.

    image: what is known of it, without matches.  found: the same with the matches that are certain so far, or None.
    """

    data: memoryview
    image: FoundImage
    announce: Announce
    found: FoundImage | None = None

    def settle(self, matches: tuple[RowMatch, ...]) -> None:
        """Take over what is certain now, and tell when it is more than before."""
        if not matches:
            return
        found = replace(self.image, matches=matches)
        if self.found is None or found.matches != self.found.matches:
            self.announce(found)
        self.found = found


class Memory:
    """The last `size` answers, by sha256: the same logos, buttons and pictures stand on many pages."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._answers: OrderedDict[bytes, Examination] = OrderedDict()

    def recall(self, sha256: bytes) -> Examination | None:
        answer = self._answers.get(sha256)
        if answer is not None:
            self._answers.move_to_end(sha256)
        return answer

    def keep(self, sha256: bytes, answer: Examination) -> Examination:
        self._answers[sha256] = answer
        if len(self._answers) > self._size:
            self._answers.popitem(last=False)
        return answer


def load(payload: object) -> Warm:
    """Compile or load every kernel, map the index, and do everything once. payload: of a SETTINGS frame.

    Raises IndexCorrupt as `open_index` does, SandboxUnavailable when a sample cannot be decoded.
    """
    settings = from_map(payload)
    can_decode("JPEG")  # loads all of Pillow's formats; they load one another later otherwise
    compute.warm()
    search.warm()
    index = open_index(settings.index, settings.index_sha256)
    index.preload()
    examiner = Examiner(Matcher(index, settings.thresholds), settings.options, settings.remembered)
    examiner.rehearse()
    return Warm(examiner, limits_of(settings))
