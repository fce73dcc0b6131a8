"""The part of a campaign's scope that can be judged without address tables: special ranges, prefixes, names, ports."""

from __future__ import annotations

from collections.abc import Iterable

from crawler.ranges import (
    SPECIAL_DATE,
    Address,
    Network,
    PrefixSet,
    Special,
    parse_address,
    special_range,
    subnet_of,
    unwrapped,
)
from crawler.records import Evidence, Rejected, ScopeVerdict
from crawler.urls import parts


class PlainRules:
    """Judges addresses, host names and ports.

    admitted, excluded: prefixes.  domains: names whose own and all lower names are excluded.  ports: the permitted
    ones, empty for any.  allow_private: a lab campaign may admit loopback and private ranges.
    """

    def __init__(
        self,
        admitted: Iterable[Network],
        excluded: Iterable[Network],
        *,
        domains: Iterable[str] = (),
        ports: Iterable[int] = (),
        allow_private: bool = False,
    ) -> None:
        self.ports = frozenset(ports)
        self._admitted = PrefixSet(admitted)
        self._excluded = PrefixSet(excluded)
        self._domains = frozenset(domains)
        self._allow_private = allow_private

    def judge_address(self, text: str) -> ScopeVerdict | tuple[Address, Special | None]:
        """The verdict on an address, or the unwrapped address (and its special range) for the tables to judge.

        Special ranges are denied first; a lab campaign may admit some of them, by a prefix within the range (for
        loopback, by any). Exclusions win over every admission, in the address's own form and unwrapped.
        """
        given = parse_address(text)
        if isinstance(given, Rejected):
            return ScopeVerdict(False, given.reason)
        address = unwrapped(given)
        special = special_range(address)
        if special is not None and not (self._allow_private and special.lab):
            fact = Evidence(f"{special.name} range", special.source, SPECIAL_DATE, str(special.network))
            return ScopeVerdict(False, special.name, (fact,))
        excluded = self._excluded.around(address) or self._excluded.around(given)
        if excluded is not None:
            return ScopeVerdict(False, "excluded", (_rule("exclude_prefixes", excluded),))
        admitted = self._admitted.around(address)
        if admitted is not None and may_admit(special, admitted):
            return ScopeVerdict(True, "prefix", (_rule("prefixes", admitted),))
        return address, special

    def judge_host_name(self, host: str) -> ScopeVerdict:
        """Whether a DNS name may be resolved for this campaign at all: "excluded" when it or a parent is excluded."""
        name = host.lower().rstrip(".")
        while name:
            if name in self._domains:
                return ScopeVerdict(False, "excluded", (Evidence(f"scope.exclude_domains has {name}", "campaign"),))
            name = name.partition(".")[2]
        return ScopeVerdict(True, "name")

    def permits_port(self, port: int) -> bool:
        """Whether links to this port may be followed."""
        return not self.ports or port in self.ports

    def objection(self, url: str, *, tables: bool) -> str | None:
        """Why a canonical URL is certainly out of scope, in words; None when it is not, or when tables must say.

        tables: whether the campaign has rules that need tables (countries, AS numbers).
        """
        found = parts(url)
        if not self.permits_port(found.port):
            return f"port {found.port} is not in scope.ports"
        if not found.is_address:
            return None if self.judge_host_name(found.host).in_scope else "its host is in scope.exclude_domains"
        verdict = self.judge_address(found.host)
        if isinstance(verdict, ScopeVerdict):
            return None if verdict.in_scope else f"its address is out of scope ({verdict.reason})"
        return None if tables else "its address is in none of scope.prefixes"


def may_admit(special: Special | None, network: Network) -> bool:
    """Whether a rule or table row for `network` reaches into a special range: only loopback is admitted from outside.

    So "0.0.0.0/0" in a lab campaign does not open the private networks around the machine.
    """
    return special is None or special.name == "loopback" or subnet_of(network, special.network)


def _rule(name: str, network: Network) -> Evidence:
    return Evidence(f"scope.{name} has {network}", "campaign", None, str(network))
