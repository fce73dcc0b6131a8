"""The address tables of the package: whole, small, known addresses, and shared through files."""

from __future__ import annotations

import csv
import json
import lzma
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from crawler.attribute.archive import expand, squeeze
from crawler.attribute.book import open_tables
from crawler.attribute.container import read_sections
from crawler.attribute.make_snapshot import main
from crawler.attribute.packed import PackedTable, pack
from crawler.attribute.rows import Row, TableInfo, Values
from crawler.attribute.snapshot import NAMES, snapshot_bytes, snapshot_file
from crawler.attribute.tables import TableSet
from crawler.errors import AddressDataInvalid, HomeUnusable

DUTCH = {"145.97.39.155": 1145, "37.97.128.1": 20857, "2a02:898::1": 8283}
"""Long-standing assignments: SURF, TransIP, Coloclue."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> TableSet:
    return open_tables(tmp_path_factory.mktemp("tables"))


def test_what_is_dutch_and_who_announces_it(world: TableSet) -> None:
    for address, asn in DUTCH.items():
        facts = world.lookup(address)
        assert (facts.country, facts.asn) == ("NL", asn)
        assert facts.as_name
        assert {evidence.date for evidence in facts.evidence} == {"2026-06-17"}
    assert world.lookup("8.8.8.8").country == "US"
    assert world.lookup("10.0.0.1").country is None


def test_the_dutch_address_space_has_the_expected_size() -> None:
    packed = snapshot_bytes("country")
    country, (_, sections) = PackedTable(packed, "country"), read_sections(packed)
    dutch = [row for row in range(len(sections["facts"]) // 7) if country.values(row).country == "NL"]
    sizes = np.diff(sections["start4"].astype(np.int64), append=2**32)
    # Sources differ on what is Dutch; this one lies among them.
    assert 45_000_000 < sizes[np.isin(sections["row4"], dutch)].sum() < 60_000_000


def test_the_package_stays_small() -> None:
    data = resources.files("crawler.attribute").joinpath("data")
    assert sum(len(data.joinpath(f"{name}.vga.xz").read_bytes()) for name in NAMES) <= 2_000_000
    assert "CC-BY-4.0" in data.joinpath("README.md").read_text()


def test_it_is_expanded_once_and_leftovers_go(tmp_path: Path) -> None:
    old = tmp_path / f"country-{'0' * 16}.vga"
    old.write_bytes(b"")
    path = snapshot_file("country", tmp_path)
    assert [path] == list(tmp_path.iterdir())
    before = path.stat().st_mtime_ns
    assert snapshot_file("country", tmp_path) == path
    assert path.stat().st_mtime_ns == before
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeUnusable, match="cannot hold the address tables"):
        snapshot_file("country", tmp_path / "file")


def test_an_archive_expands_to_what_it_was_made_of() -> None:
    rows = [Row(4, 5 * number, 5 * number + 7, Values("NL", number + 1, f"name {number}")) for number in range(200)]
    rows += [Row(6, number << 64, (number << 64) + 9, Values(holder="é")) for number in range(1, 50)]
    packed = pack(TableInfo("test", "2026-06-17", "CC0-1.0"), rows)
    archive = squeeze(packed)
    assert len(archive) < len(packed) / 5
    assert expand(archive, "test") == packed
    for bad in (b"", archive[:-1], b"x" + archive, lzma.compress(b"something else")):
        with pytest.raises(AddressDataInvalid, match="test: is no whole address archive"):
            expand(bad, "test")


def test_a_bomb_is_not_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crawler.attribute.archive.MAX_EXPANDED", 1_000_000)
    with pytest.raises(AddressDataInvalid, match="too large"):
        expand(lzma.compress(bytes(5_000_000)), "bomb")


def test_how_the_snapshot_is_made(tmp_path: Path) -> None:
    """From files in the syntax of the npm packages, overlaps included."""
    asn, country, out = tmp_path / "asn", tmp_path / "country", tmp_path / "out"
    for directory in (asn, country, out):
        directory.mkdir()
        (directory / "package.json").write_text(json.dumps({"version": "2.3.2026061719"}))
    v4 = [(0, 4095, "64496", 'Big, "quoted"'), (4096, 4099, "64497", "Small abroad"), (4100, 4103, "64498", "Small NL")]
    v4 += [(16, 31, "64499", "Inside"), (4104, 4107, "64498", "Small NL")]
    for directory, name, rows in (
        (asn, "asn-ipv4", v4),
        (asn, "asn-ipv6", [(2**120, 2**120 + 9, "64500", "Six")]),
        (country, "geo-whois-asn-country-ipv4", [(0, 4095, "US"), (4100, 4107, "NL"), (4096, 4099, "BE")]),
        (country, "geo-whois-asn-country-ipv6", [(2**120, 2**121 - 1, "NL")]),
    ):
        with (directory / f"{name}-num.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows(rows)
    result = CliRunner().invoke(main, [str(asn), str(country), "--out", str(out)])
    assert result.exit_code == 0, result.output
    found = TableSet(PackedTable(expand((out / f"{name}.vga.xz").read_bytes(), name), name) for name in NAMES)
    said = {
        address: (facts.country, facts.asn, facts.as_name)
        for address in ("0.0.0.1", "0.0.0.17", "0.0.16.1", "0.0.16.5", "0.0.16.12", "100::1", "100::10")
        for facts in [found.lookup(address)]
    }
    assert said == {
        "0.0.0.1": ("US", 64496, 'Big, "quoted"'),
        "0.0.0.17": ("US", 64499, None),
        "0.0.16.1": ("BE", 64497, None),
        "0.0.16.5": ("NL", 64498, "Small NL"),
        "0.0.16.12": (None, None, None),
        "100::1": ("NL", 64500, "Six"),
        "100::10": ("NL", None, None),
    }
    # Equal neighbours are one range.
    assert found.lookup("0.0.16.5").prefix == "0.0.16.4/29" or found.lookup("0.0.16.5").prefix == "0.0.16.4-0.0.16.11"
