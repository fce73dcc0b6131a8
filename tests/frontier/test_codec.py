"""Records of the frontier: whatever a damaged one holds, it is told or is a URL that can be asked for."""

from __future__ import annotations

import msgpack
import pytest

from crawler.bridge.lanes import LeasedRequest
from crawler.errors import RecordCorrupt
from crawler.frontier.codec import pack_discovered, pack_url, unpack_discovered, unpack_url
from crawler.records import Discovered, FrontierUrl, Kind, Lease
from tests.contract.steps import ADDRESS, RUN

ORIGIN = "http://a.example"
ITEM = FrontierUrl(f"{ORIGIN}/photos/1", RUN, Kind.PAGE, ADDRESS, 3, 0, f"{ORIGIN}/", ("http://b.example/",), 1, 0)
MARK = pack_discovered(Discovered(()))[:1]


def test_no_byte_of_a_queued_url_ends_a_claimer() -> None:
    element = b"\0" + pack_url(ITEM, ORIGIN)
    assert unpack_url(element, RUN, ORIGIN, ADDRESS) == ITEM
    corrupt = 0
    for at in range(1, len(element)):
        for value in {0, 0x2E, 0x3A, 0x41, 0x80, 0xA0, 0xCB, 0xFF, element[at] ^ 1}:
            try:
                item = unpack_url(element[:at] + bytes([value]) + element[at + 1 :], RUN, ORIGIN, ADDRESS)
            except RecordCorrupt:
                corrupt += 1
            else:
                LeasedRequest(Lease(item, 0, 1, "q", 0.0, 0.0, 0.0))
    assert corrupt > 100


@pytest.mark.parametrize("number", [float("inf"), float("nan"), "many"])
def test_what_is_no_number_is_told(number: object) -> None:
    found, queued = [number, None, [], [], 0, False], ["/1", 0, number, 3, None]
    with pytest.raises(RecordCorrupt):
        unpack_discovered(MARK + msgpack.packb(found))
    with pytest.raises(RecordCorrupt):
        unpack_url(b"\0" + MARK + msgpack.packb(queued), RUN, ORIGIN, ADDRESS)
