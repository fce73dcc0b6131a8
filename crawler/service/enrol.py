"""Which workers are believed: acts of people, and the recorder's standing task for those that ask by themselves."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from crawler.bus.control import Control
from crawler.bus.joining import Joining, JoinRequest
from crawler.errors import FrontierLost, InvalidInput, Refused, VangnetError
from crawler.service.actors import require
from crawler.store import workers
from crawler.store.actors import RECORDER, Actor
from crawler.store.database import Database
from crawler.store.times import iso, iso_optional

MOST_KEYS: Final = 1_000
"""Keys, revoked ones included, above which nobody is let in who only asks."""

_PERIOD = 0.5
_log = structlog.get_logger()


def enrol_worker(db: Database, actor: Actor, key: str) -> dict[str, Any]:
    """Believe the worker whose verify key is `key` (64 hexadecimal digits). Returns a row as `list_workers` does.

    Raises NotAuthorised, InvalidInput for what is no key, Refused for a revoked one.
    """
    require(db, actor, "workers.enrol")
    verify_key = _read_key(key)
    workers.add_key(db, actor, f"enrolled-{key[:8].lower()}", verify_key)
    return _row(workers.find_key(db, verify_key))


def revoke_worker(db: Database, actor: Actor, worker: str) -> dict[str, Any]:
    """Believe a worker no more, from the next result on, and for good. Returns a row as `list_workers` does.

    worker: its name or its key. Raises NotAuthorised, InvalidInput for one that is not known.
    """
    require(db, actor, "workers.revoke")
    known = workers.all_keys(db)
    found = next((key for key in known if worker in (key.name, key.verify_key.hex())), None)
    if found is None:
        raise InvalidInput("no worker has this name or key; `vangnet worker --list` shows them")
    workers.revoke(db, actor, found.name)
    return _row(workers.find_key(db, found.verify_key))


def list_workers(db: Database, actor: Actor) -> list[dict[str, Any]]:
    """[{"name", "key", "added_at", "revoked_at"}], the oldest first. Raises NotAuthorised."""
    require(db, actor, "workers.read")
    return [_row(key) for key in workers.all_keys(db)]


def _read_key(text: str) -> bytes:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise InvalidInput("a worker's key has 64 hexadecimal digits; the worker prints it when it asks to join")
    return bytes.fromhex(text)


def _row(key: workers.WorkerKey | None) -> dict[str, Any]:
    assert key is not None
    return {
        "name": key.name,
        "key": key.verify_key.hex(),
        "added_at": iso(key.added_at),
        "revoked_at": iso_optional(key.revoked_at),
    }


@dataclass(slots=True)
class Doorkeeper:
    """Answers workers that ask, and tells the active runs whose results are believed; runs beside the recorder.

    recorder: public key of the recorder, whose runs these are.  open: whether a worker that asks is let in.
    """

    db: Database
    control: Control
    joining: Joining
    recorder: bytes = field(repr=False)
    open: bool
    _number_key: bytes | None = field(default=None, repr=False)

    async def run(self, stop: asyncio.Event) -> None:
        """Do so until `stop` is set. What goes wrong here is tried again, and keeps nobody from recording."""
        while not stop.is_set():
            try:
                await self.step()
            except VangnetError as error:
                _log.warning("answering workers delayed", error=str(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _PERIOD)

    async def step(self) -> None:
        """Answer all that ask now, and bring the active runs up to date."""
        await self._notice_loss()
        for request in await self.joining.requests(self.recorder):
            await self.joining.settle(request.verify_key, self._decide(request))
        believed = workers.verify_keys(self.db)
        for marker in await self.control.active():
            if marker.recorder == self.recorder and frozenset(marker.workers) != believed:
                await self.control.set_workers(marker.run, believed)

    def _decide(self, request: JoinRequest) -> str:
        known = workers.find_key(self.db, request.verify_key)
        if known is not None:
            return "welcome" if known.revoked_at is None else "revoked"
        if not self.open:
            return "closed"
        if len(workers.all_keys(self.db)) >= MOST_KEYS:
            return "full"
        name = f"{request.name}-{request.verify_key.hex()[:8]}"
        try:
            workers.add_key(self.db, RECORDER, name, request.verify_key)
        except Refused:
            return "closed"
        _log.info("a worker joined", worker=name)
        return "welcome"

    async def _notice_loss(self) -> None:
        """Say once that the server was emptied: what waited there to be recorded is gone."""
        if self._number_key is not None:
            try:
                await self.control.require_data(self._number_key)
            except FrontierLost as error:
                _log.error("results may be lost", error=str(error))
                self._number_key = None
        if self._number_key is None:
            self._number_key = await self.control.number_key()
