"""Results travel sealed and signed: only the recorder reads them, only registered workers write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.bus.envelope import Sealer, public_key, unseal, verify_key
from crawler.errors import RecordCorrupt
from crawler.records import FoundImage, HitReport, RowMatch, RunId

SECRET, WORKER, STRANGER = b"r" * 32, b"w" * 32, b"s" * 32
KNOWN = {verify_key(WORKER)}


def report(url: str = "http://a.example/x.jpg", **changes: object) -> HitReport:
    found = FoundImage(b"2" * 32, b"5" * 16, 1234, 640, None, 97, (RowMatch(7, "pdq", 4, 31, "mirror"),))
    values: dict[str, object] = {
        "serial": "s1",
        "run": RunId("nightly", 3),
        "image_url": url,
        "page_url": None,
        "redirects": ("http://b.example/",),
        "found_at": 1.5,
        "address": "192.0.2.1",
        "index": "ab",
        "found": found,
    }
    return HitReport(**(values | changes))


def sealed(value: HitReport, signing: bytes = WORKER) -> bytes:
    return Sealer(public_key(SECRET), signing).seal(value)


@given(st.text(max_size=50), st.text(max_size=50) | st.none(), st.floats(0, 4e9))
def test_what_goes_in_comes_out(url: str, page: str | None, at: float) -> None:
    value = report(url, page_url=page, found_at=at)
    assert unseal(sealed(value), SECRET, KNOWN) == value


def test_nothing_of_a_report_is_readable_on_the_way() -> None:
    payload = sealed(report())
    assert b"a.example" not in payload
    assert b"2222" not in payload


def test_a_stranger_is_refused() -> None:
    with pytest.raises(RecordCorrupt, match="not registered"):
        unseal(sealed(report(), STRANGER), SECRET, KNOWN)


def test_a_borrowed_key_is_of_no_use_without_its_signature() -> None:
    payload = sealed(report(), STRANGER)
    with pytest.raises(RecordCorrupt, match="damaged"):
        unseal(payload[:1] + verify_key(WORKER) + payload[33:], SECRET, KNOWN)


@given(st.data())
def test_any_change_is_noticed(data: st.DataObject) -> None:
    payload = bytearray(sealed(report()))
    payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(RecordCorrupt):
        unseal(bytes(payload), SECRET, KNOWN)


def test_another_recorder_cannot_read_it() -> None:
    with pytest.raises(RecordCorrupt, match="another recorder"):
        unseal(sealed(report()), b"q" * 32, KNOWN)


@given(st.binary(max_size=300))
def test_rubbish_is_refused(payload: bytes) -> None:
    with pytest.raises(RecordCorrupt):
        unseal(payload, SECRET, KNOWN)
