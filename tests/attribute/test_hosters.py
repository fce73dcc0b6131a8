"""The table of hosters: what ships is sound, and what people write is checked."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from crawler.attribute.container import read_sections
from crawler.attribute.hosters import packaged_hosters, parse_hosters, read_hosters
from crawler.attribute.packed import PackedTable
from crawler.attribute.snapshot import snapshot_bytes
from crawler.errors import AddressDataInvalid

HEADER = "#vangnet-hosters 1\n#source test\n#date 2026-06-17\n#licence x\n"


def test_every_hoster_of_the_package_announces_mostly_dutch_addresses() -> None:
    countries, origins = snapshot_bytes("country"), snapshot_bytes("origin-as")
    country = PackedTable(countries, "country")
    _, held = read_sections(countries)
    _, announced = read_sections(origins)
    dutch = next(row for row in range(len(held["facts"]) // 7) if country.values(row).country == "NL")
    starts = np.union1d(held["start4"], announced["start4"]).astype(np.int64)
    sizes = np.diff(starts, append=2**32)
    of_country = held["row4"][np.searchsorted(held["start4"], starts, "right") - 1]
    of_origin = announced["row4"][np.searchsorted(announced["start4"], starts, "right") - 1]
    total = np.bincount(of_origin, weights=sizes)
    at_home = np.bincount(of_origin, weights=sizes * (of_country == dutch))
    asns = announced["facts"].reshape(-1, 7)[:, 1].tolist()
    share = {asns[row]: at_home[row] / total[row] for row in np.flatnonzero(total)}
    low = {asn: share.get(asn) for asn in packaged_hosters().by_asn if not share.get(asn, 0) >= 0.7}
    assert low == {}


def test_every_hoster_of_the_package_is_named_by_the_as_that_it_has() -> None:
    """A wrong number would admit a stranger's addresses, so the name that the AS has must have a word of ours."""
    origins = snapshot_bytes("origin-as")
    table = PackedTable(origins, "origin-as")
    rows = (table.values(row) for row in range(1, len(read_sections(origins)[1]["facts"]) // 7))
    named = {values.asn: re.sub("[^a-z0-9]", "", (values.as_name or "").lower()) for values in rows}
    strangers = []
    for hoster in packaged_hosters().by_asn.values():
        words = {re.sub("[^a-z0-9]", "", name.lower()) for name in (hoster.name, *hoster.brands)}
        if not any(word and word in named.get(hoster.asn, "") for word in words):
            strangers.append((hoster.asn, hoster.name, named.get(hoster.asn)))
    assert strangers == []


def test_brands_of_the_package() -> None:
    hosters = packaged_hosters()
    assert hosters.by_asn[20857].name == "TransIP"
    assert "Signet" in hosters.by_asn[20857].brands
    assert {hoster.country for hoster in hosters.by_asn.values()} == {"NL"}


MISTAKES = [
    ("64496 | NL", "line 5: has 2 columns"),
    ("64496 | NL | Polder | a | b", "line 5: has 5 columns"),
    ("0 | NL | Polder", "line 5: '0' is not an AS number"),
    ("64496 | Nederland | Polder", "line 5: 'Nederland' is not a two-letter"),
    ("64496 | NL | ", "line 5: names no hoster"),
    ("64496 | NL | Pol\x07der", "line 5: names no hoster, or holds a control"),
    ("64496 | NL | Polder\nAS64496 | NL | Polder", "line 6: AS64496 stands in the table already"),
]


@pytest.mark.parametrize(("row", "message"), MISTAKES)
def test_a_mistake_is_named_with_its_line(row: str, message: str) -> None:
    with pytest.raises(AddressDataInvalid) as caught:
        parse_hosters(HEADER + row, "h.txt")
    assert str(caught.value).startswith(f"h.txt: {message}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"64496 | NL | Polder", "line 1: is not '#vangnet-hosters 1'"),
        (HEADER.replace("#date 2026-06-17\n", "").encode(), "the header has no line '#date"),
        (HEADER.replace("2026-06-17", "today").encode(), "'today' is not a day"),
        (HEADER.encode() + b"64496 | NL | caf\xe9", "line 5: is not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_table(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "hosters.txt"
    path.write_bytes(content)
    with pytest.raises(AddressDataInvalid, match=r"hosters\.txt: ") as caught:
        read_hosters(path)
    assert message in str(caught.value)
