"""Scope against a plain reading of the rules: one address at a time, with the `ipaddress` module."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, ip_network

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crawler.attribute.hosters import parse_hosters
from crawler.attribute.packed import PackedTable, pack
from crawler.attribute.rows import Row, TableInfo, Values
from crawler.attribute.scope_map import scope_map
from crawler.attribute.systems import Systems
from crawler.attribute.tables import TableSet
from crawler.scope import Scope
from tests.test_scope import campaign

HOSTERS = parse_hosters(
    "#vangnet-hosters 1\n#source t\n#date 2026-06-17\n#licence x\n3 | NL | Polder\n4 | BE | Molen\n", "t"
)
PRIVATE = [ip_network(text) for text in ("0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "192.168.0.0/16", "224.0.0.0/3")]
# Crowded, and over the edges of special ranges: 9.255.255.0 … 11.0.0.255.
SPACE = st.one_of(
    st.integers(0x09FFFF00, 0x0A0000FF), st.integers(0x0AFFFF00, 0x0B0000FF), st.integers(0x2D090000, 0x2D0900FF)
)
VALUES = st.builds(
    Values,
    country=st.sampled_from([None, "NL", "BE", "EU"]),
    asn=st.sampled_from([None, 1, 3, 4]),
    cdn=st.sampled_from([None, None, None, "Edge", "-"]),
    anycast=st.sampled_from([False, False, True]),
)


@dataclass(frozen=True)
class Case:
    tables: list[list[Row]]
    prefixes: list[IPv4Network]
    excluded: list[IPv4Network]
    asked: list[int]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    tables, asked = [], []
    for _ in range(draw(st.integers(0, 3))):
        rows: dict[tuple[int, int], Row] = {}
        for _ in range(draw(st.integers(0, 5))):
            first, last = sorted((draw(SPACE), draw(SPACE)))
            rows[first, last] = Row(4, first, last, draw(VALUES))
            asked += [first, last, last + 1, first - 1]
        tables.append(list(rows.values()))
    networks = st.builds(
        lambda number, length: IPv4Network((number >> (32 - length) << (32 - length), length)),
        SPACE,
        st.integers(8, 32),
    )
    prefixes, excluded = (draw(st.lists(networks, max_size=2)) for _ in range(2))
    asked += [int(network.network_address) + add for network in prefixes + excluded for add in (0, -1)]
    return Case(tables, prefixes, excluded, asked + [draw(SPACE) for _ in range(4)])


def plain_reading(case: Case, number: int) -> bool:
    """In scope by countries ["NL"], asns [1] and the prefixes of a case."""
    address = IPv4Address(number)
    if any(address in network for network in (*PRIVATE, *case.excluded)):
        return False
    if any(address in network for network in case.prefixes):
        return True
    said = []
    for rows in case.tables:
        around = [row for row in rows if row.first <= number <= row.last]
        if around:
            said.append(min(around, key=lambda row: (row.last - row.first, -rows.index(row))).values)
    asn = next((values.asn for values in said if values.asn), None)
    country = next((values.country for values in said if values.country not in (None, "EU")), None)
    cdn = next((values.cdn for values in said if values.cdn), None)
    if asn == 1:
        return True
    front = cdn not in (None, "-") or any(values.anycast for values in said)
    return (country == "NL" or asn == 3) and not front


ANYCAST_BESIDE_A_CUSTOMER = Case(
    [
        [Row(4, 0x09FFFF00, 0x09FFFF00, Values("NL", anycast=True))],
        [Row(4, 0x09FFFF00, 0x09FFFF00, Values(cdn="-"))],
    ],
    [],
    [],
    [0x09FFFF00],
)


@given(cases())
@example(ANYCAST_BESIDE_A_CUSTOMER)
@settings(max_examples=120, deadline=None)
def test_scope_and_its_map_say_what_the_rules_say(case: Case) -> None:
    info = TableInfo("t", "2026-06-17", "x")
    tables = TableSet([PackedTable(pack(info, rows), "t") for rows in case.tables], Systems(hosters=HOSTERS))
    text = f'countries = ["NL"]\nasns = [1]\nprefixes = {_listed(case.prefixes)}\n'
    outside = [network for network in case.prefixes if not any(network.overlaps(each) for each in PRIVATE)]
    text = text.replace(_listed(case.prefixes), _listed(outside)) + f"exclude_prefixes = {_listed(case.excluded)}"
    case = Case(case.tables, outside, case.excluded, case.asked)
    scope = Scope(campaign(text), tables)
    drawn = scope_map(tables, countries=["NL"], asns=[1], prefixes=outside, excluded=case.excluded)
    expected = [plain_reading(case, number) for number in case.asked]
    assert [scope.judge(str(IPv4Address(number))).in_scope for number in case.asked] == expected
    assert drawn.judge(np.array(case.asked, dtype=np.uint32)).tolist() == expected
    wrapped = [scope.judge(f"::ffff:{IPv4Address(number)}").in_scope for number in case.asked]
    assert wrapped == expected


def _listed(networks: list[IPv4Network]) -> str:
    return "[" + ", ".join(f'"{network}"' for network in networks) + "]"


def test_the_map_counts_addresses() -> None:
    rows = [Row(4, 0x2D090000, 0x2D0903FF, Values("NL")), Row(4, 0x2D090100, 0x2D0901FF, Values("BE"))]
    info = TableInfo("t", "2026-06-17", "x")
    tables = TableSet([PackedTable(pack(info, rows), "t")])
    assert scope_map(tables, countries=["NL"]).count() == 768
    assert scope_map(tables, prefixes=[IPv4Network("0.0.0.0/0")]).count() < 2**32
    assert scope_map(tables).count() == 0
