"""Address tables against a plain reading of the same rows with the `ipaddress` module."""

from __future__ import annotations

import datetime
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.attribute.book import home_tables, open_book, open_tables
from crawler.attribute.packed import PackedTable, pack
from crawler.attribute.rows import Row, TableInfo, Values, flatten, range_text
from crawler.attribute.table_status import status
from crawler.attribute.tables import TableSet, open_table
from crawler.attribute.text_table import parse_text_table
from crawler.errors import AddressDataInvalid
from crawler.home import Home
from crawler.records import AddressFacts

INFO = TableInfo("test", "2026-06-17", "CC0-1.0")
HEADER = "#vangnet-addresses 1\n#source test\n#date 2026-06-17\n#licence CC0-1.0\n"


def table(*rows: str, source: str = "test") -> PackedTable:
    info, parsed = parse_text_table(HEADER.replace("test", source) + "\n".join(rows), "t.tbl")
    return PackedTable(pack(info, parsed), "t.tbl")


def lookup(*rows: str, address: str) -> AddressFacts:
    return TableSet([table(*rows)]).lookup(address)


# ---------------------------------------------------------------- lookup

RANGES = {4: st.integers(0, 2**32 - 1), 6: st.integers(0, 2**128 - 1)}
NEAR = {4: st.integers(0x7F000000, 0x7F0000FF), 6: st.integers(2**127, 2**127 + 2**66)}


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Row], list[tuple[int, int]]]:
    """Rows without equal ranges, crowded so that they overlap, and addresses to ask for: edges of ranges and others."""
    rows: dict[tuple[int, int, int], Row] = {}
    asked: list[tuple[int, int]] = []
    for number in range(draw(st.integers(0, 10))):
        version = draw(st.sampled_from([4, 6]))
        ends = st.one_of(NEAR[version], NEAR[version], RANGES[version])
        first, last = sorted((draw(ends), draw(ends)))
        rows[version, first, last] = Row(version, first, last, Values(asn=number + 1))
        top = 2**32 if version == 4 else 2**128
        asked += [(version, edge) for edge in (first - 1, first, last, last + 1) if 0 <= edge < top]
    for version in (4, 6):
        asked += [(version, draw(st.one_of(NEAR[version], RANGES[version]))) for _ in range(3)]
    return list(rows.values()), asked


def address_text(version: int, number: int) -> str:
    return str(IPv4Address(number) if version == 4 else IPv6Address(number))


@given(tables())
@settings(max_examples=80, deadline=None)
def test_the_smallest_range_around_an_address_is_found(case: tuple[list[Row], list[tuple[int, int]]]) -> None:
    rows, asked = case
    found = TableSet([PackedTable(pack(INFO, rows), "test")])
    for version, number in asked:
        if version == 6 and number >> 112 in (0, 0x64, 0x2002):
            continue  # may embed IPv4, which has a test of its own
        around = [row for row in rows if row.version == version and row.first <= number <= row.last]
        best = min(around, key=lambda row: (row.last - row.first, -rows.index(row)), default=None)
        facts = found.lookup(address_text(version, number))
        assert facts.asn == (best.values.asn if best else None)
        assert facts.prefix == (range_text(version, best.first, best.last) if best else None)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda ends: tuple(sorted(ends))), max_size=8))
def test_flattening_leaves_no_gap_and_no_overlap(ranges: list[tuple[int, int]]) -> None:
    starts, owners = flatten(ranges)
    assert starts == sorted(set(starts))
    for number in range(62):
        position = max((place for place, start in enumerate(starts) if start <= number), default=-1)
        owner = owners[position] if position >= 0 else -1
        around = [(last - first, -place) for place, (first, last) in enumerate(ranges) if first <= number <= last]
        assert owner == (-min(around)[1] if around else -1)


@given(st.binary(min_size=4, max_size=4))
def test_embedded_ipv4_is_looked_up_as_ipv4(packed: bytes) -> None:
    plain = IPv4Address(packed)
    found = TableSet([table("0.0.0.0-127.255.255.255 | NL", "128.0.0.0/1 | BE", "::/0 | XX")])
    expected = found.lookup(str(plain))
    assert expected.country in ("NL", "BE")
    for form in (f"::ffff:{plain}", f"64:ff9b::{plain}", f"2002:{packed[:2].hex()}:{packed[2:].hex()}::9"):
        assert found.lookup(form) == expected


@pytest.mark.parametrize(
    "text", ["", "a.nl", "1.2.3", "0x7f.1", "1.2.3.4 ", "::1%lo", "1.2.3.4\0", "１.2.3.4", "1" * 999]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="is not an IP address"):
        lookup("0.0.0.0/0 | NL", address=text)


def test_without_tables_nothing_is_known() -> None:
    assert TableSet([]).lookup("192.0.2.1") == AddressFacts()
    assert TableSet([]).lookup("2001:db8::1") == AddressFacts()


