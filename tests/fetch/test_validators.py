"""Which validators are believed; they survive being packed."""

from __future__ import annotations

import pytest

from crawler.fetch.validators import (
    LONGEST,
    NOTHING,
    Validators,
    strong_validators,
    unpack_validators,
)

DAY, LATER, SOON = (f"Sun, 01 Mar 2026 {clock} GMT" for clock in ("10:00:00", "10:01:00", "10:00:59"))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, NOTHING),
        ({"ETag": '"a"'}, ('"a"', None)),
        ({"etag": ' "a" ', "Last-Modified": DAY, "Date": LATER}, ('"a"', DAY)),
        ({"Last-Modified": DAY, "Date": LATER}, (None, DAY)),
        ({"Last-Modified": DAY, "Date": SOON}, NOTHING),
        ({"Last-Modified": DAY}, NOTHING),
        ({"Last-Modified": "yesterday", "Date": LATER}, NOTHING),
        ({"Last-Modified": "Thu, 01 Jan 1970 00:00:00 GMT", "Date": LATER}, NOTHING),
        ({"Last-Modified": "Sun, 01 Mar 9999 10:00:00 GMT", "Date": LATER}, NOTHING),
        ({"ETag": 'W/"a"'}, NOTHING),
        ({"ETag": "a"}, NOTHING),
        ({"ETag": '"a\r\nX: y"'}, NOTHING),
        ({"ETag": '"é"'}, NOTHING),
        ({"ETag": '"' + "a" * 59 + '"'}, NOTHING),
        ({"ETag": '"a"', "Vary": "*"}, NOTHING),
        ({"ETag": '""'}, ('""', None)),
        ({"ETag": '"' + "a" * 58 + '"', "Last-Modified": DAY, "Date": LATER}, ('"' + "a" * 58 + '"', DAY)),
    ],
)
def test_only_strong_validators_count(headers: dict[str, str], expected: Validators) -> None:
    packed = strong_validators(tuple(headers.items()))
    assert (packed is None) == (expected == NOTHING)
    assert len(packed or b"") <= LONGEST
    assert unpack_validators(packed or b"") == expected


@pytest.mark.parametrize("packed", [b"", b"abc", bytes(4) + b"a", bytes(4) + b'"\n"', bytes(LONGEST + 1)])
def test_what_is_none_asks_nothing(packed: bytes) -> None:
    assert unpack_validators(packed) == NOTHING
