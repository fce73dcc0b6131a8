from __future__ import annotations

import pytest

from crawler.bus.envelope import Sealer, public_key, unseal, verify_key
from crawler.errors import RecordCorrupt
from crawler.records import RecheckReport, RunId
from tests.store.factories import image

SECRET, WORKER = b"r" * 32, b"w" * 32
REPORT = RecheckReport(
    "s1",
    RunId("c~recheck", 3),
    "https://a.example/1",
    "https://b.example/2",
    1.5,
    "192.0.2.7",
    "ab",
    "image",
    (image(),),
    look=True,
)


@pytest.mark.parametrize("report", [REPORT, RecheckReport("s", RunId("c", 1), "u", "u", 0.0, "::1", "", "http-404")])
def test_a_visit_travels_sealed_as_hits_do(report: RecheckReport) -> None:
    payload = Sealer(public_key(SECRET), WORKER).seal(report)
    assert unseal(payload, SECRET, {verify_key(WORKER)}) == report
    assert b"a.example" not in payload
    with pytest.raises(RecordCorrupt):
        unseal(payload[:-1] + bytes([payload[-1] ^ 1]), SECRET, {verify_key(WORKER)})