def test_every_column_and_its_evidence() -> None:
    facts = lookup(
        "192.0.2.0/24 | NL | AS64496 | Polder | POLDER-NET | Polder B.V. | abuse@polder.example | Edge",
        address="192.0.2.7",
    )
    assert (facts.country, facts.asn, facts.as_name) == ("NL", 64496, "Polder")
    assert (facts.network, facts.holder, facts.abuse_contact) == ("POLDER-NET", "Polder B.V.", "abuse@polder.example")
    assert (facts.cdn, facts.prefix) == ("Edge", "192.0.2.0/24")
    assert [evidence.fact for evidence in facts.evidence] == [
        "country NL",
        "origin AS64496 Polder",
        "network POLDER-NET",
        "holder Polder B.V.",
        "abuse contact abuse@polder.example",
        "CDN Edge",
    ]
    assert {(e.source, e.date, e.prefix) for e in facts.evidence} == {("test", "2026-06-17", "192.0.2.0/24")}


def test_the_first_table_that_has_a_fact_decides_and_all_are_evidence() -> None:
    own = table("192.0.2.0/25 | BE | 64497", source="own")
    world = table("192.0.2.0/24 | NL | 64496 | Polder | | Polder B.V.", source="world")
    facts = TableSet([own, world]).lookup("192.0.2.1")
    assert (facts.country, facts.asn, facts.holder, facts.prefix) == ("BE", 64497, "Polder B.V.", "192.0.2.0/25")
    assert facts.as_name is None, "the name belongs to another AS"
    assert [(e.source, e.fact) for e in facts.evidence] == [
        ("own", "country BE"),
        ("own", "origin AS64497"),
        ("world", "country NL"),
        ("world", "origin AS64496 Polder"),
        ("world", "holder Polder B.V."),
    ]
    assert TableSet([own, world]).lookup("192.0.2.200").country == "NL"
    same = TableSet([table("192.0.2.0/25 | | 64496"), world]).lookup("192.0.2.1")
    assert same.as_name == "Polder"


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crawler.attribute.tables.MAX_REMEMBERED", 4)
    found = TableSet([table(*(f"10.0.{number}.0/24 | NL | {number + 1}" for number in range(20)))])
    for _ in range(2):
        for number in range(20):
            assert found.lookup(f"10.0.{number}.1").asn == number + 1
    assert len(found._remembered4) <= 4


# ---------------------------------------------------------------- the text format

MISTAKES = [
    ("192.0.2.1/24 | NL", "line 5: '192.0.2.1/24' has bits behind its length; 192.0.2.0/24 is"),
    ("192.0.2.9-192.0.2.1 | NL", "line 5: '192.0.2.9-192.0.2.1' runs backwards"),
    ("192.0.2.9-2001:db8::1 | NL", "line 5: '192.0.2.9-2001:db8::1' is not a range"),
    ("nonsense | NL", "line 5: 'nonsense' is not a prefix"),
    ("192.0.2.0/24", "line 5: says nothing of its range"),
    ("192.0.2.0/24 | Nederland", "line 5: 'Nederland' is not a two-letter country code"),
    ("192.0.2.0/24 | NL | 0", "line 5: '0' is not an AS number"),
    ("192.0.2.0/24 | NL | 4294967296", "line 5: '4294967296' is not an AS number"),
    ("192.0.2.0/24 | NL | ASX", "line 5: 'ASX' is not an AS number"),
    ("192.0.2.0/24 | NL | 1 | | | | nobody", "line 5: 'nobody' is not a mail address"),
    ("192.0.2.0/24" + " | x" * 8, "line 5: has 9 columns, more than 8"),
    ("192.0.2.0/24 | NL\n\n# note\n192.0.2.0-192.0.2.255 | BE", "line 8: the same range as line 5"),
    ("192.0.2.0/24\tNL", "line 5: holds a control character"),
    ("#" + "x" * 3_000, "line 5: longer than 2048 characters"),
    ("#source again", "line 5: a second '#source'"),
]


@pytest.mark.parametrize(("rows", "message"), MISTAKES)
def test_a_mistake_is_named_with_its_line(rows: str, message: str) -> None:
    with pytest.raises(AddressDataInvalid) as caught:
        parse_text_table(HEADER + rows, "t.tbl")
    assert str(caught.value).startswith(f"t.tbl: {message}")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1: is not '#vangnet-addresses 1'"),
        ("192.0.2.0/24 | NL\n", "line 1: is not '#vangnet-addresses 1'"),
        (HEADER.replace("#source test\n", ""), "the header has no line '#source …'"),
        (HEADER.replace("2026-06-17", "17-06-2026"), "line 3: '17-06-2026' is not a day"),
        (HEADER.replace("2026-06-17", "20260617"), "line 3: '20260617' is not a day"),
        (HEADER.replace("CC0-1.0", ""), "line 4: '#licence' says nothing"),
    ],
)
def test_the_header_says_where_the_data_comes_from(content: str, message: str) -> None:
    with pytest.raises(AddressDataInvalid) as caught:
        parse_text_table(content, "t.tbl")
    assert str(caught.value).startswith(f"t.tbl: {message}")


