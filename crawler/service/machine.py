"""What `vangnet doctor` looks at of the machine and its network: what a worker does when it starts, and the DNS."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Iterator
from contextlib import suppress

from crawler.campaign import Campaign
from crawler.errors import CampaignInvalid
from crawler.fetch import surroundings
from crawler.service.campaigns import stored_campaign
from crawler.service.findings import Finding, Level, Look, ok
from crawler.store import campaigns
from crawler.store.database import Database

_PATIENCE = 0.5
"""Seconds for each nameserver, two tries."""


def check_open_files(look: Look) -> list[Finding]:
    """Whether a worker gets as many descriptors as it needs; it raises its own limit up to the hard one."""
    options, (soft, hard) = look.options, resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = hard if soft >= 0 else soft
    lanes = options.page_concurrency + options.image_concurrency
    wanted = surroundings.descriptors_needed(lanes, options.sweep_concurrency)
    return _told("open-files", surroundings.descriptors(limit, wanted))


def check_network(look: Look) -> list[Finding]:
    """Proxies that are ignored, roots of certificates, and ways to the internet. A lab needs no way out."""
    found = _told("proxy", surroundings.proxies(os.environ))
    found += _told("certificates", surroundings.certificate_store())
    for family in () if look.options.lab else surroundings.address_families():
        found += _told("network", family)
    return found


def check_nameservers(look: Look) -> list[Finding]:
    """Whether the nameservers that the campaigns ask answer; without campaigns, and outside the lab, the system's."""
    servers = _asked(look)
    asked = [asyncio.run(surroundings.nameservers(each, _PATIENCE)) for each in servers]
    return [finding for told in asked for each in told for finding in _told("nameserver", each)]


async def silent_nameservers(campaign: Campaign, *, lab: bool) -> tuple[str, ...]:
    """A line for each nameserver of a campaign that does not answer; of the system's too, but in a lab."""
    servers = campaign.network.nameservers
    asked = () if lab and not servers else await surroundings.nameservers(servers)
    return tuple(found.line for found in asked if not found.ok)


def _asked(look: Look) -> list[tuple[str, ...]]:
    """Lists of nameservers, () for the system's."""
    lab = look.options.lab
    named: list[tuple[str, ...]] = []
    for campaign in () if look.db is None else _campaigns(look.db, lab=lab):
        named += [(each,) for each in campaign.network.nameservers] or [()]
    distinct = list(dict.fromkeys(named)) or [()]
    return [each for each in distinct if each or not lab]


def _campaigns(db: Database, *, lab: bool) -> Iterator[Campaign]:
    """Those that are valid; what is wrong with others is said where they are started."""
    for row in campaigns.all_campaigns(db):
        with suppress(CampaignInvalid):
            yield stored_campaign(db, row.name, lab=lab)


def _told(check: str, found: surroundings.Finding) -> list[Finding]:
    if found.ok:
        return [ok(check, found.line)]
    what, _, mend = found.line.rpartition("; ")
    return [Finding(check, Level.PROBLEM if found.needed else Level.WARNING, what, mend)]
