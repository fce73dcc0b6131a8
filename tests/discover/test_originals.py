"""Guesses of originals: only where the page itself shows the scheme."""

from __future__ import annotations

import pytest

from crawler.discover import originals
from crawler.discover.originals import guesses
from crawler.records import Candidate, Kind
from tests.discover.support import by_url


def guessed(*urls: str) -> set[str]:
    return set(guesses(named(*(f"http://h.example{url}" for url in urls))))


def named(*urls: str) -> dict[str, Candidate]:
    return {url: Candidate(url, Kind.IMAGE, "img") for url in urls}


@pytest.mark.parametrize(
    ("small", "large", "other", "guess"),
    [
        ("/u/a-150x150.jpg", "/u/a.jpg", "/u/b-300x200.png", "/u/b.png"),
        ("/a_s.jpg", "/a.jpg", "/b_s.jpg", "/b.jpg"),
        ("/a_s.jpg", "/a_b.jpg", "/b_s.jpg", "/b_b.jpg"),
        ("/a_thumb.jpg", "/a.jpg", "/b_thumb.jpg", "/b.jpg"),
        ("/a.th.jpg", "/a.jpg", "/b.th.jpg", "/b.jpg"),
        ("/x/tn_a.jpg", "/x/a.jpg", "/x/tn_b.jpg", "/x/b.jpg"),
        ("/thumbs/a.jpg", "/a.jpg", "/thumbs/b.jpg", "/b.jpg"),
        ("/g/thumbs/a.jpg", "/g/full/a.jpg", "/g/thumbs/b.jpg", "/g/full/b.jpg"),
        ("/thumb/a/ab/A.jpg/120px-A.jpg", "/a/ab/A.jpg", "/thumb/b/bc/B.png/640px-B.png", "/b/bc/B.png"),
        ("/s320x320/a.jpg", "/a.jpg", "/s320x320/b.jpg", "/b.jpg"),
        ("/w_300,h_200/a.jpg", "/a.jpg", "/w_300,h_200/b.jpg", "/b.jpg"),
        ("/a.jpg?w=100&h=100", "/a.jpg", "/b.jpg?w=100", "/b.jpg"),
    ],
)
def test_schemes(small: str, large: str, other: str, guess: str) -> None:
    assert f"http://h.example{guess}" in guessed(small, large, other)
    assert guessed(small, other) == set()
    assert guessed(large) == set()


def test_a_scheme_of_one_host_says_nothing_of_another() -> None:
    assert guesses(named("http://h/a_s.jpg", "http://h/a.jpg", "http://i/b_s.jpg")) == []


def test_folders_of_any_name_are_learned_from_two_pairs() -> None:
    found = guessed("/x/klein/1.jpg", "/x/groot/1.jpg", "/x/klein/2.jpg", "/x/groot/2.jpg", "/x/klein/3.jpg")
    assert "http://h.example/x/groot/3.jpg" in found
    assert guessed("/x/klein/1.jpg", "/x/groot/1.jpg", "/x/klein/3.jpg") == set()


def test_guesses_are_candidates_of_the_lowest_priority_and_say_so() -> None:
    found = by_url("<a href=/full/1.jpg><img src=/thumbs/1.jpg></a><img src=/thumbs/2.jpg>")
    assert (found["/full/2.jpg"].source, found["/full/2.jpg"].priority, found["/full/2.jpg"].kind) == (
        "guess",
        9,
        Kind.IMAGE,
    )


def test_guesses_are_bounded() -> None:
    urls = [f"/{number}_s.jpg" for number in range(2_000)]
    assert len(guessed("/a_s.jpg", "/a.jpg", *urls)) == originals.MAX_GUESSES
