"""One image's way from bytes to what may be said about it, with real fingerprints and a real index."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

import pytest
from PIL import Image

from crawler.errors import SandboxUnavailable
from crawler.fingerprint.compute import Undecodable, fingerprint, reference_code, reference_phash, uncropped_codes
from crawler.fingerprint.exact import digests
from crawler.fingerprint.hashers import Hasher
from crawler.fingerprint.options import DEFAULT_OPTIONS
from crawler.fingerprint.scratch import Scratch
from crawler.match.index import IndexRow, index_in_memory
from crawler.match.matcher import Matcher, Thresholds
from crawler.records import Code, Examination, FoundImage, Rejected, RowMatch
from crawler.sandbox import examine
from crawler.sandbox.examine import Examiner
from crawler.sandbox.protocol import WholeFile
from crawler.sandbox.together import examine_together
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


def cut(picture: Image.Image, *, left: float = 0, top: float = 0, right: float = 0, bottom: float = 0) -> bytes:
    """The picture without these shares of its width and height, saved again."""
    width, height = picture.size
    box = (round(width * left), round(height * top), round(width * (1 - right)), round(height * (1 - bottom)))
    return encoded(picture.crop(box), "JPEG", quality=85)


CUT = cut(PICTURE, left=0.025, top=0.025, right=0.025, bottom=0.025)


def listed(*algorithms: str) -> list[IndexRow]:
    """What a list has of the picture before it was cut."""
    phash = reference_phash(JPEG)
    assert isinstance(phash, bytes)
    values = {"pdq": (7, reference(JPEG).value), "phash": (8, phash)}
    return [IndexRow(values[name][0], name, values[name][1]) for name in algorithms]


def test_a_cut_picture_is_found_when_its_phash_gives_it_away() -> None:
    assert look(listed("pdq"), CUT) == (Examination(True), [])
    assert look(listed("phash"), CUT) == (Examination(True), [])
    answer, announced = look(listed("pdq", "phash"), CUT)
    assert answer.found is not None
    match = answer.found.matches[0]
    assert (match.entry, match.algorithm, match.threshold, match.transform) == (7, "pdq", 31, "uncropped-5")
    evidence = reference(CUT, match.transform)
    assert match.distance == (int.from_bytes(evidence.value) ^ int.from_bytes(reference(JPEG).value)).bit_count()
    assert announced[-1] == answer.found


def test_a_strip_that_is_missing_is_made_up_for() -> None:
    answer, _ = look(listed("pdq", "phash"), cut(PICTURE, bottom=0.04))
    assert answer.found is not None
    assert answer.found.matches[0].transform == "uncropped-4-bottom"


def test_a_second_look_is_for_what_was_not_found_and_can_be_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(examine, "uncropped_codes", explode)
    rows = [*listed("pdq", "phash"), IndexRow(5, "sha256", hashlib.sha256(CUT).digest())]
    assert look(rows, JPEG)[0].found is not None
    assert look(rows, CUT)[0].found is not None
    plain = encoded(picture(1, 64, 64).resize((1, 1)).resize((64, 64)), "PNG")
    phash = reference_phash(plain)
    assert isinstance(phash, bytes)
    assert look([IndexRow(8, "phash", phash)], plain) == (Examination(True), [])
    never = Thresholds(resemblance=-1)
    blind = Examiner(Matcher(index_in_memory(listed("pdq", "phash")), never), DEFAULT_OPTIONS)
    assert blind.examine(memoryview(CUT)) == Examination(True)


def test_a_second_look_computes_evidence_for_a_few_guesses_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many codes come near, the time for one image stays bounded."""
    guesses = uncropped_codes(CUT)
    assert not isinstance(guesses, Rejected)
    rows = [IndexRow(20 + n, "pdq", flipped(code.value, 36)) for n, code in enumerate(guesses)]
    asked: list[str] = []

    def count(data: bytes, transform: str, *_: object) -> Code | Rejected:
        asked.append(transform)
        return reference_code(data, transform)

    monkeypatch.setattr(examine, "reference_code", count)
    look([*rows, *listed("phash")], CUT)
    assert len([name for name in asked if name.startswith("uncropped")]) == examine.MOST_GUESSES


