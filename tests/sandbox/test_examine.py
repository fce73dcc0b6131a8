"""One image's way from bytes to what may be said about it, with real fingerprints and a real index."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import pytest

from crawler.errors import SandboxUnavailable
from crawler.fingerprint.compute import Undecodable, fingerprint, reference_code, reference_phash
from crawler.fingerprint.options import DEFAULT_OPTIONS
from crawler.match.index import IndexRow, index_in_memory
from crawler.match.matcher import Matcher, Thresholds
from crawler.records import Code, Examination, FoundImage, Rejected, RowMatch
from crawler.sandbox import examine
from crawler.sandbox.examine import Examiner
from tests.sandbox.pictures import encoded, picture

PICTURE = picture(11, 640, 480)
JPEG = encoded(PICTURE, "JPEG", quality=90)
SHA256, MD5 = hashlib.sha256(JPEG).digest(), hashlib.md5(JPEG).digest()


def reference(data: bytes, transform: str = "none") -> Code:
    code = reference_code(data, transform)
    assert isinstance(code, Code)
    return code


def flipped(value: bytes, bits: int) -> bytes:
    """The code with this many bits changed."""
    return (int.from_bytes(value, "big") ^ ((1 << bits) - 1)).to_bytes(len(value), "big")


def examiner(rows: Iterable[IndexRow], remembered: int = 10) -> Examiner:
    return Examiner(Matcher(index_in_memory(rows), Thresholds()), DEFAULT_OPTIONS, remembered)


def look(rows: Iterable[IndexRow], data: bytes) -> tuple[Examination, list[FoundImage]]:
    announced: list[FoundImage] = []
    return examiner(rows).examine(memoryview(data), announced.append), announced


NOBODY = [IndexRow(99, "pdq", bytes(32))]


def test_what_does_not_match_says_nothing() -> None:
    assert look(NOBODY, JPEG) == (Examination(True), [])
    assert look([], JPEG) == (Examination(True), [])


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256"])
def test_a_digest_matches(algorithm: str) -> None:
    answer, announced = look([IndexRow(5, algorithm, hashlib.new(algorithm, JPEG).digest()), *NOBODY], JPEG)
    assert answer.decoded
    assert answer.found is not None
    assert answer.found.matches == (RowMatch(5, algorithm),)
    assert (answer.found.sha256, answer.found.md5, answer.found.size) == (SHA256, MD5, len(JPEG))
    assert (answer.found.width, answer.found.height) == (640, 480)
    assert announced == [FoundImage(SHA256, MD5, len(JPEG), None, None, None, (RowMatch(5, algorithm),))]


def test_a_digest_matches_even_if_nothing_can_be_decoded() -> None:
    data = b"this is no image"
    found = FoundImage(
        hashlib.sha256(data).digest(), hashlib.md5(data).digest(), 16, None, None, None, (RowMatch(5, "md5"),)
    )
    answer, announced = look([IndexRow(5, "md5", hashlib.md5(data).digest())], data)
    assert answer == Examination(False, "not-an-image", found=found)
    assert announced == [found]


def test_the_digests_are_announced_before_anything_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(examine, "fingerprint", explode)
    announced: list[FoundImage] = []
    with pytest.raises(MemoryError):
        examiner([IndexRow(5, "sha256", SHA256)]).examine(memoryview(JPEG), announced.append)
    assert [found.matches for found in announced] == [(RowMatch(5, "sha256"),)]


def test_a_near_match_is_reported_with_the_reference_distance() -> None:
    code = reference(JPEG)
    answer, announced = look([IndexRow(7, "pdq", flipped(code.value, 20))], JPEG)
    match = RowMatch(7, "pdq", 20, 31, "none")
    assert answer == Examination(True, found=FoundImage(SHA256, MD5, len(JPEG), 640, 480, code.quality, (match,)))
    assert announced == [answer.found]


def test_a_mirrored_copy_is_found_and_says_so() -> None:
    mirrored = encoded(PICTURE.transpose(0), "PNG")
    answer, _ = look([IndexRow(7, "pdq", reference(JPEG).value)], mirrored)
    assert answer.found is not None
    (match,) = answer.found.matches
    assert (match.entry, match.transform) == (7, "mirror")
    assert match.distance <= 6


@pytest.mark.parametrize(("bits", "found"), [(31, True), (32, False), (40, False)])
def test_what_the_screen_lets_through_is_decided_by_the_reference(bits: int, found: bool) -> None:
    rows = [IndexRow(7, "pdq", flipped(reference(JPEG).value, bits))]
    printed = fingerprint(JPEG)
    assert not isinstance(printed, Undecodable)
    assert examiner(rows)._matcher.screen(printed.codes)
    answer, announced = look(rows, JPEG)
    assert (answer.found is not None) == found
    assert bool(announced) == found
    assert answer.decoded


def test_a_phash_corroborates_and_never_raises_a_hit() -> None:
    phash = reference_phash(JPEG)
    assert isinstance(phash, bytes)
    alone, _ = look([IndexRow(8, "phash", phash)], JPEG)
    assert alone == Examination(True)
    beside, announced = look([IndexRow(8, "phash", flipped(phash, 2)), IndexRow(7, "pdq", reference(JPEG).value)], JPEG)
    assert beside.found is not None
    assert beside.found.matches == (RowMatch(7, "pdq", 0, 31), RowMatch(8, "phash", 2, 4))
    assert announced[-1] == beside.found


def test_a_benign_entry_raises_no_hit() -> None:
    assert look([IndexRow(9, "sha256", SHA256, benign=True)], JPEG) == (Examination(True), [])


def test_a_plain_picture_is_too_poor_for_a_near_match() -> None:
    plain = encoded(picture(1, 64, 64).resize((1, 1)).resize((64, 64)), "PNG")
    code = reference(plain)
    assert code.quality < 50
    assert look([IndexRow(7, "pdq", code.value)], plain) == (Examination(True), [])


def test_a_candidate_without_evidence_is_not_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [IndexRow(7, "pdq", reference(JPEG).value)]
    monkeypatch.setattr(examine, "reference_code", lambda *_: Rejected("bomb"))
    assert look(rows, JPEG) == (Examination(False, "bomb"), [])


def test_a_partial_image_is_marked() -> None:
    answer, _ = look(NOBODY, JPEG[: len(JPEG) * 8 // 10])
    assert answer == Examination(True, partial=True)


def test_identical_bytes_are_answered_from_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    known = examiner([IndexRow(5, "sha256", SHA256)], remembered=2)
    first = known.examine(memoryview(JPEG))
    computed: list[int] = []

    def count(data: memoryview, *_: object) -> Undecodable:
        computed.append(len(data))
        return Undecodable(examine.digests(data), "not-an-image")

    monkeypatch.setattr(examine, "fingerprint", count)
    assert known.examine(memoryview(bytearray(JPEG))) == first
    for data in (b"a", b"bb", JPEG, b"ccc", b"a"):
        known.examine(memoryview(data))
    assert computed == [1, 2, len(JPEG), 3, 1]
    known.examine(memoryview(b"ccc"))
    assert computed[-1] == 1


def test_lack_of_memory_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    known = examiner(NOBODY)
    real = examine.fingerprint
    monkeypatch.setattr(examine, "fingerprint", lambda *_: (_ for _ in ()).throw(MemoryError))
    with pytest.raises(MemoryError):
        known.examine(memoryview(JPEG))
    monkeypatch.setattr(examine, "fingerprint", real)
    assert known.examine(memoryview(JPEG)) == Examination(True)


def test_a_rehearsal_finds_out_that_a_decoder_stopped_working(monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsed = examiner(NOBODY)
    rehearsed.rehearse()
    rehearsed.rehearse()
    real = examine.fingerprint

    def without_png(data: bytes, *rest: object) -> object:
        if data.startswith(b"\x89PNG"):
            return Undecodable(examine.digests(data), "corrupt")
        return real(data)

    monkeypatch.setattr(examine, "fingerprint", without_png)
    with pytest.raises(SandboxUnavailable, match="a small PNG cannot be decoded"):
        rehearsed.rehearse()
    with pytest.raises(SandboxUnavailable, match="a small PNG cannot be decoded"):
        examiner(NOBODY).rehearse()
