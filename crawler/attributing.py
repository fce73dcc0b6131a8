"""Attribution at the moment of a hit: what the tables say, and what only this moment can: reverse DNS, neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from crawler.attribute.chain import attribute
from crawler.attribute.live import LiveBook
from crawler.bus.envelope import Report
from crawler.fetch.reverse import ReverseNames
from crawler.records import Attribution, Evidence, RecheckReport
from crawler.store.addresses import domains_at
from crawler.store.database import Database

COHOSTED: Final = 20
"""Domains that are named as neighbours; the rest is counted."""


class Attributing:
    """book: the tables, as they are now.  reverse: None asks nobody."""

    def __init__(self, book: LiveBook, reverse: ReverseNames | None = None) -> None:
        self._live = book
        self._reverse = reverse

    async def attributed(self, db: Database, reports: Sequence[Report]) -> list[tuple[Report, Attribution]]:
        """Each report with who is answerable for it now, in order. Takes no longer than reverse DNS may take."""
        addresses = {report.address for report in reports}
        names = await self._reverse.names(addresses) if self._reverse else {}
        day = datetime.now(UTC).date().isoformat()
        book, attributor = self._live.book, self._live.attributor
        found = [
            (report, attribute(_served_at(report), report.address, attributor, book.domains)) for report in reports
        ]
        moment = {address: _moment(db, address, names, day) for address in addresses}
        return [(report, _with(attribution, moment[report.address])) for report, attribution in found]


def of_moment(names: dict[str, str | None], address: str, day: str) -> tuple[Evidence, ...]:
    """What reverse DNS said. An address that is not in `names` was not asked for, or not answered in time."""
    if address not in names:
        return ()
    return (Evidence(f"reverse DNS {names[address] or 'none'}", "DNS", day, address),)


def cohosted(db: Database, address: str, day: str) -> tuple[Evidence, ...]:
    """The domains with hits that were served from an address; what a notice to its holder could hit too."""
    domains, total = domains_at(db, address, most=COHOSTED)
    more = f" and {total - len(domains)} more" if total > len(domains) else ""
    if not domains:
        return ()
    return (Evidence(f"co-hosted domains {', '.join(domains)}{more}", "hits of this installation", day, address),)


def _moment(db: Database, address: str, names: dict[str, str | None], day: str) -> tuple[Evidence, ...]:
    return (*of_moment(names, address, day), *cohosted(db, address, day))


def _with(attribution: Attribution, evidence: tuple[Evidence, ...]) -> Attribution:
    facts = replace(attribution.facts, evidence=(*attribution.facts.evidence, *evidence))
    return replace(attribution, facts=facts)


def _served_at(report: Report) -> str:
    """The URL that was fetched: an image inside of a page (`PAGE#data-N`) came with the page."""
    url = report.url if isinstance(report, RecheckReport) else report.image_url
    return url.partition("#")[0]
