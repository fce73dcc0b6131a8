"""Images that were clean on another night: which are worth asking about, and what has to be the same for that.

Pages are never asked about: an answer of "unchanged" would have no links to follow (docs/adr/0020).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import blake2b

from crawler import __version__
from crawler.bridge.answers import Answered
from crawler.bridge.runs import ServedRun
from crawler.bus.revisits import Revisits
from crawler.campaign import Campaign
from crawler.fetch.validators import NOTHING, Validators, strong_validators, unpack_validators
from crawler.frontier.base import Completion
from crawler.records import Done, Kind, Lease, RunId

_GROUNDS = 64
_ASKED = 10_000
"""Leases out, of which it is remembered what they were asked for against."""


@dataclass(frozen=True, slots=True)
class CleanLook:
    """What to remember of an image that matched nothing. number: keyed, 8 bytes.  value: its validators, packed."""

    number: bytes = field(repr=False)
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Ground:
    campaign: Campaign
    lists: bytes
    text: str


class Revisiting:
    """One per worker. number_key: keys the numbers, so that no URL can be tried against what is kept."""

    def __init__(self, revisits: Revisits, number_key: bytes) -> None:
        self._revisits = revisits
        self._number_key = number_key
        self._asked: OrderedDict[tuple[int, int], tuple[bytes, str]] = OrderedDict()
        self._grounds: dict[RunId, _Ground] = {}

    async def validators(self, served: ServedRun, lease: Lease) -> Validators:
        """What to ask with; `NOTHING` when the image is to be fetched whatever it is."""
        if lease.item.kind is not Kind.IMAGE or not self._revisits.kept:
            return NOTHING
        ground = self._ground(served)
        number = self._number(ground, lease)
        self._asked[lease.partition, lease.token] = number, ground
        if len(self._asked) > _ASKED:
            self._asked.popitem(last=False)
        # In the first run of a campaign nobody has been here before.
        if lease.item.run.number == 1:
            return NOTHING
        known = await self._revisits.recall(number)
        return NOTHING if known is None else unpack_validators(known)

    def clean_look(self, served: ServedRun | None, sent: Answered, completion: Completion) -> CleanLook | None:
        """What to remember of an answer that was looked at; None for a hit, and for all that was not seen whole."""
        outcome, fetched = completion.outcome, sent.fetched
        if served is None or not self._revisits.kept or completion.lease.item.kind is not Kind.IMAGE:
            return None
        whole = fetched.status == 200 and fetched.truncated is None and not sent.cloaked
        if not whole or not isinstance(outcome, Done) or outcome.tally.keys() & {"hits", "partial"}:
            return None
        if not outcome.tally.keys() & {"images", "digested"}:
            return None
        found = strong_validators(fetched.headers)
        asked = self._asked.pop((completion.lease.partition, completion.lease.token), None)
        # What changed while the image was on its way decides nothing about it.
        if found is None or asked is None or asked[1] != self._ground(served):
            return None
        return CleanLook(asked[0], found)

    def remember(self, look: CleanLook) -> None:
        """The frontier took the completion. Returns at once."""
        self._revisits.remember(look.number, look.value)

    async def drain(self) -> None:
        """Wait until nothing is on its way."""
        await self._revisits.drain()

    def _number(self, ground: str, lease: Lease) -> bytes:
        """Of the URL and of all that decides what comes of it: other lists or other rules are another number."""
        text = f"{ground}\0{lease.item.context}\0{lease.item.url}"
        return blake2b(text.encode(), digest_size=8, key=self._number_key).digest()

    def _ground(self, served: ServedRun) -> str:
        """All but the URL that decides what comes of an image. Written down once for each state of the lists."""
        known, campaign = self._grounds.get(served.run), served.campaign
        if known is None or known.campaign is not campaign or known.lists != served.sandbox.ground:
            lists = served.sandbox.ground
            parts = (lists, campaign.match, campaign.identity.user_agent, campaign.limits.digest_only)
            if len(self._grounds) >= _GROUNDS:
                self._grounds.clear()
            known = self._grounds[served.run] = _Ground(campaign, lists, f"{__version__}\0{parts!r}")
        return known.text
