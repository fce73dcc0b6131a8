from __future__ import annotations

from typing import Any

from crawler.records import Disclosure
from crawler.review.disclosure import NOTHING, disclosed, permitted

ALL = Disclosure(digest=True, code=True, list_name=True, distance=True)


def hit(*lists: str | None) -> dict[str, Any]:
    matches = [
        {
            "list": name,
            "list_version": 3,
            "entry": "e7",
            "algorithm": "pdq",
            "distance": 12,
            "threshold": 31,
            "category": "1",
            "transform": "none",
        }
        for name in lists
    ]
    return {"id": "h1", "sha256": "ab" * 32, "md5": "cd" * 16, "matches": matches}


def test_by_default_nothing_leaves() -> None:
    assert disclosed(hit("tulips"), {}) == {"sha256": None, "md5": None, "matches": []}
    assert permitted([]) == permitted([None]) == NOTHING
    assert not any((NOTHING.digest, NOTHING.code, NOTHING.list_name, NOTHING.distance))


def test_what_the_owner_permits_leaves() -> None:
    found = disclosed(hit("tulips"), {"tulips": ALL})
    assert found["sha256"] == "ab" * 32
    assert found["matches"] == [
        {"list": "tulips", "entry": "e7", "category": "1", "algorithm": "pdq", "distance": 12, "threshold": 31}
    ]
    named = disclosed(hit("tulips"), {"tulips": Disclosure(list_name=True)})
    assert named["sha256"] is None
    assert (named["matches"][0]["list"], named["matches"][0]["distance"]) == ("tulips", None)


def test_one_list_that_is_silent_silences_all() -> None:
    for others in (("roses",), (None,)):
        found = disclosed(hit("tulips", *others), {"tulips": ALL})
        assert found == {"sha256": None, "md5": None, "matches": []}
    assert permitted([ALL, Disclosure(digest=True)]) == Disclosure(digest=True)
