from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.errors import StoreUnavailable
from crawler.store.keys import Keyring
from crawler.store.sealed import BLIND_BYTES, Sealer, new_id

RING = Keyring({1: b"a" * 32}, b"b" * 32, b"c" * 32)
LATER = Keyring({1: b"a" * 32, 2: b"d" * 32}, b"b" * 32, b"c" * 32)


@given(st.text(st.characters()))
def test_round_trip(text: str) -> None:
    sealer = Sealer(RING)
    sealed = sealer.seal("hits", "image_url", "1", text)
    assert sealer.open("hits", "image_url", "1", sealed) == text
    assert sealed != sealer.seal("hits", "image_url", "1", text)
    assert len(text) < 4 or text.encode("utf-8", "surrogatepass") not in sealed


@given(st.lists(st.text()))
def test_several_texts(texts: list[str]) -> None:
    sealer = Sealer(RING)
    sealed = sealer.seal_texts("hits", "redirects", "1", tuple(texts))
    assert sealer.open_texts("hits", "redirects", "1", sealed) == texts


@pytest.mark.parametrize("place", [("hit", "image_url", "1"), ("hits", "page_url", "1"), ("hits", "image_url", "2")])
def test_a_value_does_not_open_in_another_place(place: tuple[str, str, str]) -> None:
    sealer = Sealer(RING)
    sealed = sealer.seal("hits", "image_url", "1", "text")
    with pytest.raises(StoreUnavailable, match="was changed or sealed by another key"):
        sealer.open(*place, sealed)


@given(st.data())
def test_any_changed_byte_is_found(data: st.DataObject) -> None:
    sealer = Sealer(RING)
    sealed = bytearray(sealer.seal("t", "c", "1", "some text"))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(StoreUnavailable) as caught:
        sealer.open("t", "c", "1", bytes(sealed))
    assert "some text" not in str(caught.value)


@given(st.binary(max_size=40))
def test_garbage_is_refused(value: bytes) -> None:
    with pytest.raises(StoreUnavailable):
        Sealer(RING).open("t", "c", "1", value)


def test_an_older_key_still_opens_and_the_newest_seals() -> None:
    old = Sealer(RING).seal("t", "c", "1", "text")
    later = Sealer(LATER)
    assert later.open("t", "c", "1", old) == "text"
    new = later.seal("t", "c", "1", "text")
    with pytest.raises(StoreUnavailable, match="no key opens it"):
        Sealer(RING).open("t", "c", "1", new)


@given(st.text(), st.text())
def test_blind_indexes_find_equals_only(one: str, other: str) -> None:
    sealer = Sealer(RING)
    assert len(sealer.blind("page_url", one)) == BLIND_BYTES
    assert (sealer.blind("page_url", one) == sealer.blind("page_url", other)) == (one == other)
    assert sealer.blind("page_url", one) != sealer.blind("image_url", one)


def test_blind_indexes_need_the_key() -> None:
    other = Keyring({1: b"a" * 32}, b"x" * 32, b"c" * 32)
    assert Sealer(RING).blind("sha256", b"1") != Sealer(other).blind("sha256", b"1")


def test_optional_fields() -> None:
    sealer = Sealer(RING)
    assert sealer.seal_optional("t", "c", "1", None) is None
    assert sealer.open_optional("t", "c", "1", None) is None
    assert sealer.open_optional("t", "c", "1", sealer.seal_optional("t", "c", "1", "x")) == "x"


def test_ids_are_distinct() -> None:
    assert len({new_id() for _ in range(1000)}) == 1000
