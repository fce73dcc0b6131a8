"""What nobody named is counted apart, and is no failure where it is not there."""

from __future__ import annotations

from typing import Any

import pytest

from crawler.bridge.guesses import is_guessed_image, of_guessed_image
from crawler.bridge.outcomes import unusable
from crawler.discover.page import discover
from crawler.frontier.base import Completion
from crawler.records import Done, Failed, Kind, Rekind, Retry, Skipped
from tests.bridge.parts import HOST, answer, lease

GUESS = lease(f"{HOST}/b.jpg", Kind.IMAGE, priority=9)


def test_only_what_was_guessed_counts_as_it() -> None:
    page = b"<a href=/a.jpg><img src=/a-150x150.jpg></a><img src=/b-150x150.jpg><img src=/x.gif width=1 height=1>"
    found = {each.url.removeprefix(HOST): each for each in discover(page, None, f"{HOST}/").candidates}
    guessed = {
        url: is_guessed_image(lease(each.url, each.kind, priority=each.priority).item) for url, each in found.items()
    }
    assert guessed == {
        "/a.jpg": False,
        "/a-150x150.jpg": False,
        "/b-150x150.jpg": False,
        "/x.gif": False,
        "/b.jpg": True,
    }
    assert not is_guessed_image(lease(f"{HOST}/calendar", Kind.PAGE, priority=9).item)


@pytest.mark.parametrize(
    ("outcome", "counted"),
    [
        (Done(None, (b"hit",), {"images": 1}), Done(None, (b"hit",), {"images": 1, "guesses": 1})),
        (Failed("http-404"), Skipped("no-original")),
        (Failed("closed"), Skipped("no-original")),
        (Rekind(Kind.PAGE), Rekind(Kind.PAGE)),
        (Failed("undecodable(bomb)", (), {"images": 1}), Failed("undecodable(bomb)", (), {"images": 1, "guesses": 1})),
        (Retry("http-503", 1.0), Retry("http-503", 1.0)),
        (None, None),
    ],
)
def test_how_a_guess_ends(outcome: Any, counted: Any) -> None:
    assert of_guessed_image(Completion(GUESS, outcome)).outcome == counted


def test_where_a_guess_is_redirected_to_is_a_guess() -> None:
    moved = answer(302, url=GUESS.item.url, location=f"{HOST}/nothing-here")
    for priority, wanted in ((9, 9), (1, 2)):
        ended = unusable(lease(f"{HOST}/b.jpg", Kind.IMAGE, priority=priority), moved, 0.0)
        assert ended is not None and isinstance(ended.outcome, Done) and ended.outcome.discovered is not None
        assert [each.priority for each in ended.outcome.discovered.candidates] == [wanted]
