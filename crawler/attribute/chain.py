"""Attribution: who is answerable for a URL at an address, and how a hit tells it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from crawler.attribute.domain import registered_domains
from crawler.records import AddressFacts, Attribution, Evidence
from crawler.urls import parts


class Lookup(Protocol):
    """The part of an address table that attribution needs."""

    def lookup(self, address: str) -> AddressFacts:
        """The facts on an IP address. Raises ValueError when it is none."""
        ...


def attribute(
    url: str, address: str, table: Lookup, domains: Callable[[str], tuple[str, str]] = registered_domains
) -> Attribution:
    """Who is answerable for a canonical URL that was fetched from `address`. domains: as `DomainFinder`.

    Raises InvalidInput when `url` is not canonical, ValueError when `address` is no IP address.
    """
    found = parts(url)
    domain, icann_domain = (None, None) if found.is_address else domains(found.host)
    facts = table.lookup(address)
    # An attribution is stored as it is at this moment, so its evidence is made now.
    return Attribution(domain, icann_domain, address, replace(facts, evidence=tuple(facts.evidence)))


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
