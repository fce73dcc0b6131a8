"""What raises a hit, what only stands beside it, and what is forgotten."""

from __future__ import annotations

import hashlib
import random

import pytest

from crawler.match.importers.synthetic import pdq
from crawler.match.index import IndexRow, index_in_memory
from crawler.match.matcher import MOST_MATCHES, Matcher, Thresholds, decide
from crawler.records import Code, Digests, RowMatch


def digests_of(body: bytes) -> Digests:
    return Digests(hashlib.md5(body).digest(), hashlib.sha1(body).digest(), hashlib.sha256(body).digest())


def off_by(value: bytes, bits: int, seed: int = 0) -> bytes:
    """The code with `bits` of its bits flipped."""
    number = int.from_bytes(value)
    for place in random.Random(seed).sample(range(len(value) * 8), bits):
        number ^= 1 << place
    return number.to_bytes(len(value), "big")


PICTURE = digests_of(b"picture")
CODE = pdq(random.Random(1))
OTHER = pdq(random.Random(2))
PHASH = random.Random(3).randbytes(8)
ROWS = [
    IndexRow(1, "sha256", PICTURE.sha256),
    IndexRow(2, "md5", PICTURE.md5),
    IndexRow(3, "sha256", PICTURE.sha256, benign=True),
    IndexRow(4, "sha1", digests_of(b"harmless").sha1, benign=True),
    IndexRow(5, "pdq", CODE),
    IndexRow(6, "pdq", off_by(CODE, 6)),
    IndexRow(7, "phash", PHASH),
    IndexRow(8, "photodna", bytes(144)),
    IndexRow(9, "pdq", CODE),
]


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher(index_in_memory(ROWS))


def test_digests_are_found_on_block_and_benign_lists(matcher: Matcher) -> None:
    found = matcher.exact(PICTURE)
    assert {(match.entry, match.algorithm, match.benign) for match in found} == {
        (1, "sha256", False),
        (2, "md5", False),
        (3, "sha256", True),
    }
    assert all((match.distance, match.threshold) == (0, 0) for match in found)
    assert matcher.exact(digests_of(b"unknown")) == ()


def test_near_codes_within_the_distance_and_not_beyond(matcher: Matcher) -> None:
    for bits in (0, 10, 31):
        found = matcher.near(Code(off_by(CODE, bits), 100, "mirror"))
        assert (5, bits) in {(match.entry, match.distance) for match in found}
        assert {match.threshold for match in found} == {31}
        assert {match.transform for match in found} == {"mirror"}
    assert 5 not in {match.entry for match in matcher.near(Code(off_by(CODE, 32), 100))}
    assert matcher.near(Code(OTHER, 100)) == ()


def test_every_entry_that_has_a_code_is_named_nearest_first(matcher: Matcher) -> None:
    assert [(match.entry, match.distance) for match in matcher.near(Code(CODE, 100))] == [(5, 0), (9, 0), (6, 6)]


def test_low_quality_is_not_evidence(matcher: Matcher) -> None:
    assert matcher.near(Code(CODE, 49)) == ()
    assert matcher.near(Code(CODE, 50))


def test_screening_reaches_further_and_names_transforms_once(matcher: Matcher) -> None:
    codes = [Code(off_by(CODE, 41), 60), Code(CODE, 60), Code(OTHER, 100, "512"), Code(CODE, 45, "mirror")]
    assert matcher.screen(codes) == ("none", "mirror")
    assert matcher.screen([Code(off_by(off_by(CODE, 6), 48, 4), 100)]) == ()
    assert matcher.screen([]) == ()


def test_what_is_too_poor_to_match_is_not_looked_up(matcher: Matcher) -> None:
    """Evidence is up to a few points better or worse than the fast code was; beyond that a search finds nothing."""
    assert matcher.screen([Code(CODE, 40)]) == ("none",)
    assert matcher.screen([Code(CODE, 39)]) == ()
    images = [[Code(CODE, 39)], [Code(CODE, 39, "mirror"), Code(CODE, 100, "512")], [Code(CODE, 0)]]
    assert matcher.screen_many(images) == [(), ("512",), ()]


def test_screening_many_images_is_screening_each(matcher: Matcher) -> None:
    images = [
        [Code(CODE, 90, "mirror"), Code(OTHER, 90)],
        [],
        [Code(OTHER, 90)],
        [Code(CODE, 90), Code(CODE, 90, "512")],
    ]
    assert matcher.screen_many(images) == [matcher.screen(image) for image in images]
    assert matcher.screen_many(images) == [("mirror",), (), (), ("none", "512")]


def test_phash_corroborates_within_its_distance(matcher: Matcher) -> None:
    assert [(match.entry, match.distance, match.threshold) for match in matcher.corroborate(off_by(PHASH, 4))] == [
        (7, 4, 4)
    ]
    assert matcher.corroborate(off_by(PHASH, 5)) == ()


