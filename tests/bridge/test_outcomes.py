"""What an answer means for its URL."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crawler.bridge.outcomes import (
    LONGEST_BLOCK,
    LONGEST_RETRY,
    MAX_REDIRECTS,
    backoff,
    broken_off,
    failed_fetch,
    unsupported,
    unusable,
)
from crawler.fetch.failures import failure
from crawler.records import Digests, Done, Failed, Fetched, FrontierUrl, Kind, Lease, Retry, RunId, Skipped

NOW = 1_700_000_000.0


def lease(kind: Kind = Kind.PAGE, **values: object) -> Lease:
    item = FrontierUrl("http://a.example/x", RunId("c", 1), kind, "192.0.2.1", depth=2, **values)
    return Lease(item, 0, 1, "1:", 0.0, 1.0, 90.0)


def answer(status: int, location: str | None = None, **headers: str) -> Fetched:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Fetched("http://a.example/x", "192.0.2.1", status, pairs, b"", 0.1, location)


def test_a_usable_answer_is_looked_at() -> None:
    assert unusable(lease(), answer(200), NOW) is None


def test_a_redirect_is_fetched_and_its_target_keeps_depth_referrer_and_kind() -> None:
    ended = unusable(lease(Kind.IMAGE, referrer="http://a.example/"), answer(302, "http://b.example/y"), NOW)
    assert ended is not None
    assert isinstance(ended.outcome, Done)
    found = ended.outcome.discovered
    assert found is not None
    assert (found.depth, found.referrer, found.via) == (2, "http://a.example/", ("http://a.example/x",))
    assert [(c.url, c.kind) for c in found.candidates] == [("http://b.example/y", Kind.IMAGE)]


def test_redirects_end_somewhere() -> None:
    via = tuple(f"http://a.example/{i}" for i in range(MAX_REDIRECTS))
    ended = unusable(lease(via=via), answer(301, "http://b.example/"), NOW)
    assert ended is not None
    assert ended.outcome == Failed("too-many-redirects")


@pytest.mark.parametrize("location", ["javascript:alert(1)", "http://user:pw@b.example/", "ftp://b.example/"])
def test_a_redirect_to_what_is_no_crawlable_url_is_counted(location: str) -> None:
    ended = unusable(lease(), answer(302, location), NOW)
    assert ended is not None
    assert isinstance(ended.outcome, Done)
    assert ended.outcome.discovered is None
    assert sum(n for name, n in ended.outcome.tally.items() if name.startswith("rejected:")) == 1


def test_closed_doors_are_recorded_and_not_tried_again() -> None:
    ended = unusable(lease(), answer(401), NOW)
    assert ended is not None
    assert ended.outcome == Failed("closed")


@pytest.mark.parametrize(
    ("value", "block"),
    [
        ("120", 120.0),
        ("9" * 30, LONGEST_BLOCK),
        ("Tue, 14 Nov 2023 22:15:20 GMT", 120.0),
        ("Tue, 14 Nov 2000 22:15:20 GMT", 1.0),
        ("0", 1.0),
        ("soon", 1.0),
        ("-5", 1.0),
    ],
)
def test_retry_after_blocks_the_whole_address(value: str, block: float) -> None:
    ended = unusable(lease(), answer(429, Retry_After=value), NOW)
    assert ended is not None
    assert isinstance(ended.outcome, Retry)
    assert ended.outcome.after == ended.block == block


@pytest.mark.parametrize("status", [429, 503])
def test_an_address_in_trouble_rests_ever_longer_even_when_it_does_not_say_how_long(status: int) -> None:
    blocks = []
    for attempts in range(5):
        ended = unusable(lease(attempts=attempts), answer(status), NOW)
        assert ended is not None
        blocks.append(ended.block)
    assert blocks == [1.0, 2.0, 4.0, 8.0, 16.0]


@pytest.mark.parametrize("status", [200, 404, 408, 500, 502, 504, 520])
def test_other_answers_are_no_trouble_of_the_address(status: int) -> None:
    ended = unusable(lease(), answer(status, Retry_After="120"), NOW)
    assert ended is None or ended.block == 0.0


def test_a_body_that_broke_off_is_tried_again_once_and_then_looked_at() -> None:
    cut = replace(answer(200), truncated="truncated")
    first = broken_off(lease(), cut)
    assert first is not None
    assert isinstance(first.outcome, Retry)
    assert broken_off(lease(attempts=1), cut) is None
    assert broken_off(lease(), replace(cut, truncated="too-large")) is None
    assert broken_off(lease(), answer(200)) is None


def test_tries_are_spaced_further_and_further_apart() -> None:
    waits = [backoff(n) for n in range(30)]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_RETRY


def test_failures_say_themselves_whether_trying_again_can_help() -> None:
    assert failed_fetch(lease(), failure("reset")).outcome == Retry("reset", backoff(0))
    assert failed_fetch(lease(), failure("tls")).outcome == Failed("tls")


def test_digests_of_a_part_of_a_file_are_not_looked_up() -> None:
    file = replace(answer(200), skipped_body="video", digests=Digests(b"m" * 16, b"s" * 20, b"S" * 32))
    assert unsupported(lease(), file) is None
    ended = unsupported(lease(), replace(file, truncated="deadline"))
    assert ended is not None
    assert ended.outcome == Failed("deadline")


def test_a_file_that_nobody_wants_is_skipped_for_a_reason() -> None:
    ended = unsupported(lease(), replace(answer(200), skipped_body="pdf"))
    assert ended is not None
    assert ended.outcome == Skipped("unsupported(pdf)")
