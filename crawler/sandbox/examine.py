"""What happens to one image inside the sandbox: digests, exact matches, fingerprint, screen, evidence, decision.

Fast codes only screen. Of what they let through, the reference codes are computed on a full decode, and those decide
and are reported. An image in which PDQ finds nothing, though its pHash is near a listed one, gets a second look:
perhaps something was cut away. Exact digests decide even when the image cannot be decoded. What does not match leaves
no trace but its digest among the last few thousand, in this process alone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from crawler.errors import SandboxUnavailable
from crawler.fingerprint import compute, hashers
from crawler.fingerprint.compute import Undecodable, fingerprint, reference_code, reference_phash, uncropped_codes
from crawler.fingerprint.cuts import USUAL
from crawler.fingerprint.decode import can_decode
from crawler.fingerprint.exact import digests
from crawler.fingerprint.hashers import Hasher
from crawler.fingerprint.md5 import md5_of
from crawler.fingerprint.options import FingerprintOptions
from crawler.fingerprint.scratch import Scratch
from crawler.match import search
from crawler.match.entries import KEPT_BYTES
from crawler.match.index import open_index
from crawler.match.live import unpack_state
from crawler.match.matcher import Matcher, decide
from crawler.records import Code, Digests, Examination, Fingerprint, FoundImage, Rejected, RowMatch
from crawler.sandbox.child import Warm
from crawler.sandbox.protocol import WholeFile
from crawler.sandbox.samples import SAMPLES
from crawler.sandbox.settings import from_map, limits_of
from crawler.sandbox.together import Announce

MOST_GUESSES = 4
"""Transforms of a second look that are computed on a full decode; the nearest go first."""


def no_announcement(found: FoundImage) -> None:
    """For callers outside a sandbox, to whom the answer itself comes soon enough."""


class Examiner:
    """Examines images; pure but for its memory of the last `remembered` answers."""

    def __init__(
        self, matcher: Matcher, options: FingerprintOptions, remembered: int = 4_096, plugins: Sequence[Hasher] = ()
    ) -> None:
        self._matcher = matcher
        self._options = options
        self._plugins = plugins
        self._memory = Memory(remembered)
        self.scratch = Scratch(kept=True)
        self._rehearsed: dict[str, tuple[object, ...]] = {}

    def examine(self, data: memoryview, announce: Announce = no_announcement) -> Examination:
        """What to say about the image file in `data`.

        announce: called with what is certain already, first the exact matches before anything is decoded, so that it is
        known even if the decoder brings the process down or does not come to an end. Raises MemoryError when the
        process has no more; what the decoder reports is an outcome.
        """
        try:
            begun = self.begin(data, digests(data), announce)
            if isinstance(begun, Examination):
                return begun
            self.screen([begun])
            return self.end(begun)
        finally:
            self.wipe()

    def digest(self, bodies: Sequence[memoryview]) -> list[Digests]:
        """The digests of all of them, which costs less together."""
        return [digests(body, md5) for body, md5 in zip(bodies, md5_of(bodies), strict=True)]

    def begin(self, data: memoryview, found: Digests, announce: Announce) -> Examination | Case:
        """Up to the fingerprint, as `examine`; an `Examination` when that is all that can be had, or is known.

        found: the digests of `data`.
        """
        known = self._memory.recall(found.sha256)
        if known is not None:
            return known
        case = Case(data, FoundImage(found.sha256, found.md5, len(data), None, None, None, ()), announce)
        case.matches += self._matcher.exact(found)
        case.settle()
        printed = fingerprint(data, self._options, found, self.scratch)
        if isinstance(printed, Undecodable):
            return self._memory.keep(found.sha256, Examination(False, printed.reason, found=case.found))
        case.take(printed)
        return case

    def screen(self, cases: Sequence[Case]) -> None:
        """Search the codes of all of them in one batch."""
        passed = self._matcher.screen_many([case.codes for case in cases])
        for case, transforms in zip(cases, passed, strict=True):
            case.passed = transforms

    def end(self, case: Case) -> Examination:
        """From what the screen let through to the answer."""
        return self._memory.keep(case.image.sha256, self._judge(case))

    def wipe(self) -> None:
        """Overwrite what is kept of the last images' pixels: after each order."""
        self.scratch.wipe()

    def look_up(self, file: WholeFile) -> Examination:
        """What exact digests alone say of a file that nobody looks into: a video, an archive, a PDF."""
        matches = decide(self._matcher.exact(file.digests))
        if not matches:
            return Examination(True)
        found = FoundImage(file.digests.sha256, file.digests.md5, file.size, None, None, None, matches)
        return Examination(True, found=found)

    def update(self, packed: bytes) -> None:
        """Match against another state of the lists from now on; what was remembered is forgotten.

        packed: as `crawler.match.live` has it. Raises RecordCorrupt, and SandboxUnavailable for codes of a plug-in
        that is not installed here.
        """
        state = unpack_state(packed)
        names = [plugin.name for plugin in self._plugins]
        _require_plugins({row.algorithm for row in state.added}, names)
        self._matcher = self._matcher.in_state(state, names)
        self._memory.forget()

    def _judge(self, case: Case) -> Examination:
        for transform in case.passed:
            self._weigh(case, transform)
        if self._plugins:
            self._ask_plugins(case)
        if case.found is None and case.quality >= self._matcher.thresholds.min_quality:
            self._look_again(case)
        if case.found is None and case.failed is not None:
            # A candidate without evidence is not clean: it is an image that could not be looked at.
            return Examination(False, case.failed.reason)
        if case.found is not None:
            case.matches += self._corroborating(case.data)
            case.settle()
        return Examination(True, partial=case.partial, found=case.found)

    def _weigh(self, case: Case, transform: str) -> bool:
        """Compute the evidence for what the screen let through; True when it agrees with an entry."""
        code = reference_code(case.data, transform, self._options)
        if isinstance(code, Rejected):
            case.failed = code
            return False
        rows = self._matcher.near(code)
        if rows and not case.near:
            case.near, case.image = True, replace(case.image, quality=code.quality)
        case.matches += rows
        case.settle()
        return bool(rows)

    def _look_again(self, case: Case) -> None:
        """Undo what may have been cut away, for an image that looks like a listed one. PDQ decides here too."""
        if not self._matcher.resembles(case.phash):
            return
        codes = uncropped_codes(case.data, self._options)
        if isinstance(codes, Rejected):
            case.failed = codes
            return
        for transform in self._matcher.closest(codes, MOST_GUESSES):
            if self._weigh(case, transform):
                return

    def _ask_plugins(self, case: Case) -> None:
        """The codes of plug-in hashers of which there are entries."""
        for plugin in self._plugins:
            if not self._matcher.has(plugin.name):
                continue
            code = plugin.code(case.data)
            if isinstance(code, Rejected):
                case.failed = code
            elif code is not None:
                case.matches += self._matcher.plugged(plugin.name, code, plugin.threshold, plugin.distance)
                case.settle()

    def _corroborating(self, data: memoryview) -> tuple[RowMatch, ...]:
        phash = reference_phash(data, self._options)
        return self._matcher.corroborate(phash) if isinstance(phash, bytes) else ()

    def rehearse(self) -> None:
        """Do with the samples all that can be done with an image, and compare with the first time.

        A decoder that finds a file closed to it may say that the image is damaged; so a process that has closed itself
        in shows that it still comes to the same results. Raises SandboxUnavailable when it does not.
        """
        self._rehearse_digests()
        for name, data in SAMPLES.items():
            if name.split(",")[0] not in self._options.formats:
                continue
            results = tuple(self._rehearsal(data))
            self.wipe()
            expected = self._rehearsed.setdefault(name, results)
            if results != expected or any(isinstance(result, Undecodable | Rejected) for result in results):
                raise SandboxUnavailable(
                    f"sandbox: a small {name} cannot be decoded in it; check Pillow, or leave it out"
                )
        for plugin in self._plugins:
            said = tuple(map(plugin.code, SAMPLES.values()))  # it may refuse some, but has to go on as it began
            if said != self._rehearsed.setdefault(plugin.name, said):
                raise SandboxUnavailable(
                    f"sandbox: the hasher {plugin.name} does not work in it; it may open no file and start no thread"
                )

    def _rehearse_digests(self) -> None:
        """Bodies of many lengths, more than go side by side: a digest that were wrong would miss what is listed."""
        bodies = [memoryview(data)[start:] for start in range(3) for data in SAMPLES.values()]
        if self.digest(bodies) != [digests(body) for body in bodies]:
            raise SandboxUnavailable(
                "sandbox: MD5 of several images differs from that of each; delete the folder of compiled kernels"
            )

    def _rehearsal(self, data: bytes) -> Iterator[object]:
        printed = fingerprint(data, self._options, scratch=self.scratch)
        yield printed
        yield reference_phash(data, self._options)
        if isinstance(printed, Fingerprint):
            self._matcher.exact(printed.digests)
            self._matcher.screen(printed.codes)
            self._matcher.corroborate(printed.phash)
            code = printed.codes[-1]  # the most involved transform of this sample
            yield reference_code(data, code.transform, self._options)
            self._matcher.near(code)
            self._matcher.resembles(printed.phash)
            guesses = uncropped_codes(data, self._options, USUAL[-1:])
            yield guesses
            if not isinstance(guesses, Rejected):
                self._matcher.closest(guesses, MOST_GUESSES)


