"""Bytes to text: whose word counts, and that nobody's word can break it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.discover.encoding import decode


@pytest.mark.parametrize(
    ("body", "content_type", "text", "codec"),
    [
        (b"\xef\xbb\xbf\xc3\xa9", "text/html; charset=latin-1", "\u00e9", "utf-8"),
        (b"\xff\xfea\x00", None, "a", "utf-16-le"),
        (b"\xfe\xff\x00a", "text/html; charset=utf-8", "a", "utf-16-be"),
        (b"\xe9", "text/html; charset=ISO-8859-1", "\u00e9", "cp1252"),
        (b"\x80", "text/html; charset=us-ascii", "\u20ac", "cp1252"),
        (b"\xc6", 'text/html; charset="windows-1251"', "\u0416", "cp1251"),
        (b"a\x00", "text/html; charset=utf-16", "a", "utf-16-le"),
        (b"<meta charset=windows-1251>\xc6", "text/html", "<meta charset=windows-1251>\u0416", "cp1251"),
        (
            b"<meta charset=windows-1251>\xc3\xa9",
            "text/html; charset=utf-8",
            "<meta charset=windows-1251>\u00e9",
            "utf-8",
        ),
        (b"<meta charset=utf-16>\xc3\xa9", None, "<meta charset=utf-16>\u00e9", "utf-8"),
        (b"<!-- <meta charset=koi8-r> --><meta charset=utf-8>\xc3\xa9", None, None, "utf-8"),
        (b"<meta http-equiv=content-type content='text/html; charset=shift_jis'>\x93\xfa", None, None, "cp932"),
        (
            b"<?xml version='1.0' encoding='iso-8859-2'?>\xb1",
            None,
            "<?xml version='1.0' encoding='iso-8859-2'?>\u0105",
            "iso8859-2",
        ),
        (b"\xc3\xa9", None, "\u00e9", "utf-8"),
        (b"\xe9t\xe9", None, "\u00e9t\u00e9", "cp1252"),
        (b"caf\xc3\xa9 \xe2\x82", None, "caf\u00e9 \ufffd", "utf-8"),
        (b"<\x00h\x00t\x00m\x00l\x00>\x00", None, "<html>", "utf-16-le"),
        (b"\xff\xfea\x00\x00\xd8b\x00\x01", None, "a\ufffdb\ufffd", "utf-16-le"),
        (b"", None, "", "utf-8"),
    ],
)
def test_whose_word_counts(body: bytes, content_type: str | None, text: str | None, codec: str) -> None:
    found, name = decode(body, content_type)
    assert name == codec
    if text is not None:
        assert found == text


@pytest.mark.parametrize(
    "label",
    [
        "utf-7",
        "base64",
        "rot13",
        "hex",
        "zip",
        "bz2",
        "idna",
        "punycode",
        "unicode_escape",
        "undefined",
        "nonsense",
        "utf-32",
        "mbcs",
    ],
)
def test_labels_that_no_page_may_choose(label: str) -> None:
    body = f"<meta charset={label}>+ADw-b".encode()
    for content_type in (f"text/html; charset={label}", None):
        text, codec = decode(body, content_type)
        assert text == body.decode()
        assert codec in ("utf-8", "cp1252")


@given(
    st.binary(max_size=80),
    st.one_of(st.none(), st.text(max_size=40)),
    st.sampled_from(["", "utf-16", "gb18030", "iso-2022-jp", "big5"]),
)
def test_any_bytes_become_text(body: bytes, content_type: str | None, label: str) -> None:
    for claimed in (content_type, f"text/html; charset={label}"):
        text, codec = decode(body, claimed)
        assert isinstance(text, str)
        "x".encode(codec)


def test_a_declaration_in_a_title_or_script_does_not_count_beside_a_real_one() -> None:
    for name in ("title", "script", "STYLE"):
        body = f"<{name}><meta charset=koi8-r></{name}><meta charset=windows-1252>é".encode("cp1252")
        assert decode(body, "text/html")[1] == "cp1252"
    assert decode(b"<script>'<meta charset=koi8-r>'</script>", "text/html")[1] == "koi8-r"