def test_line_ends_marks_and_spaces_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "t.tbl"
    path.write_bytes(
        b"\xef\xbb\xbf" + HEADER.replace("\n", "\r\n").encode() + b"  192.0.2.7 |NL|  \r\n\r\n# caf\xc3\xa9"
    )
    assert TableSet([open_table(path)]).lookup("192.0.2.7").prefix == "192.0.2.7/32"
    path.write_bytes(HEADER.encode() + b"192.0.2.0/24 | NL\n10.0.0.0/8 | NL | 1 | caf\xe9\n")
    with pytest.raises(AddressDataInvalid, match="line 6: is not UTF-8"):
        open_table(path)


@given(st.text(max_size=80))
def test_no_row_breaks_the_parser(row: str) -> None:
    try:
        parse_text_table(HEADER + row, "t.tbl")
    except AddressDataInvalid as error:
        assert "t.tbl: " in str(error)


# ---------------------------------------------------------------- packed files and directories


def test_a_damaged_packed_file_is_refused(tmp_path: Path) -> None:
    good = pack(INFO, parse_text_table(HEADER + "192.0.2.0/24 | NL | 64496 | Polder\n2001:db8::/32 | NL", "t")[1])
    path = tmp_path / "a.vga"
    path.write_bytes(good)
    assert TableSet([open_table(path)]).lookup("2001:db8::1").country == "NL"
    for bad in (
        b"",
        b"x",
        good[:-1],
        good + b"\0",
        b"X" + good[1:],
        good[:40],
        good[:8] + b"\xff\xff\xff\xff" + good[12:],
    ):
        path.write_bytes(bad)
        with pytest.raises(AddressDataInvalid, match=r"a\.vga"):
            open_table(path)


ROWS = "192.0.2.0/24 | NL | 64496 | Polder\n192.0.2.128/25 | BE\n2001:db8::/32 | NL\n2001:db8::1 | BE"
PACKED = pack(INFO, parse_text_table(HEADER + ROWS, "t")[1])


@given(st.integers(0, len(PACKED) - 1), st.integers(1, 255))
@settings(deadline=None)
def test_a_flipped_byte_is_refused(position: int, flip: int) -> None:
    changed = bytearray(PACKED)
    changed[position] ^= flip
    with pytest.raises(AddressDataInvalid, match="no whole packed address table"):
        PackedTable(bytes(changed), "t")


@given(st.integers(40, len(PACKED) - 1), st.integers(1, 255))
@settings(max_examples=150, deadline=None)
def test_a_table_of_a_faulty_writer_is_refused_or_can_be_asked(position: int, flip: int) -> None:
    """Faults that the digest cannot see, since the writer computed it over them."""
    changed = bytearray(PACKED)
    changed[position] ^= flip
    changed[8:40] = sha256(changed[40:]).digest()
    try:
        found = TableSet([PackedTable(bytes(changed), "t")])
    except AddressDataInvalid:
        return
    for address in ("192.0.2.1", "192.0.2.200", "2001:db8::1", "2001:db8::2", "255.255.255.255", "::"):
        assert isinstance(found.lookup(address), AddressFacts)


def test_the_tables_of_a_home_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    directory = tmp_path / "tables"
    directory.mkdir()
    (directory / "20-b.tbl").write_text(HEADER + "192.0.2.0/24 | NL\n")
    (directory / "10-a.tbl").write_text(HEADER + "192.0.2.0/24 | BE\n")
    (directory / "note.txt").write_text("no table")
    found = home_tables(Home(tmp_path, lab=True))
    assert [row.name for row in status(open_book(directory, packaged=False), datetime.date(2026, 6, 18))] == [
        "10-a",
        "20-b",
        "public-suffixes",
    ]
    assert found.lookup("192.0.2.1").country == "BE"
    assert open_tables(tmp_path / "absent", snapshot=False).tables == ()


def test_the_status_tells_age(tmp_path: Path) -> None:
    (tmp_path / "a.tbl").write_text(HEADER + "192.0.2.0/24 | NL\n")
    found = open_book(tmp_path, packaged=False)
    row, suffixes = status(found, datetime.date(2026, 6, 27))
    assert (suffixes.kind, suffixes.old) == ("suffixes", True), "the list that ships is no younger than its package"
    assert (row.source, row.date, row.licence, row.age_days, row.old) == ("test", "2026-06-17", "CC0-1.0", 10, False)
    assert status(found, datetime.date(2026, 9, 1))[0].old