@dataclass(slots=True)
class Case:
    """One image under examination.

    image: what is known of it, without matches.  found: the same with the matches that are certain so far, or None.
    codes, phash, quality, partial: of its fingerprint, quality -1 without codes.  passed: the transforms that the
    screen let through.
    matches: all so far, also those that raise no hit by themselves.  near: a PDQ code is among them.
    failed: why something that there was a reason to compute could not be.
    """

    data: memoryview
    image: FoundImage
    announce: Announce
    found: FoundImage | None = None
    codes: tuple[Code, ...] = ()
    phash: bytes = b""
    quality: int = -1
    partial: bool = False
    passed: tuple[str, ...] = ()
    matches: tuple[RowMatch, ...] = ()
    near: bool = False
    failed: Rejected | None = None

    def take(self, printed: Fingerprint) -> None:
        """Take over what its fingerprint says."""
        quality = printed.codes[0].quality if printed.codes else None
        known = self.image
        self.image = FoundImage(known.sha256, known.md5, known.size, printed.width, printed.height, quality, ())
        self.codes, self.phash, self.partial = printed.codes, printed.phash, printed.partial
        self.quality = -1 if quality is None else quality

    def settle(self) -> None:
        """Take over what is certain now, and tell when it is more than before."""
        matches = decide(self.matches)
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

    def forget(self) -> None:
        self._answers.clear()


def load(payload: object) -> Warm:
    """Compile or load every kernel, map the index, and do everything once. payload: of a SETTINGS frame.

    Raises IndexCorrupt as `open_index` does, SandboxUnavailable when a sample cannot be decoded, and when the index
    holds codes of a plug-in that is not installed here.
    """
    settings = from_map(payload)
    can_decode("JPEG")  # loads all of Pillow's formats; they load one another later otherwise
    compute.warm()
    search.warm()
    index = open_index(settings.index, settings.index_sha256)
    index.preload()
    plugins = hashers.load()
    _require_plugins(index.plugged(), [plugin.name for plugin in plugins])
    matcher = Matcher(index, settings.thresholds)
    examiner = Examiner(matcher, settings.options, settings.remembered, plugins)
    examiner.rehearse()
    return Warm(examiner, limits_of(settings))


def _require_plugins(algorithms: Iterable[str], installed: Collection[str]) -> None:
    missing = sorted((set(algorithms) & KEPT_BYTES.keys()).difference(installed))
    if missing:
        raise SandboxUnavailable(
            f"sandbox: the index has {missing[0]} codes, and no hasher of this name is installed here"
        )
