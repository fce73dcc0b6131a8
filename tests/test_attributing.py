"""What a hit takes along at its moment: the tables, the address's own name, and the neighbours with hits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from crawler.attribute.live import LiveBook
from crawler.attributing import COHOSTED, Attributing
from crawler.fetch.reverse import ReverseNames
from crawler.records import HitReport
from crawler.store.addresses import domains_at
from crawler.store.hits import record_many
from tests.attribute.excerpts import write
from tests.attribute.test_load import load
from tests.store.factories import image, report, store_at

ADDRESS = "45.9.1.140"


class Named(ReverseNames):
    """Knows one name without asking anybody."""

    def __init__(self) -> None:
        pass

    async def names(self, addresses: object) -> dict[str, str | None]:
        return {ADDRESS: "web1.polder.example"}


def seen(number: int, host: str) -> HitReport:
    url = f"https://{host}/a{number}.jpg"
    return replace(report(f"s{number}"), address=ADDRESS, image_url=url, page_url=None, found=image(str(number)))


async def test_a_hit_carries_the_whole_chain(tmp_path: Path) -> None:
    with store_at(tmp_path) as db:
        load(db.home.root, *write(tmp_path / "files"))
        attributing = Attributing(LiveBook(db.home), Named())
        first = await attributing.attributed(db, [seen(1, "www.tulp.nl"), seen(2, "www.klomp.nl")])
        record_many(db, first)
        ((_, found),) = await attributing.attributed(db, [seen(3, "a.molen.nl")])
        facts = [each.fact for each in found.facts.evidence]
        assert "reverse DNS web1.polder.example" in facts
        assert "co-hosted domains klomp.nl, tulp.nl" in facts
        assert "sponsoring organisation Polder Hosting B.V." in facts
        assert "abuse contact abuse@polder.example (abuse-c of ORG-PH1-RIPE, AR1-RIPE)" in facts
        assert all(each.source and each.date for each in found.facts.evidence), "every fact has source and date"
        (stored, *_) = db.rows("SELECT attribution FROM hits ORDER BY domain")
        assert json.loads(stored["attribution"])["holder"] == "Café Küche"
        assert not any("co-hosted" in fact["fact"] for fact in json.loads(stored["attribution"])["evidence"])


async def test_neighbours_are_bounded(tmp_path: Path) -> None:
    with store_at(tmp_path) as db:
        load(db.home.root, *write(tmp_path / "files"))
        attributing = Attributing(LiveBook(db.home))
        many = [seen(number, f"site{number:02}.nl") for number in range(COHOSTED + 5)]
        record_many(db, await attributing.attributed(db, many))
        domains, total = domains_at(db, ADDRESS, most=3)
        assert (domains, total) == (("site00.nl", "site01.nl", "site02.nl"), COHOSTED + 5)
        ((_, found),) = await attributing.attributed(db, [seen(99, "next.nl")])
        assert found.facts.evidence[-1].fact.endswith(" and 5 more")
        assert domains_at(db, "192.0.2.99", most=3) == ((), 0)