def test_a_guess_without_evidence_is_not_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    real = reference_code

    def fail(data: bytes, transform: str, *rest: object) -> Code | Rejected:
        return Rejected("bomb") if "uncropped" in transform else real(data, transform)

    monkeypatch.setattr(examine, "reference_code", fail)
    assert look(listed("pdq", "phash"), CUT) == (Examination(False, "bomb"), [])


def toy(data: bytes) -> bytes | None:
    """The sum of the bytes at each of 144 places."""
    if data.startswith(b"GIF"):
        return None
    return bytes(sum(data[place::144]) % 256 for place in range(144))


def sum_apart(one: bytes, other: bytes) -> int:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True))


def with_toy(rows: Iterable[IndexRow], compute: Callable[[bytes], bytes | None] = toy) -> Examiner:
    plugins = (Hasher("photodna", 10, compute, sum_apart),)
    index = index_in_memory(rows, plugged=("photodna",))
    return Examiner(Matcher(index, Thresholds()), DEFAULT_OPTIONS, 10, plugins)


def test_a_plug_in_raises_a_hit() -> None:
    code = toy(JPEG)
    assert code is not None
    near = bytes([code[0] ^ 1, *code[1:]])
    rows = [IndexRow(30, "photodna", near), IndexRow(31, "photodna", bytes(144)), *listed("phash")]
    found = with_toy(rows).examine(memoryview(JPEG)).found
    assert found is not None
    assert found.matches == (RowMatch(30, "photodna", 1, 10), RowMatch(8, "phash", 0, 4))
    assert (found.width, found.quality) == (640, reference(JPEG).quality)


def test_a_plug_in_that_fails_is_not_clean_and_hides_nothing() -> None:
    def fail(data: bytes) -> bytes:
        raise ValueError(len(data))

    unlisted = [IndexRow(31, "photodna", bytes(144))]
    assert with_toy(unlisted, fail).examine(memoryview(JPEG)) == Examination(False, "hasher(photodna)")
    known = [*unlisted, IndexRow(5, "sha256", SHA256)]
    found = with_toy(known, fail).examine(memoryview(JPEG)).found
    assert found is not None
    assert found.matches == (RowMatch(5, "sha256"),)


def test_a_plug_in_is_not_asked_where_no_list_has_its_codes() -> None:
    def fail(data: bytes) -> bytes:
        raise AssertionError

    assert with_toy(NOBODY, fail).examine(memoryview(JPEG)) == Examination(True)


def test_a_plug_in_that_has_no_code_for_an_image_is_fine() -> None:
    gif = encoded(picture(3, 64, 64), "GIF")
    assert with_toy([IndexRow(31, "photodna", bytes(144))]).examine(memoryview(gif)) == Examination(True)


def test_a_rehearsal_finds_out_that_a_plug_in_stopped_working() -> None:
    closed: list[bool] = []

    def sometimes(data: bytes) -> bytes | None:
        if closed:
            raise OSError
        return toy(data)

    rehearsed = with_toy(NOBODY, sometimes)
    rehearsed.rehearse()
    closed.append(True)
    with pytest.raises(SandboxUnavailable, match="hasher photodna does not work in it"):
        rehearsed.rehearse()


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


def test_several_are_answered_as_one_by_one_and_searched_in_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    other = encoded(picture(12, 700, 520), "JPEG", quality=90)
    rows = [
        IndexRow(5, "sha256", SHA256),
        IndexRow(7, "pdq", flipped(reference(JPEG).value, 20)),
        IndexRow(8, "pdq", flipped(reference(other).value, 9)),
        *NOBODY,
    ]
    bodies = [
        JPEG,
        b"no image",
        encoded(PICTURE.transpose(0), "PNG"),
        other,
        encoded(picture(13, 300, 200), "PNG"),
        JPEG,
    ]
    batches: list[int] = []
    real = Matcher.screen_many

    def counting(self: Matcher, images: Sequence[Sequence[Code]]) -> list[tuple[str, ...]]:
        batches.append(len(images))
        return real(self, images)

    monkeypatch.setattr(Matcher, "screen_many", counting)
    alone = [examiner(rows).examine(memoryview(body)) for body in bodies]
    assert [answer.found is not None for answer in alone] == [True, False, True, True, False, True]
    batches.clear()
    announced: list[tuple[int, FoundImage]] = []
    said = examine_together(examiner(rows), [memoryview(body) for body in bodies], lambda *each: announced.append(each))
    assert [answer for _, answer in sorted(said, key=lambda each: each[0])] == alone
    assert batches == [5]
    assert dict(announced) == {place: answer.found for place, answer in enumerate(alone) if answer.found is not None}


