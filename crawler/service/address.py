"""Questions about addresses, hosts and URLs: in scope or not, who is answerable, and which tables say so."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from crawler.attribute.book import home_tables
from crawler.attribute.chain import evidence_json
from crawler.campaign import Campaign
from crawler.campaign_sections import About, ScopeRules, Seeds
from crawler.errors import InvalidInput
from crawler.home import Home
from crawler.ranges import parse_address
from crawler.records import Evidence, Rejected, ScopeVerdict
from crawler.scope import Scope
from crawler.urls import canonical, parts


@dataclass(frozen=True, slots=True)
class Target:
    """What a person asks about. host: a name, or an address.  url: canonical; of an address or a name its root.
    port: None when the question names none."""

    host: str
    url: str
    is_address: bool
    port: int | None


def default_campaign() -> Campaign:
    """The scope that is judged by when no campaign is given: the Netherlands."""
    about = About("default", "a question", "none", "none", datetime.date.max)
    return Campaign(about, ScopeRules(countries=("NL",)), Seeds())


def read_target(text: str) -> Target:
    """An address, a host (any notation that a browser takes, with a port or without) or a URL.

    Raises InvalidInput for anything else.
    """
    address = parse_address(text)
    if not isinstance(address, Rejected):
        url = canonical(f"http://[{address}]/" if address.version == 6 else f"http://{address}/")
        # Said as it was given: a mapped address is judged as what it leads to, and the verdict shows that.
        return Target(str(address), url if isinstance(url, str) else "", True, None)
    whole = "://" in text
    if not whole and set(text) & set("/?#@\\"):
        raise InvalidInput(f"{text[:80]!r} is no address, host or URL; a URL begins with https:// or http://")
    url = canonical(text if whole else f"http://{text}/")
    if isinstance(url, Rejected):
        raise InvalidInput(f"{text[:80]!r} is no address, host or URL ({url.reason})")
    found = parts(url)
    named_port = whole or ":" in text.rpartition("]")[2]
    return Target(found.host, url, found.is_address, found.port if named_port else None)


def judge_target(home: Home, target: Target, campaign: Campaign, *, today: datetime.date) -> ScopeVerdict:
    """Whether a campaign may connect to a target, as a worker would decide now; names are resolved.

    A host is in scope when one of its addresses is, for that is the one that a worker connects to. Reasons are those
    of `Scope.judge`, "port", and the resolver's "dns-…".
    Raises AddressDataInvalid, HomeUnusable as the tables do.
    """
    verdict = _judged(home, target, campaign, today)
    if verdict.in_scope or campaign.scope.pointers == "none" or target.url not in campaign.seeds.pointers:
        return verdict
    named = Evidence("seeds.pointers names it: it is read for links only", "campaign")
    return replace(verdict, evidence=(named, *verdict.evidence))


def _judged(home: Home, target: Target, campaign: Campaign, today: datetime.date) -> ScopeVerdict:
    scope = Scope(campaign, home_tables(home))
    if target.port is not None and not scope.permits_port(target.port):
        return ScopeVerdict(False, "port", (Evidence(f"scope.ports lacks {target.port}", "campaign"),))
    if target.is_address:
        return scope.judge(target.host)
    named = scope.judge_host_name(target.host)
    if not named.in_scope:
        return named
    addresses = resolve_host(target.host, campaign.network.nameservers)
    if isinstance(addresses, Rejected):
        return ScopeVerdict(False, addresses.reason)
    verdicts = [(address, scope.judge(address)) for address in addresses]
    chosen = next((each for each in verdicts if each[1].in_scope), verdicts[0])
    named_by = [_resolved(target.host, address, verdict, today) for address, verdict in verdicts]
    return ScopeVerdict(chosen[1].in_scope, chosen[1].reason, (*named_by, *chosen[1].evidence))


def verdict_json(verdict: ScopeVerdict) -> dict[str, Any]:
    """{"in_scope", "reason", "evidence"}."""
    return {"in_scope": verdict.in_scope, "reason": verdict.reason, "evidence": evidence_json(verdict.evidence)}


def resolve_host(host: str, nameservers: Sequence[str]) -> tuple[str, ...] | Rejected:
    """The addresses of a name now, or the resolver's "dns-…" reason why there is none."""
    # Brings half of the fetcher with it, which a question about an address need not wait for.
    from crawler.fetch.resolver import Resolver

    async def ask() -> tuple[str, ...] | Rejected:
        async with Resolver(nameservers) as resolver:
            found = await resolver.resolve(host)
            return found if isinstance(found, Rejected) else found.addresses

    return asyncio.run(ask())


def _resolved(host: str, address: str, verdict: ScopeVerdict, today: datetime.date) -> Evidence:
    state = "in scope" if verdict.in_scope else "not in scope"
    return Evidence(f"{host} resolves to {address}, {state} ({verdict.reason})", "DNS", today.isoformat(), None)
