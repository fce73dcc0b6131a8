"""Scope: what is judged, in which order, and that no notation of an address gets around it."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.campaign import Campaign, parse_campaign
from crawler.ranges import PrefixSet, parse_prefix, special_range, unwrapped
from crawler.records import AddressFacts, Evidence, Rejected
from crawler.scope import CachedScope, Scope, politeness_key

FILE = """
[campaign]
name = "test"
purpose = "test"
legal_basis = "test"
authorised_by = "test"
valid_until = 2027-01-31
[scope]
{scope}
[seeds]
domains = ["a.nl"]
[network]
allow_private = {private}
"""


@dataclass
class Facts:
    """A table of whole prefixes, most specific first; counts what it is asked."""

    rows: dict[str, AddressFacts] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def lookup(self, address: str) -> AddressFacts:
        self.asked.append(address)
        found = (facts for prefix, facts in self.rows.items() if ip_address(address) in ip_network(prefix))
        return next(found, AddressFacts())


def row(prefix: str, country: str | None = None, asn: int | None = None) -> AddressFacts:
    fact = Evidence(f"{country} {asn}", "test table", "2026-06-17", prefix)
    return AddressFacts(country=country, asn=asn, prefix=prefix, evidence=(fact,))


def campaign(scope: str, *, private: bool = False) -> Campaign:
    return parse_campaign(FILE.format(scope=scope, private=str(private).lower()), "test.toml", lab=True)


EVERYTHING_DUTCH = Facts({"0.0.0.0/0": row("0.0.0.0/0", "NL"), "::/0": row("::/0", "NL")})
DUTCH = Scope(campaign('countries = ["NL"]'), EVERYTHING_DUTCH)
OPEN = Scope(campaign('prefixes = ["0.0.0.0/0", "::/0"]\ncountries = ["NL"]'), EVERYTHING_DUTCH)

SPECIAL = {
    "loopback": ["127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1", "2a02:898::200:5efe:7f00:1"],
    "private": [
        *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fd00::1", "fec0::1", "64:ff9b:1::1"),
        *("2a02:898::5efe:10.0.0.1", "64:ff9b::10.0.0.1"),
    ],
    "link-local": ["169.254.1.1", "fe80::1"],
    "metadata": ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "2002:a9fe:a9fe::1"],
    "cgnat": ["100.64.0.1", "100.127.255.255"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.255", "2001:db8::1", "3fff::1"],
    "benchmarking": ["198.18.0.1", "198.19.255.255"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1"],
    "reserved": ["192.0.0.8", "240.0.0.1", "255.255.255.255", "2001::1", "::7f00:1", "::ffff:0:7f00:1", "4000::1"],
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],
    "not-an-address": [
        "",
        "a.nl",
        "1.2.3",
        "0x7f.1",
        "2130706433",
        "127.1",
        "fe80::1%lo",
        "1.2.3.4/32",
        "１.2.3.4",
        "[::1]",
    ],
}


@pytest.mark.parametrize(("reason", "address"), [(reason, one) for reason, many in SPECIAL.items() for one in many])
def test_what_is_not_the_public_internet_is_denied_whatever_admits_it(reason: str, address: str) -> None:
    for scope in (DUTCH, OPEN):
        verdict = scope.judge(address)
        assert (verdict.in_scope, verdict.reason) == (False, reason)


@pytest.mark.parametrize(
    "address",
    [
        *("9.255.255.255", "11.0.0.0", "128.0.0.0", "172.32.0.0", "100.128.0.0", "2a02::1", "2003::1", "2000::1"),
        *("2a02:898::5efe:145.97.39.155", "2a02:898::5eff:a00:1"),
    ],
)
def test_the_neighbours_of_special_ranges_are_public(address: str) -> None:
    assert DUTCH.judge(address).reason == "country"


def test_prefix_then_as_then_country_admit_with_their_evidence() -> None:
    rows = {"8.8.8.0/24": row("8.8.8.0/24", "US", 64_496), "8.0.0.0/8": row("8.0.0.0/8", "US")}
    rows |= {"145.97.0.0/16": row("145.97.0.0/16", "NL", 64_497)}
    scope = Scope(campaign('prefixes = ["8.9.0.0/16"]\nasns = [64496]\ncountries = ["NL"]'), Facts(rows))
    assert scope.judge("8.9.1.1").reason == "prefix"
    assert scope.judge("8.9.1.1").evidence[0].prefix == "8.9.0.0/16"
    assert scope.judge("8.8.8.8").reason == "asn"
    assert [each.fact for each in scope.judge("8.8.8.8").evidence] == ["scope.asns has 64496", "US 64496"]
    assert scope.judge("145.97.1.1").reason == "country"
    abroad, unknown = scope.judge("8.1.1.1"), scope.judge("9.1.1.1")
    assert (abroad.in_scope, abroad.reason, abroad.evidence) == (False, "not-admitted", rows["8.0.0.0/8"].evidence)
    assert (unknown.in_scope, unknown.reason, unknown.evidence) == (False, "unknown", ())


def test_an_exclusion_wins_over_a_more_specific_admission() -> None:
    scope = Scope(
        campaign('countries = ["NL"]\nprefixes = ["145.97.1.0/24"]\nexclude_prefixes = ["145.97.0.0/16"]'),
        EVERYTHING_DUTCH,
    )
    for address in ("145.97.1.1", "::ffff:145.97.1.1", "2002:9161:0101::1", "64:ff9b::145.97.1.1"):
        assert scope.judge(address).reason == "excluded"
    assert scope.judge("145.98.0.1").in_scope


def test_an_exclusion_of_the_wrapping_prefix_counts_too() -> None:
    scope = Scope(campaign('countries = ["NL"]\nexclude_prefixes = ["2002::/16"]'), EVERYTHING_DUTCH)
    assert scope.judge("2002:9161:0101::1").reason == "excluded"
    assert scope.judge("145.97.1.1").in_scope


def test_without_country_and_as_rules_no_table_is_asked() -> None:
    table = Facts()
    scope = Scope(campaign('prefixes = ["145.97.0.0/16"]'), table)
    assert scope.judge("8.8.8.8").reason == "not-admitted"
    assert table.asked == []


LAB = Facts({"127.10.0.0/16": row("127.10.0.0/16", "NL", 64_496), "127.20.0.0/16": row("127.20.0.0/16", "XZ", 64_499)})


def test_in_the_lab_loopback_is_judged_by_the_rules() -> None:
    rules = 'countries = ["NL"]\nasns = [64499]\nprefixes = ["127.30.0.0/16"]\nexclude_prefixes = ["127.10.66.0/24"]'
    scope = Scope(campaign(rules, private=True), LAB)
    reasons = {address: scope.judge(address).reason for address in ("127.10.0.1", "127.20.0.1", "127.30.0.1")}
    assert reasons == {"127.10.0.1": "country", "127.20.0.1": "asn", "127.30.0.1": "prefix"}
    assert scope.judge("127.10.66.1").reason == "excluded"
    # No rule reaches it; a range that is not public is named as what it is.
    assert not scope.judge("127.0.0.1").in_scope
    assert not scope.judge("::1").in_scope


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "169.254.169.254", "192.168.0.1", "fd00:ec2::254", "100.64.0.1", "224.0.0.1"]
)
def test_in_the_lab_a_rule_that_reaches_over_private_ranges_does_not_open_them(address: str) -> None:
    wide = 'countries = ["NL"]\nprefixes = ["0.0.0.0/0", "::/0"]'
    scope = Scope(campaign(wide, private=True), EVERYTHING_DUTCH)
    assert not scope.judge(address).in_scope
    assert scope.judge("127.0.0.1").in_scope


def test_in_the_lab_a_rule_within_a_private_range_opens_it() -> None:
    scope = Scope(
        campaign('prefixes = ["10.1.0.0/16"]\ncountries = ["NL"]', private=True),
        Facts({"10.2.0.0/16": row("10.2.0.0/16", "NL")}),
    )
    assert scope.judge("10.1.0.1").reason == "prefix"
    assert scope.judge("10.2.0.1").reason == "country"
    assert scope.judge("10.3.0.1").reason == "private"


def test_excluded_names_by_label() -> None:
    scope = Scope(campaign('countries = ["NL"]\nexclude_domains = ["example.nl", "b.co.uk"]'), Facts())
    excluded = ("example.nl", "www.example.nl", "a.b.EXAMPLE.nl.", "b.co.uk")
    assert [scope.judge_host_name(host).reason for host in excluded] == ["excluded"] * 4
    assert all(scope.judge_host_name(host).in_scope for host in ("badexample.nl", "nl", "co.uk", "example.nl.evil.com"))


def test_ports() -> None:
    assert Scope(campaign('countries = ["NL"]'), Facts()).permits_port(8080)
    scope = Scope(campaign('countries = ["NL"]\nports = [80, 443]'), Facts())
    assert scope.permitted_ports == {80, 443}
    assert scope.permits_port(80)
    assert not scope.permits_port(8080)


def test_the_cache_is_bounded_and_does_not_change_verdicts() -> None:
    table = Facts({"145.97.0.0/16": row("145.97.0.0/16", "NL")})
    scope = CachedScope(campaign('countries = ["NL"]'), table, size=2)
    for _ in range(3):
        assert scope.judge("145.97.1.1").in_scope
    assert table.asked == ["145.97.1.1"]
    for address in ("145.97.1.2", "8.8.8.8", "145.97.1.1"):
        assert scope.judge(address) == Scope(campaign('countries = ["NL"]'), table).judge(address)
    assert table.asked.count("145.97.1.1") == 3  # forgotten, asked again; and asked by the one without a cache


def test_politeness_keys() -> None:
    keys = {
        "145.97.1.1": "145.97.1.1",
        "::ffff:145.97.1.1": "145.97.1.1",
        "2002:9161:101::9": "145.97.1.1",
        "2a02:898:0:1:aaaa::1": "2a02:898:0:1::/64",
        "2a02:898:0:1:bbbb::2": "2a02:898:0:1::/64",
    }
    assert {address: politeness_key(address) for address in keys} == keys


# ---------------------------------------------------------------- properties

v4 = st.one_of(
    st.integers(0, 2**32 - 1).map(IPv4Address),
    # Half of them near the edges of special ranges, where mistakes live.
    st.builds(
        lambda network, offset: IPv4Address((int(ip_network(network)[0]) + offset) % 2**32),
        st.sampled_from(
            ["10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/4"]
        ),
        st.integers(-3, 3),
    ),
)


def wrapped(address: IPv4Address, rest: int) -> list[IPv6Address]:
    number = int(address)
    return [
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address(0x2002 << 112 | number << 80 | rest),
        IPv6Address(0x64FF9B << 96 | number),
    ]


@given(v4, st.integers(0, 2**80 - 1))
def test_a_wrapped_address_is_judged_as_what_it_wraps(address: IPv4Address, rest: int) -> None:
    scope = Scope(campaign('countries = ["NL"]\nexclude_prefixes = ["145.0.0.0/8"]'), EVERYTHING_DUTCH)
    plain = scope.judge(str(address))
    for form in wrapped(address, rest):
        assert scope.judge(str(form)) == plain
        assert scope.judge(form.exploded) == plain
        assert politeness_key(str(form)) == str(address)


any_v6 = st.integers(0, 2**128 - 1)
global_v6 = st.integers(0, 2**125 - 1).map(lambda number: number | 1 << 125)


@given(st.one_of(v4, any_v6.map(IPv6Address), global_v6.map(IPv6Address)))
def test_what_the_standard_library_calls_not_global_is_never_in_scope(address: IPv4Address | IPv6Address) -> None:
    plain = unwrapped(address)
    if not plain.is_global or plain.is_multicast:
        assert not OPEN.judge(str(address)).in_scope
    elif special_range(plain) is None:
        assert OPEN.judge(str(address)).reason == "prefix"


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)), max_size=12), st.integers(0, 2**32 - 1))
def test_the_longest_prefix_is_found(prefixes: list[tuple[int, int]], number: int) -> None:
    networks = [ip_network((start & ~0 << 32 - length & 0xFFFFFFFF, length)) for start, length in prefixes]
    address = IPv4Address(number)
    around = [network for network in networks if address in network]
    assert PrefixSet(networks).around(address) == max(around, key=lambda network: network.prefixlen, default=None)
    if networks:
        inside = networks[0][0]
        assert PrefixSet(networks).around(inside) == max(
            (network for network in networks if inside in network), key=lambda network: network.prefixlen
        )


@given(st.text(max_size=40))
def test_no_text_breaks_the_parsers(text: str) -> None:
    assert isinstance(DUTCH.judge(text).in_scope, bool)
    assert isinstance(parse_prefix(text), Rejected) or parse_prefix(text) is not None
