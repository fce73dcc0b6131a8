"""No content of a file breaks a reader: it is taken, or refused with its name and one line."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crawler.attribute.book import Attributor, open_book
from crawler.attribute.load import Incoming, Stated, load_files
from crawler.errors import AddressDataInvalid
from crawler.records import AddressFacts
from tests.attribute.excerpts import TEXTS
from tests.attribute.excerpts.mmdb import mmdb
from tests.attribute.test_load import MMDB, NOW

WHOLE = {name: text.encode() if isinstance(text, str) else text for name, text in TEXTS.items()}
WHOLE["mmdb"] = mmdb("GeoLite2-Country", MMDB)
PIECES = [b"\n", b"|", b"\t", b"\0", b"\xff", b":", b"-", b"{", b'"', b"999999999999", b"::/0", b"0.0.0.0", b" \n \n"]
_numbers = itertools.count()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """An excerpt that was cut, doubled, or had pieces put into it."""
    content = WHOLE[draw(st.sampled_from(sorted(WHOLE)))]
    for _ in range(draw(st.integers(1, 3))):
        start, end = sorted((draw(st.integers(0, len(content))), draw(st.integers(0, len(content)))))
        middle = draw(st.sampled_from([b"", content[start:end] * 2, *PIECES]))
        content = content[:start] + middle + content[draw(st.sampled_from([start, end, min(start + 1, end)])) :]
    packed = gzip.compress(content, mtime=0)
    return draw(st.sampled_from([content, content, packed, packed[: len(packed) * 3 // 4]]))


@given(damaged())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_taken_or_refused(tmp_path: Path, content: bytes) -> None:
    home = tmp_path / str(next(_numbers))
    home.mkdir()
    path = home / "data"
    path.write_bytes(content)
    try:
        load_files(home / "tables", [Incoming(path, "data")], Stated(date="2026-06-17"), now=NOW)
    except AddressDataInvalid as error:
        assert str(error).startswith("data: ")
        assert "\n" not in str(error)
        return
    book = open_book(home / "tables", packaged=False)
    for address in ("45.9.1.140", "45.10.2.1", "104.16.0.1", "255.255.255.255", "0.0.0.0", "2a10:1:ff::1", "::"):
        assert isinstance(Attributor(book).lookup(address), AddressFacts)
    assert book.domains("a.b.nl")


@pytest.mark.long
@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "data"
    path.write_bytes(content)
    try:
        load_files(tmp_path / "tables", [Incoming(path, "data")], Stated(date="2026-06-17", force=True), now=NOW)
    except AddressDataInvalid as error:
        assert str(error).startswith("data: ")