@pytest.mark.parametrize("step", ["fingerprint", "reference_code"])
def test_one_of_several_that_raises_is_an_outcome_of_its_own(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    rows = [IndexRow(5, "sha256", SHA256), IndexRow(7, "pdq", reference(JPEG).value)]
    mirrored = encoded(PICTURE.transpose(0), "PNG")
    real = getattr(examine, step)

    def explode(data: memoryview, *rest: object) -> object:
        if data == JPEG:
            raise MemoryError
        if data == mirrored:
            raise KeyError("hostile")
        return real(data, *rest)

    monkeypatch.setattr(examine, step, explode)
    other = encoded(picture(12, 700, 520), "JPEG", quality=90)
    bodies = [memoryview(body) for body in (JPEG, other, mirrored)]
    said = dict(examine_together(examiner(rows), bodies, lambda *_: None))
    assert [said[place].reason for place in range(3)] == ["memory", None, "failed(KeyError)"]
    assert said[0].found is not None
    assert said[0].found.matches == (RowMatch(5, "sha256"),)


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


def test_a_rehearsal_compares_digests_with_those_of_each_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the library's, not with what the same kernels said the first time."""
    monkeypatch.setattr(examine, "md5_of", lambda bodies: [hashlib.md5(body[:64]).digest() for body in bodies])
    with pytest.raises(SandboxUnavailable, match="MD5 of several images"):
        examiner(NOBODY).rehearse()


def test_a_rehearsal_finds_out_that_a_decoder_stopped_working(monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsed = examiner(NOBODY)
    rehearsed.rehearse()
    rehearsed.rehearse()
    real = examine.fingerprint

    def without_png(data: bytes, *rest: object, **more: object) -> object:
        if data.startswith(b"\x89PNG"):
            return Undecodable(examine.digests(data), "corrupt")
        return real(data)

    monkeypatch.setattr(examine, "fingerprint", without_png)
    with pytest.raises(SandboxUnavailable, match="a small PNG cannot be decoded"):
        rehearsed.rehearse()
    with pytest.raises(SandboxUnavailable, match="a small PNG cannot be decoded"):
        examiner(NOBODY).rehearse()


def test_digests_alone_are_looked_up() -> None:
    film = b"a film"
    found = digests(memoryview(film))
    rows = [IndexRow(5, "sha1", hashlib.sha1(film).digest()), IndexRow(6, "md5", found.md5, benign=True), *NOBODY]
    answer = examiner(rows).look_up(WholeFile(found, 6))
    matches = (RowMatch(5, "sha1"), RowMatch(6, "md5", benign=True))
    assert answer == Examination(True, found=FoundImage(found.sha256, found.md5, 6, None, None, None, matches))
    assert examiner(NOBODY).look_up(WholeFile(found, 6)) == Examination(True)


class Everything:
    """In place of an examiner's scratch: what was in it when it was wiped."""

    def __init__(self) -> None:
        self.scratch = Scratch(kept=True)
        self.plane, self.rows = self.scratch.plane, self.scratch.rows
        self.seen: list[int] = []

    def wipe(self) -> None:
        plane = self.scratch.plane(PICTURE.width * PICTURE.height)
        assert plane is not None
        self.seen.append(int(plane.max()))
        self.scratch.wipe()
        self.seen.append(int(plane.max()))


@pytest.mark.parametrize("body", [JPEG, JPEG[:-2000]])
def test_nothing_of_an_image_is_left_when_it_was_examined(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Everything()
    monkeypatch.setattr(examine, "Scratch", lambda **_: kept)
    at = examiner(NOBODY)
    at.examine(memoryview(body))
    assert kept.seen[0] > 0
    assert kept.seen[1] == 0

    def explode(*_: object) -> object:
        raise MemoryError

    monkeypatch.setattr(examine, "reference_code", explode)
    at = examiner([IndexRow(7, "pdq", reference(JPEG).value)])
    with pytest.raises(MemoryError):
        at.examine(memoryview(JPEG))
    assert kept.seen[2] > 0
    assert kept.seen[3] == 0
