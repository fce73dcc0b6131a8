"""Many addresses at once are attributed as one at a time, and evidence is made when it is read."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, fields, replace
from socket import inet_ntoa
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.attribute import tables as module
from crawler.attribute.book import AddressBook, Attributor, open_book
from crawler.attribute.chain import attribute
from crawler.attribute.load import Incoming, Stated, load_files
from crawler.attribute.rows import range_text, range_texts
from crawler.attribute.said import LateEvidence
from crawler.records import AddressFacts, Evidence
from tests.attribute.excerpts import write
from tests.attribute.test_load import NOW, STAMP

OWN = """#vangnet-addresses 1
#source of the test
#date 2026-06-17
#licence CC0-1.0
45.9.0.128-45.9.1.200 | DE |       |             |       |           |                   | Lichtsnel
45.9.1.129            |    | 64499 | Sluis       | SLUIS | Sluis B.V.| abuse@sluis.example
2a10:1::/48           | BE
"""


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> AddressBook:
    """All excerpts, a table of people with ranges across theirs, and the snapshot."""
    home = tmp_path_factory.mktemp("home")
    files = write(home / "plain")
    for path in files:
        os.utime(path, (STAMP, STAMP))
    load_files(home / "tables", [Incoming(path, path.name) for path in files], Stated(), now=NOW)
    (home / "tables" / "own.tbl").write_text(OWN)
    return open_book(home / "tables")


def around(first: str, count: int) -> list[str]:
    start = int.from_bytes(bytes(map(int, first.split("."))), "big")
    return [inet_ntoa(number.to_bytes(4, "big")) for number in range(start, start + count)]


ADDRESSES = [
    *around("45.8.255.200", 700),
    *around("45.10.0.250", 900)[::37],
    *around("104.16.0.0", 3),
    *map(inet_ntoa, (bytes(row) for row in np.random.default_rng(3).integers(0, 256, (400, 4), dtype=np.uint8))),
    *("0.0.0.0", "255.255.255.255", "45.9.1.129", "45.9.1.129", "34.1.0.1", "23.235.32.1"),
]


def test_a_batch_says_what_single_look_ups_say(book: AddressBook) -> None:
    single = [Attributor(book).lookup(address) for address in ADDRESSES]
    fresh = replace(book, tables=module.TableSet(book.tables.tables, book.tables.systems))
    batch = Attributor(fresh).lookup_many(ADDRESSES)
    assert batch == single
    assert [list(each.evidence) for each in batch] == [list(each.evidence) for each in single]
    assert Attributor(fresh).lookup_many(ADDRESSES[::-1]) == single[::-1], "what is remembered is the same"
    assert sum(each.holder is not None for each in batch) > 500
    assert sum(each.country is None for each in batch) > 10, "some are nowhere"


def test_ipv6_and_embedded_addresses_may_be_among_them(book: AddressBook) -> None:
    mixed = ["45.9.1.129", "2a10:1::5", "::ffff:45.9.1.129", "2002:2d09:0181::1", "2a10:1:ff::1"]
    found = Attributor(book).lookup_many(mixed)
    assert found == [Attributor(book).lookup(address) for address in mixed]
    assert found[0] == found[2] == found[3]
    assert found[1].country == "BE"


@pytest.mark.parametrize("bad", ["45.9.1", "0x2d.9.1.1", "", "45.9.1.256", "a.nl"])
def test_what_is_no_address_is_an_error_as_for_one(book: AddressBook, bad: str) -> None:
    with pytest.raises(ValueError, match="is not an IP address"):
        Attributor(book).lookup_many(["45.9.1.1", bad])


def test_a_batch_larger_than_what_is_remembered(book: AddressBook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REMEMBERED", 20)
    fresh = module.TableSet(book.tables.tables, book.tables.systems)
    numbers = module.ipv4_numbers(ADDRESSES)
    assert numbers is not None
    for _ in range(2):
        found = fresh.lookup_many(numbers)
        assert found == [book.lookup(address) for address in ADDRESSES]
        assert len(fresh._remembered4) <= 20
        assert len(fresh._joined) <= 20


@pytest.mark.parametrize("known", [{}, {"country": "NL", "asn": 64496, "cdn": "Lichtsnel", "anycast": True}])
def test_the_facts_of_a_kind_of_address_are_put_in_their_place(known: dict[str, Any]) -> None:
    names = {each.name for each in fields(AddressFacts)} - {"prefix", "evidence"}
    kind = AddressFacts(**{name: f"its {name}" for name in names} | known)
    evidence = (Evidence("country NL", "of the test"),)
    assert kind.at("192.0.2.0/24", evidence) == replace(kind, prefix="192.0.2.0/24", evidence=evidence)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32), st.booleans())))
def test_ranges_are_written_in_bulk_as_one_by_one(cases: list[tuple[int, int, bool]]) -> None:
    ranges = [(start >> size << size if whole else start, size) for start, size, whole in cases]
    ranges = [(first, min(first + (1 << size) - 1, 2**32 - 1)) for first, size in ranges]
    columns = np.array(ranges, dtype=np.int64).reshape(-1, 2).T
    assert range_texts(*columns) == [range_text(4, first, last) for first, last in ranges]


def test_an_attribution_holds_its_evidence_itself_so_that_it_can_be_stored(book: AddressBook) -> None:
    found = attribute("http://45.9.1.129/a", "45.9.1.129", Attributor(book), book.domains)
    stored = json.loads(json.dumps(asdict(found.facts)))
    assert [each["fact"] for each in stored["evidence"]] == [each.fact for each in book_facts(book).evidence]
    assert len(stored["evidence"]) > 5


def test_a_registered_domain_is_a_fact_with_source_and_date(book: AddressBook) -> None:
    found = attribute("http://a.b.polderpages.nl/a", "45.9.1.129", Attributor(book), book.domains)
    said = "registered domain b.polderpages.nl, in the registry polderpages.nl"
    assert found.facts.evidence[-1] == Evidence(said, "Public Suffix List", "2026-06-16")
    packaged = attribute("http://a.example.nl/", "45.9.1.129", Attributor(book)).facts.evidence[-1]
    assert packaged.fact == "registered domain example.nl"
    assert packaged.source.startswith("Public Suffix List in tldextract ")
    assert (packaged.date or "") > "2025-01-01"


def book_facts(book: AddressBook) -> AddressFacts:
    return Attributor(book).lookup("45.9.1.129")


def test_no_addresses_are_no_facts(book: AddressBook) -> None:
    assert Attributor(book).lookup_many([]) == []


def test_evidence_is_made_at_the_first_look_and_then_kept() -> None:
    asked: list[tuple[int, int]] = []

    def make(version: int, number: int) -> tuple[Evidence, ...]:
        asked.append((version, number))
        return (Evidence("country NL", "of the test"), Evidence("origin AS64496", "of the test"))

    late = LateEvidence(make, 4, 7)
    assert asked == []
    assert (len(late), late[0].fact, late[-1].fact, late[:1]) == (2, "country NL", "origin AS64496", (late[0],))
    assert late == make(4, 7) == tuple(late)
    assert late == LateEvidence(make, 4, 7)
    assert late != ()
    assert hash(late) == hash(tuple(late))
    assert repr(late) == repr(tuple(late))
    assert asked.count((4, 7)) == 3, "once for each of the two, and once by the test"
