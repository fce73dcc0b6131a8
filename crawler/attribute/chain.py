"""Attribution: who is answerable for a URL at an address, and how a hit tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from crawler.attribute.domain import DomainFinder, packaged_domains
from crawler.records import AddressFacts, Attribution, Evidence
from crawler.urls import parts


class Lookup(Protocol):
    """The part of an address table that attribution needs."""

    def lookup(self, address: str) -> AddressFacts:
        """The facts on an IP address. Raises ValueError when it is none."""
        ...


def attribute(url: str, address: str, table: Lookup, domains: DomainFinder | None = None) -> Attribution:
    """Who is answerable for a canonical URL that was fetched from `address`. domains: None for the packaged list.

    Raises InvalidInput when `url` is not canonical, ValueError when `address` is no IP address.
    """
    found = parts(url)
    facts = table.lookup(address)
    # An attribution is stored as it is at this moment, so its evidence is made now.
    evidence = tuple(facts.evidence)
    domain, icann_domain = None, None
    if not found.is_address:
        finder = domains or packaged_domains()
        domain, icann_domain = finder(found.host)
        said = f"registered domain {domain}" + (f", in the registry {icann_domain}" if domain != icann_domain else "")
        evidence = (*evidence, Evidence(said, finder.info.source, finder.info.date))
    return Attribution(domain, icann_domain, address, replace(facts, evidence=evidence))


def hoster_json(attribution: Attribution) -> dict[str, Any]:
    """The "hoster" of a hit; every key is present, null means unknown.

    Behind a CDN these are the facts of the front address, which is what a visitor reaches.
    """
    facts = attribution.facts
    return {
        "asn": facts.asn,
        "as_name": facts.as_name,
        "network": facts.network or facts.prefix,
        "holder": facts.holder,
        "abuse_contact": facts.abuse_contact,
        "country": facts.country,
        "evidence": evidence_json(facts.evidence),
    }


def cdn_json(attribution: Attribution) -> dict[str, str] | None:
    """The "cdn" of a hit; None when the address is marked as no CDN's. The origin behind one is never guessed."""
    return None if attribution.facts.cdn is None else {"name": attribution.facts.cdn, "origin": "unknown"}


def evidence_json(evidence: Sequence[Evidence]) -> list[dict[str, str | None]]:
    """Evidence as JSON: fact, source, date of the source, range that it speaks of."""
    return [{"fact": e.fact, "source": e.source, "date": e.date, "prefix": e.prefix} for e in evidence]
