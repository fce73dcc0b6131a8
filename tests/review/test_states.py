from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from crawler.records import Rejected
from crawler.review.states import START, TRANSITIONS, Event, Status, after, decide

CLASSES = st.sampled_from(["A", "B", "C"])


def test_the_table_speaks_of_every_status_and_event() -> None:
    assert set(TRANSITIONS) == set(Status)
    assert {event for legal in TRANSITIONS.values() for event in legal} == set(Event)


def test_every_status_can_be_reached_and_left() -> None:
    reached, front = {START}, [START]
    while front:
        for target in TRANSITIONS[front.pop()].values():
            if target not in reached:
                reached.add(target)
                front.append(target)
    assert reached == set(Status)
    assert all(TRANSITIONS[status] for status in Status)


def test_a_notice_needs_a_confirmation() -> None:
    leading = {
        (status, event) for status, legal in TRANSITIONS.items() for event, to in legal.items() if to == "noticed"
    }
    assert leading == {(Status.CONFIRMED, Event.NOTICE), (Status.STILL_UP, Event.NOTICE)}
    into_still_up = {status for status, legal in TRANSITIONS.items() if Status.STILL_UP in legal.values()}
    assert into_still_up == {Status.NOTICED, Status.STILL_UP, Status.MOVED}
    into_moved = {status for status, legal in TRANSITIONS.items() if Status.MOVED in legal.values()}
    assert into_moved == {Status.NOTICED, Status.STILL_UP}


@given(st.sampled_from(Status), st.sampled_from(Event))
def test_what_is_not_in_the_table_is_refused(status: Status, event: Event) -> None:
    result = after(status, event)
    if event in TRANSITIONS[status]:
        assert result is TRANSITIONS[status][event]
    else:
        assert isinstance(result, Rejected)
        assert result.reason == "illegal-transition"


@given(st.sampled_from(Status), st.sampled_from(Event), CLASSES, st.booleans(), st.booleans())
def test_only_class_a_is_confirmed_without_more(
    status: Status, event: Event, certainty: str, near: bool, assessed: bool
) -> None:
    result = decide(status, event, certainty=certainty, near_may_confirm=near, assessed=assessed)
    plain = after(status, event)
    if event is Event.CONFIRM and certainty in "BC" and not near and not assessed:
        assert isinstance(result, Rejected)
        assert result.reason == "assessment-needed"
    else:
        assert result == plain


class Life(RuleBasedStateMachine):
    """A hit of class C under any sequence of events: no illegal transition, no lost event."""

    def __init__(self) -> None:
        super().__init__()
        self.status = START
        self.history: list[tuple[Status, Event, Status]] = []

    @rule(event=st.sampled_from(Event), assessed=st.booleans())
    def happen(self, event: Event, assessed: bool) -> None:
        result = decide(self.status, event, certainty="C", assessed=assessed)
        if not isinstance(result, Rejected):
            self.history.append((self.status, event, result))
            self.status = result

    @invariant()
    def history_is_connected(self) -> None:
        standing = START
        for before, event, then in self.history:
            assert before is standing
            assert TRANSITIONS[before][event] is then
            standing = then
        assert standing is self.status

    @invariant()
    def noticed_was_confirmed(self) -> None:
        if self.status is Status.NOTICED:
            assert any(event is Event.CONFIRM for _, event, _ in self.history)


TestLife = Life.TestCase
