"""What a campaign would do, counted before anything is sent: in constant memory, however much it names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from math import log
from pathlib import Path
from typing import Any, Final

from crawler.attribute.book import home_tables
from crawler.campaign import Campaign, load_campaign
from crawler.home import Home
from crawler.scope import Scope
from crawler.sweep import SweepOrder
from crawler.urls import parts

SAMPLE: Final = 4_096
"""Blocks of a sweep of which one address is judged each; of fewer blocks, every one."""

_BITS: Final = 2**24
_HOUR: Final = 3_600.0
_TELL: Final = 500_000


def plan_campaign(home: Home, file: Path, *, lab: bool, progress: Callable[[int], None]) -> dict[str, Any]:
    """{"campaign", "addresses", "hosts", "seeds", "requests", "hours", "exclusions", "sweep"}.

    addresses: that are swept, as far as they are in scope.  hosts: different ones among the seeds, counted to within a
    per mille.  seeds: URLs that the seeds stand for.  requests: {"least", "most"}: what is asked for even if nothing
    answers, and what the budgets of the hosts named allow; pages name other hosts.  hours: {"sweep", "host"}: how long
    the sweep takes at its pace, and one host whose budget is used up at the pace of one address.
    exclusions: {"prefixes", "domains"} of the campaign.  sweep: None, or {"addresses", "blocks", "ports", "in_scope":
    share of the addresses, "out_of_scope": {reason: share}, "judged": addresses that these shares rest on}.
    progress: told now and then how many seeds were read.
    Raises CampaignInvalid, AddressDataInvalid, HomeUnusable.
    """
    campaign = load_campaign(file, lab=lab)
    sweep = _sweep(home, campaign)
    hosts = _Distinct()
    seeds = 0
    for url in campaign.seed_urls():
        hosts.add(parts(url).host)
        seeds += 1
        if seeds % _TELL == 0:
            progress(seeds)
    limits, ports = campaign.limits, len(campaign.seeds.sweep_ports)
    addresses = 0 if sweep is None else round(sweep.order.addresses * sweep.share)
    pace = 0.0 if sweep is None else limits.sweep_rate * sweep.order.blocks
    return {
        "campaign": campaign.name,
        "addresses": addresses,
        "hosts": hosts.count(),
        "seeds": seeds,
        "requests": {
            "least": hosts.count() + seeds + addresses * ports,
            "most": hosts.count() * limits.max_urls_per_host + addresses * ports,
        },
        "hours": {
            "sweep": round(addresses / pace / _HOUR, 2) if sweep is not None else 0.0,
            "host": round(limits.max_urls_per_host / limits.requests_per_second / _HOUR, 2),
        },
        "exclusions": {
            "prefixes": list(campaign.scope.exclude_prefixes),
            "domains": list(campaign.scope.exclude_domains),
        },
        "sweep": None if sweep is None else sweep.to_json(ports),
    }


@dataclass(frozen=True, slots=True)
class _Sweep:
    """The sweep of a campaign. outside: reason -> share."""

    order: SweepOrder
    share: float
    outside: dict[str, float]
    judged: int

    def to_json(self, ports: int) -> dict[str, Any]:
        return {
            "addresses": self.order.addresses,
            "blocks": self.order.blocks,
            "ports": ports,
            "in_scope": round(self.share, 4),
            "out_of_scope": self.outside,
            "judged": self.judged,
        }


def _sweep(home: Home, campaign: Campaign) -> _Sweep | None:
    if not campaign.seeds.sweep:
        return None
    order = SweepOrder(campaign.seeds.sweep, b"plan")
    scope = Scope(campaign, home_tables(home))
    judged = _judged(scope, (order.address(n) for n in range(min(order.blocks, SAMPLE))))
    total = sum(judged.values())
    outside = {reason: round(n / total, 4) for reason, n in sorted(judged.items()) if reason}
    return _Sweep(order, judged[""] / total, outside, total)


def _judged(scope: Scope, addresses: Iterable[str | None]) -> Counter[str]:
    """How many addresses are out of scope for each reason; "" for those in scope."""
    found: Counter[str] = Counter()
    for address in addresses:
        if address is not None:
            verdict = scope.judge(address)
            found["" if verdict.in_scope else verdict.reason] += 1
    return found


class _Distinct:
    """Counts different names in 2 MiB. Source: Whang, Vander-Zanden, Taylor, "A linear-time probabilistic counting
    algorithm for database applications", 1990."""

    def __init__(self) -> None:
        self._bits = bytearray(_BITS // 8)

    def add(self, name: str) -> None:
        number = int.from_bytes(blake2b(name.encode(), digest_size=3).digest(), "big")
        self._bits[number >> 3] |= 1 << (number & 7)

    def count(self) -> int:
        zeros = _BITS - int.from_bytes(self._bits, "big").bit_count()
        return round(-_BITS * log(max(zeros, 1) / _BITS))
