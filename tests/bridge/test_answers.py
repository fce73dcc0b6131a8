"""How leases end: by objections, failures and answers, and what an answer tells beside its outcome."""

from __future__ import annotations

import pytest

from crawler.bridge.answers import Answered, Unsent, concluded, unanswered
from crawler.fetch.failures import FAILURES, failure
from crawler.frontier.base import Completion
from crawler.records import Done, Failed, Kind, Rekind, Retry, Skipped
from tests.bridge.parts import HOST, answer, lease

SENT = {"connect-refused", "connect-timeout", "unreachable", "tls", "tls-timeout", "stale-connection"}


def test_what_was_not_sent_goes_back_and_parks_its_host() -> None:
    assert unanswered(lease(), Unsent()) == Completion(lease(), None)
    assert unanswered(lease(), Unsent(park=1.0)) == Completion(lease(), None, park=1.0)


@pytest.mark.parametrize("objection", [Skipped("robots"), Failed("robots-http-503"), Skipped("out-of-scope")])
def test_an_objection_leaves_its_slot_to_another(objection: Skipped | Failed) -> None:
    assert unanswered(lease(), objection) == Completion(lease(), objection, unsent=True)


@pytest.mark.parametrize("name", ["blocked-scope", "invalid-request", "local-address", "local-resources"])
def test_a_failure_of_our_own_leaves_its_slot_to_another(name: str) -> None:
    assert unanswered(lease(), failure(name)).unsent


@pytest.mark.parametrize("name", sorted({"reset", "header-timeout", "too-large", "deadline"} | SENT))
def test_what_touched_the_server_used_its_slot(name: str) -> None:
    ended = unanswered(lease(), failure(name))
    assert not ended.unsent
    assert ended.latency is None
    assert isinstance(ended.outcome, Retry if FAILURES[name].retry else Failed)


def test_every_answer_tells_its_latency_and_its_session() -> None:
    for outcome in (Done(), Failed("http-404"), Skipped("unsupported(video)"), Retry("http-503", 1.0), None):
        ended = concluded(Completion(lease(), outcome, block=2.0), Answered(answer(), b"jar"))
        assert ended == Completion(lease(), outcome, block=2.0, session=b"jar", latency=0.25)
    assert concluded(Completion(lease(), Done()), Answered(answer(timings=None))).latency is None


def test_what_robots_txt_forbids_is_counted_where_it_is_fetched_all_the_same() -> None:
    answered = Answered(answer(), disallowed=True)
    for outcome in (Done(tally={"pages": 1}), Failed("x", tally={"pages": 1}), Skipped("x", tally={"pages": 1})):
        ended = concluded(Completion(lease(), outcome), answered).outcome
        assert isinstance(ended, Done | Failed | Skipped)
        assert ended.tally == {"pages": 1, "robots:disallowed": 1}
    for passing in (Retry("x", 1.0), Rekind(Kind.PAGE)):  # its last outcome counts it
        assert concluded(Completion(lease(), passing), answered).outcome == passing


@pytest.mark.parametrize(
    ("status", "location", "session", "again"),
    [
        (302, f"{HOST}/x", b"jar", True),
        (302, f"{HOST}:80/x#top", b"jar", True),
        (302, f"{HOST}/x", None, False),
        (302, f"{HOST}/y", b"jar", False),
        (302, "http://user:pw@a.example.nl/x", b"jar", False),
        (200, f"{HOST}/x", b"jar", False),
        (302, None, b"jar", False),
    ],
)
def test_a_redirect_to_itself_with_a_cookie_is_asked_again(
    status: int, location: str | None, session: bytes | None, again: bool
) -> None:
    ended = concluded(Completion(lease(), Done()), Answered(answer(status, location=location), session))
    assert ended.outcome == (Retry("redirect-with-cookie", 0.0) if again else Done())
    assert ended.session == session
