"""The classes of certainty, case by case."""

from __future__ import annotations

import pytest

from crawler.match.certainty import Evidence, certainty


def of(algorithm: str, name: str = "one", *, size_agrees: bool = False, benign: bool = False) -> Evidence:
    return Evidence(name, 1, algorithm, 0, size_agrees, benign)


@pytest.mark.parametrize(
    ("matches", "wanted"),
    [
        ([of("sha256")], "A"),
        ([of("md5", size_agrees=True)], "A"),
        ([of("sha1", size_agrees=True)], "A"),
        ([of("md5"), of("pdq")], "A"),
        ([of("sha1"), of("pdq", "two")], "A"),
        ([of("pdq"), of("phash")], "B"),
        ([of("pdq"), of("pdq", "two")], "B"),
        ([of("md5"), of("photodna")], "A"),
        ([of("pdq"), of("photodna")], "B"),
        ([of("photodna"), of("phash")], "B"),
        ([of("photodna")], "C"),
        ([of("pdq")], "C"),
        ([of("pdq"), of("pdq")], "C"),
        ([of("md5")], "C"),
        ([of("md5"), of("sha1")], "C"),
        ([of("md5"), of("phash")], "C"),
        ([of("md5"), of("md5", "two")], "C"),
    ],
)
def test_classes(matches: list[Evidence], wanted: str) -> None:
    assert certainty(matches) == wanted
    assert certainty(matches[::-1]) == wanted


@pytest.mark.parametrize("matches", [[of("pdq")], [of("md5")], [of("sha256")], [of("pdq"), of("phash")]])
def test_benign_lists_neither_raise_nor_lower_a_class(matches: list[Evidence]) -> None:
    benign = [of("sha256", "harmless", benign=True), of("md5", "harmless", size_agrees=True, benign=True)]
    assert certainty([*matches, *benign]) == certainty(matches)


@pytest.mark.parametrize(
    "matches", [[], [of("phash")], [of("sha256", benign=True)], [of("phash"), of("md5", benign=True)]]
)
def test_what_is_no_hit_has_no_class(matches: list[Evidence]) -> None:
    with pytest.raises(ValueError, match="no hit"):
        certainty(matches)
