"""Scope: may an address be connected to, and why.

Special ranges are denied before anything else, exclusions win over admissions, and then a prefix, an AS number or a
country of the campaign admits. A country admits what its hosters announce, wherever that is registered, and neither
fronts of CDNs nor anycast. Addresses that embed IPv4 are judged as what they lead to. Pure: the tables are passed in,
nothing is resolved here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

from crawler.campaign import Campaign
from crawler.plain_rules import may_admit
from crawler.ranges import Special, parse_prefix, politeness_key
from crawler.records import AddressFacts, Evidence, Rejected, ScopeVerdict

__all__ = ["AddressTable", "CachedScope", "Scope", "politeness_key"]


class AddressTable(Protocol):
    """What is known of addresses. Implemented in `crawler.attribute.tables`, and by plain dicts in tests."""

    def lookup(self, address: str) -> AddressFacts:
        """The facts on an IP address in its usual text; AddressFacts() when no table has it.

        Raises ValueError when `address` is none.
        """
        ...


class Scope:
    """The scope of one campaign over the given tables."""

    def __init__(self, campaign: Campaign, table: AddressTable) -> None:
        self._plain = campaign.plain_rules()
        self._table = table
        self._countries = frozenset(campaign.scope.countries)
        self._asns = frozenset(campaign.scope.asns)

    @property
    def permitted_ports(self) -> frozenset[int]:
        """The ports that links may name; empty means any."""
        return self._plain.ports

    def permits_port(self, port: int) -> bool:
        """Whether a URL with this port may be fetched."""
        return self._plain.permits_port(port)

    def judge_host_name(self, host: str) -> ScopeVerdict:
        """Whether a DNS name may be resolved at all: "excluded" when scope.exclude_domains has it or a parent."""
        return self._plain.judge_host_name(host)

    def judge(self, address: str) -> ScopeVerdict:
        """The verdict on an IP address in its usual text, with its evidence.

        Reasons in scope: "prefix", "asn", "country", "hoster" (a hoster of a country of the scope announces it). Out of
        scope: "not-an-address", a special range ("loopback",
        "private", "link-local", "metadata", "cgnat", "documentation", "benchmarking", "multicast", "reserved",
        "unspecified"), "excluded", "cdn" and "anycast" (a country admits it, but it may be the front of anything),
        "not-admitted" (known, but elsewhere), "unknown" (no table has it).
        """
        judged = self._plain.judge_address(address)
        if isinstance(judged, ScopeVerdict):
            return judged
        if not self._asns and not self._countries:
            return ScopeVerdict(False, "not-admitted")
        found, special = judged
        facts = self._table.lookup(str(found))
        if special is not None and not _within(facts, special):
            fact = Evidence(
                f"{special.name} range, admitted by no rule within it", "campaign", None, str(special.network)
            )
            return ScopeVerdict(False, special.name, (fact, *facts.evidence))
        return self._by_tables(facts)

    def _by_tables(self, facts: AddressFacts) -> ScopeVerdict:
        if facts.asn in self._asns:
            rule = Evidence(f"scope.asns has {facts.asn}", "campaign")
            return ScopeVerdict(True, "asn", (rule, *facts.evidence))
        admitted = self._by_place(facts)
        if admitted is None:
            known = facts.country is not None or facts.asn is not None
            return ScopeVerdict(False, "not-admitted" if known else "unknown", facts.evidence)
        reason, rule = admitted
        if facts.cdn is not None or facts.anycast:
            # Where such an address is says nothing of where the content is; only a rule that names it admits it.
            return ScopeVerdict(False, "cdn" if facts.cdn is not None else "anycast", facts.evidence)
        return ScopeVerdict(True, reason, (rule, *facts.evidence))

    def _by_place(self, facts: AddressFacts) -> tuple[str, Evidence] | None:
        """The reason and the rule by which a country of the scope admits an address, None when none does."""
        if facts.country in self._countries:
            return "country", Evidence(f"scope.countries has {facts.country}", "campaign")
        if facts.hoster_country in self._countries:
            text = f"scope.countries has {facts.hoster_country}, whose hoster {facts.hoster} announces the address"
            return "hoster", Evidence(text, "campaign")
        return None


class CachedScope(Scope):
    """A Scope that remembers its last verdicts; for the hot path, where few addresses come back often.

    size: verdicts kept.
    """

    def __init__(self, campaign: Campaign, table: AddressTable, *, size: int = 65_536) -> None:
        super().__init__(campaign, table)
        self._remembered = lru_cache(maxsize=size)(super().judge)

    def forget(self) -> None:
        """Judge anew from now on, since the tables have changed."""
        self._remembered.cache_clear()

    def judge(self, address: str) -> ScopeVerdict:
        return self._remembered(address)


def _within(facts: AddressFacts, special: Special) -> bool:
    """Whether no row that the tables have for the address reaches further than its special range allows."""
    ranges = {facts.prefix, *(evidence.prefix for evidence in facts.evidence)} - {None}
    ends = [parse_prefix(end) for text in ranges for end in (text or "").split("-")]
    return bool(ends) and all(not isinstance(end, Rejected) and may_admit(special, end) for end in ends)
