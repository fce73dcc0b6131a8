"""Who is answerable for an address, a host or a URL: the whole chain, each fact with its source and date."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from crawler.attribute.book import Attributor, home_book
from crawler.attribute.chain import attribute, cdn_json, evidence_json, hoster_json
from crawler.attributing import COHOSTED, cohosted, of_moment
from crawler.errors import OutOfScope, Unavailable
from crawler.fetch.reverse import ReverseNames
from crawler.home import Home
from crawler.records import Evidence, Rejected
from crawler.service.address import Target, resolve_host
from crawler.store.addresses import domains_at
from crawler.store.database import Database, open_store

_NOWHERE: Final = ("dns-nxdomain", "dns-no-address", "dns-bad-name")


def attribute_target(
    home: Home, target: Target, nameservers: Sequence[str] = (), *, reverse: bool = True
) -> dict[str, Any]:
    """Who is answerable for a target now; every key is present, null means unknown.

    {"domain", "icann_domain", "ip", "addresses", "hoster", "cdn"} as in a hit, and {"brand", "sponsor", "anycast",
    "countries": [{"country", "source", "date", "prefix"}], "abuse": {"contact", "found", "rejected": []},
    "reverse_dns", "cohosted": {"domains": [], "total"}}.
    A name is resolved and its first address is attributed; "addresses" has them all.
    reverse: whether to ask for the name of the address.
    Raises Unavailable when it cannot be resolved, OutOfScope when there is no such name.
    """
    addresses = (target.host,) if target.is_address else resolve_host(target.host, nameservers)
    if isinstance(addresses, Rejected):
        kind = OutOfScope if addresses.reason in _NOWHERE else Unavailable
        raise kind(f"{target.host} has no address now ({addresses.reason}); give the address that it had")
    book, address = home_book(home), addresses[0]
    found = attribute(target.url, address, Attributor(book), book.domains)
    names = asyncio.run(_reverse(address, nameservers)) if reverse else {}
    day = datetime.now(UTC).date().isoformat()
    with ExitStack() as stack:
        db = stack.enter_context(open_store(home)) if home.database.exists() else None
        neighbours = domains_at(db, address, most=COHOSTED) if db else ((), 0)
        resolved = () if target.is_address else (_resolved(target.host, addresses, day),)
        moment = (*resolved, *of_moment(names, address, day), *_cohosted(db, address, day))
    facts = replace(found.facts, evidence=(*found.facts.evidence, *moment))
    found = replace(found, facts=facts)
    return {
        "domain": found.domain,
        "icann_domain": found.icann_domain,
        "ip": found.address,
        "addresses": list(addresses),
        "hoster": hoster_json(found),
        "cdn": cdn_json(found),
        "brand": facts.hoster,
        "sponsor": facts.sponsor,
        "anycast": facts.anycast,
        "countries": _countries(facts.evidence),
        "abuse": _abuse(facts.abuse_contact, facts.evidence),
        "reverse_dns": names.get(address),
        "cohosted": {"domains": list(neighbours[0]), "total": neighbours[1]},
    }


def _resolved(host: str, addresses: Sequence[str], day: str) -> Evidence:
    return Evidence(f"{host} resolves to {', '.join(addresses)}", "DNS", day)


def _countries(evidence: Sequence[Evidence]) -> list[dict[str, str | None]]:
    """What each source says, in the order in which they are believed."""
    said = [row for row in evidence_json(evidence) if (row["fact"] or "").startswith("country ")]
    return [{"country": (row.pop("fact") or "").removeprefix("country "), **row} for row in said]


def _abuse(contact: str | None, evidence: Sequence[Evidence]) -> dict[str, Any]:
    rows = [row for row in evidence_json(evidence) if (row["fact"] or "").startswith("abuse contact")]
    rejected = [row for row in rows if (row["fact"] or "").startswith("abuse contact rejected: ")]
    found = next((row for row in rows if row not in rejected), None)
    return {"contact": contact, "found": found, "rejected": rejected}


def _cohosted(db: Database | None, address: str, day: str) -> tuple[Evidence, ...]:
    return () if db is None else cohosted(db, address, day)


async def _reverse(address: str, nameservers: Sequence[str]) -> dict[str, str | None]:
    names = ReverseNames(nameservers)
    try:
        return await names.names([address])
    finally:
        await names.close()