def test_a_phash_further_away_is_worth_a_second_look(matcher: Matcher) -> None:
    assert matcher.resembles(off_by(PHASH, 8))
    assert not matcher.resembles(off_by(PHASH, 9))
    never = Matcher(index_in_memory(ROWS), Thresholds(resemblance=-1))
    assert not never.resembles(PHASH)
    assert not Matcher(index_in_memory(ROWS), masked={7}).resembles(PHASH)


def test_a_second_look_starts_with_the_nearest(matcher: Matcher) -> None:
    codes = [
        Code(off_by(CODE, 30), 90, "uncropped-2"),
        Code(OTHER, 90, "uncropped-5"),
        Code(off_by(CODE, 12), 90, "uncropped-10"),
        Code(off_by(CODE, 41), 90, "uncropped-8-down"),
    ]
    assert matcher.closest(codes, 9) == ("uncropped-10", "uncropped-2", "uncropped-8-down")
    assert matcher.closest(codes, 2) == ("uncropped-10", "uncropped-2")
    assert matcher.closest([], 2) == ()
    masked = Matcher(index_in_memory(ROWS), masked={5, 6, 9})
    assert masked.closest(codes, 9) == ()


def test_a_plug_in_compares_its_codes_one_by_one() -> None:
    def apart(one: bytes, other: bytes) -> int:
        return sum(abs(a - b) for a, b in zip(one, other, strict=True))

    rows = [IndexRow(30 + number, "photodna", bytes([number]) * 144) for number in range(3)]
    known = Matcher(index_in_memory(rows, ["photodna"]), masked={32})
    assert known.has("photodna")
    assert not known.has("another")
    found = known.plugged("photodna", bytes([1]) * 144, 144, apart)
    assert found == (RowMatch(31, "photodna", 0, 144), RowMatch(30, "photodna", 144, 144))
    assert known.plugged("photodna", bytes([1]) * 144, 143, apart) == (RowMatch(31, "photodna", 0, 143),)
    assert known.plugged("another", b"", 1, apart) == ()
    assert decide((), found) == found
    assert decide((), (), known.corroborate(PHASH)) == ()


def test_thresholds_are_the_campaigns() -> None:
    strict = Matcher(
        index_in_memory(ROWS), Thresholds(pdq_distance=10, phash_distance=0, min_quality=80, screen_margin=2)
    )
    assert {(5, 10), (9, 10)} <= {(match.entry, match.distance) for match in strict.near(Code(off_by(CODE, 10), 80))}
    assert {match.entry for match in strict.near(Code(off_by(CODE, 11), 80))} <= {6}
    assert strict.near(Code(off_by(CODE, 20, 5), 80)) == ()
    assert strict.near(Code(CODE, 79)) == ()
    assert strict.corroborate(off_by(PHASH, 1)) == ()
    assert strict.screen([Code(off_by(CODE, 20, 5), 80)]) == ()


def test_a_delta_adds_and_a_mask_takes_away() -> None:
    base, delta = index_in_memory(ROWS), index_in_memory([IndexRow(20, "pdq", OTHER), IndexRow(21, "md5", PICTURE.md5)])
    masked = Matcher([base, delta], masked={1, 5, 6, 9})
    assert {match.entry for match in masked.exact(PICTURE)} == {2, 3, 21}
    assert masked.near(Code(CODE, 100)) == ()
    assert masked.screen([Code(CODE, 100, "mirror"), Code(OTHER, 100)]) == ("none",)
    assert [match.entry for match in masked.near(Code(OTHER, 100))] == [20]


def test_only_block_lists_digests_and_pdq_raise_a_hit(matcher: Matcher) -> None:
    near, phash = matcher.near(Code(CODE, 100)), matcher.corroborate(PHASH)
    benign = matcher.exact(digests_of(b"harmless"))
    assert benign
    assert phash
    assert decide((), (), phash) == ()
    assert decide(benign, (), ()) == ()
    assert decide(benign, (), phash) == ()
    assert decide((), near) == near
    assert set(decide(benign, near, phash)) == {*benign, *near, *phash}
    assert {match.algorithm for match in decide(matcher.exact(PICTURE))} == {"sha256", "md5"}


def test_of_several_transforms_the_nearest_counts() -> None:
    near = [RowMatch(5, "pdq", 12, 31, "none"), RowMatch(5, "pdq", 2, 31, "mirror"), RowMatch(6, "pdq", 3, 31, "none")]
    assert decide((), near) == (near[1], near[2])


def test_matches_are_bounded_and_digests_come_first() -> None:
    near = [RowMatch(number, "pdq", number % 32, 31) for number in range(1000)]
    exact = [RowMatch(5000, "sha256"), RowMatch(5001, "sha256", benign=True)]
    found = decide(exact, near, [RowMatch(number, "phash", 0, 4) for number in range(1000)])
    assert len(found) == MOST_MATCHES
    assert found[0] == exact[0]
    assert [match.distance for match in found[1:]] == sorted(match.distance for match in near)[: MOST_MATCHES - 1]
