"""A worker's standing in a deployment: let in before it works for a run, and sent home when that is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

import structlog

from crawler.bus.control import Control, RunControl
from crawler.bus.envelope import verify_key
from crawler.bus.joining import LIFE, Joining
from crawler.errors import NotAuthorised
from crawler.records import RunId

PATIENCE = 60.0
"""Seconds that a worker waits for a recorder to let it in."""

_POLL = 0.2
_GRACE = 5.0
"""Seconds for which a run may not know a key that it knew: taking a crawl up again writes its marker anew."""
_log = structlog.get_logger()


class Membership:
    """One per worker process. signing: seed of its key.  name: of its host, for the records of the recorder."""

    def __init__(self, control: Control, joining: Joining, signing: bytes, name: str) -> None:
        self._control = control
        self._joining = joining
        self._signing = signing
        self._name = name
        self._unknown_since: float | None = None
        self.key = verify_key(signing)

    async def join(self, marker: RunControl) -> None:
        """Return when results of this worker are believed in a run, or the run is over; ask and wait until then.

        Raises NotAuthorised when nobody lets it in, RedisUnavailable.
        """
        if self.key in marker.workers:
            return
        _log.warning("asking to join; the recorder decides", run=str(marker.run), key=self.key.hex(), wait=PATIENCE)
        deadline, ask_at, told = monotonic() + PATIENCE, 0.0, None
        while monotonic() < deadline:
            if monotonic() >= ask_at:
                room = await self._joining.ask(self._signing, self._name, marker.recorder)
                ask_at = monotonic() + (LIFE / 4 if room else 1.0)
            said = await self._joining.answer(self.key) if room else "full"
            if said == "revoked":
                raise NotAuthorised(self._why(marker, said))
            if said not in (None, "welcome", told):
                _log.warning("not let in yet", why=self._why(marker, said))
                told = said
            found = await self._control.find(marker.run)
            if found is None or self.key in found.workers:
                return
            await asyncio.sleep(_POLL)
        raise NotAuthorised(self._why(marker, told))

    async def check(self, number_key: bytes, served: Callable[[RunId], bool]) -> None:
        """Return while the server has the data that this worker joined, and its key is believed in the served runs.

        number_key: of those data.  served: whether this worker works for a run.
        Raises FrontierLost, NotAuthorised, RedisUnavailable.
        """
        await self._control.require_data(number_key)
        if all(self.key in marker.workers for marker in await self._control.active() if served(marker.run)):
            self._unknown_since = None
        elif self._unknown_since is None:
            self._unknown_since = monotonic()
        elif monotonic() - self._unknown_since > _GRACE:
            raise NotAuthorised(_REVOKED)

    def _why(self, marker: RunControl, said: str | None) -> str:
        enrol = f"run `vangnet worker --enrol {self.key.hex()}` in the home that started it"
        match said:
            case "revoked":
                return _REVOKED
            case "closed":
                return f"run {marker.run} takes no worker that only asks; {enrol}"
            case "full":
                return f"run {marker.run} has too many workers that are known or ask; {enrol}"
            case _:
                return f"nobody let this worker into run {marker.run}; start its `vangnet recorder`, or {enrol}"


_REVOKED = (
    "this worker's key was revoked, so its results are refused; to join as a new worker, remove the file worker from "
    "the keys of its home"
)
