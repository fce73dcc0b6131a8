"""What every process of a deployment must agree on: which runs are active, with which campaign, index and keys.

PREFIX:{ctl}:format    "format:partitions" of the frontier that lies in this server
PREFIX:{ctl}:number-key   random bytes: the key of seen numbers, and what tells these data from any before or after
PREFIX:{ctl}:runs      set of active runs
PREFIX:{ctl}:run:RUN   hash: campaign (canonical JSON), index, recorder, state, seeded, swept, started, workers
PREFIX:{ctl}:sweep:RUN hash: how far the sweep of a run is; see `bus/sweeps.py`
PREFIX:{ctl}:lists:RUN, …:keys   what has changed in the hash lists, see `lists.py`
PREFIX:{ctl}:stops     hash: emergency stops, what is stopped -> since when
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from secrets import token_bytes
from typing import Any, cast

import structlog
from redis.asyncio import Redis

from crawler.bus.client import answered
from crawler.bus.stops import Stop, Stops, read_stop
from crawler.errors import FrontierLost, HomeUnusable, RecordCorrupt, RedisUnavailable
from crawler.records import RunId

_log = structlog.get_logger()

FORMAT = 8
"""Changes whenever the scripts' keys or records do, so that an old worker never reads a new frontier."""

_SET_FIELD = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
"""


def run_key(prefix: str, run: RunId) -> str:
    """The key of a run's marker."""
    return f"{prefix}:{{ctl}}:run:{run}"


def list_keys(prefix: str, run: RunId) -> tuple[str, str]:
    """The keys of the state of a run's hash lists, and of what opens it."""
    stream = f"{prefix}:{{ctl}}:lists:{run}"
    return stream, f"{stream}:keys"


class RunState(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class RunControl:
    """The marker of an active run.

    campaign: its canonical JSON.  index: sha256 (hex) of the index file.  recorder: public key (32 bytes) that results
    are sealed to.  seeded: all seeds are in the frontier.  swept: so are all addresses of the sweep, if there is one.
    started_at: epoch seconds.  workers: verify keys (32 bytes each) of those whose results are believed.
    """

    run: RunId
    campaign: str = field(repr=False)
    index: str
    recorder: bytes = field(repr=False)
    started_at: float
    state: RunState = RunState.RUNNING
    seeded: bool = False
    workers: tuple[bytes, ...] = field(default=(), repr=False)
    swept: bool = True

    @property
    def filled(self) -> bool:
        """Whether nothing is to come but what pages name."""
        return self.seeded and self.swept


class Control:
    """The control records. Every method raises RedisUnavailable when the server does not answer."""

    def __init__(self, client: Redis, prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._base = f"{prefix}:{{ctl}}"

    async def check_format(self, partitions: int) -> None:
        """Claim an empty server for this format and number of partitions, or make sure it has them.

        Raises HomeUnusable for a frontier that another version or another partitioning wrote.
        """
        found = await self.agree_partitions(partitions)
        if found != partitions:
            raise HomeUnusable(
                f"the frontier in Redis has {found} partitions, this process {partitions}; set "
                f"VANGNET_PARTITIONS={found}, or empty the server"
            )

    async def agree_partitions(self, partitions: int) -> int:
        """How many partitions the deployment has: `partitions` when its server was empty.

        Raises HomeUnusable for a frontier that another version wrote.
        """
        await answered(self._client.set(f"{self._base}:format", f"{FORMAT}:{partitions}", nx=True))
        found = (await answered(self._client.get(f"{self._base}:format")) or b"").decode(errors="replace")
        version, _, number = found.partition(":")
        if version != str(FORMAT) or not number.isdecimal():
            raise HomeUnusable(
                f"the frontier in Redis has format {version or 'unknown'}, this version reads {FORMAT}; end its crawls "
                "with the version that began them, or empty the server and start them again (recorded hits stay)"
            )
        return int(number)

    async def number_key(self) -> bytes:
        """The deployment's key of seen numbers, 16 bytes; made by whoever comes first.

        Another key is another deployment: the server was emptied, or replaced by one that had nothing.
        """
        await answered(self._client.set(f"{self._base}:number-key", token_bytes(16), nx=True))
        key: bytes | None = await answered(self._client.get(f"{self._base}:number-key"))
        if key is None:
            raise RedisUnavailable("Redis forgot a key that was just written; check its maxmemory-policy")
        return key

    async def require_data(self, number_key: bytes) -> None:
        """Return when the server has the data that belong to `number_key`. Raises FrontierLost."""
        if await answered(self._client.get(f"{self._base}:number-key")) != number_key:
            raise FrontierLost(
                "the server at REDIS_URL was emptied or lost its data in mid-crawl, so its runs are not finished; what "
                "was recorded is safe, start their campaigns again"
            )

    async def announce(self, control: RunControl) -> None:
        """Make a run known to every worker."""
        values: dict[str | bytes, Any] = {
            "campaign": control.campaign,
            "index": control.index,
            "recorder": control.recorder,
            "state": control.state.value,
            "seeded": int(control.seeded),
            "swept": int(control.swept),
            "started": repr(control.started_at),
            "workers": b"".join(control.workers),
        }
        await answered(self._client.hset(self._key(control.run), mapping=cast("Any", values)))
        await answered(self._client.sadd(f"{self._base}:runs", str(control.run)))

    async def find(self, run: RunId) -> RunControl | None:
        """The marker of a run, None when it is not active."""
        found = await answered(self._client.hgetall(self._key(run)))
        return _control(run, found) if found else None

    async def require(self, run: RunId) -> RunControl:
        """The marker of a run that must be there. Raises FrontierLost: an emptied server is not a finished crawl."""
        control = await self.find(run)
        if control is None:
            raise FrontierLost(
                f"run {run} is gone from Redis: the server was emptied or lost its data; what was recorded is safe, "
                "start the campaign again"
            )
        return control

    async def active(self) -> list[RunControl]:
        """All active runs."""
        names = await answered(self._client.smembers(f"{self._base}:runs"))
        controls = [await self.find(_run(name.decode())) for name in sorted(names)]
        return [control for control in controls if control is not None]

    async def set_state(self, run: RunId, state: RunState) -> bool:
        """Pause, resume or stop a run, for every worker. False when it is not active (any more)."""
        return await self._set(run, "state", state.value)

    async def set_workers(self, run: RunId, workers: Iterable[bytes]) -> bool:
        """Say whose results are believed in a run. False when it is not active (any more)."""
        return await self._set(run, "workers", b"".join(sorted(workers)))

    async def set_seeded(self, run: RunId) -> None:
        """Note that all seeds of a run are in the frontier."""
        await self._set(run, "seeded", "1")

    async def retire(self, run: RunId) -> None:
        """Forget a finished run."""
        await answered(self._client.srem(f"{self._base}:runs", str(run)))
        gone = (self._key(run), sweep_key(self._prefix, run), *list_keys(self._prefix, run))
        await answered(self._client.delete(*gone))

    async def compact(self, patience: float = 10.0) -> None:
        """Have the server write its append-only file anew: what was removed must not stand on disk any longer.

        patience: seconds to wait for it; a server that goes on living finishes it by itself. One that does not let us
        is told of in the log: its operator has to see to that.
        """
        deadline = time.monotonic() + patience
        try:
            if not (await self._persistence()).get("aof_enabled"):
                return
            # One that is under way may have begun before the removal.
            await self._rewritten(deadline)
            await answered(self._client.bgrewriteaof())
            await self._rewritten(deadline)
        except RedisUnavailable as error:
            _log.warning("the server's append-only file was not written anew", error=str(error))

    async def _rewritten(self, deadline: float) -> None:
        while time.monotonic() < deadline:
            now = await self._persistence()
            if not now.get("aof_rewrite_in_progress") and not now.get("aof_rewrite_scheduled"):
                return
            await asyncio.sleep(0.02)

    async def _persistence(self) -> dict[str, Any]:
        found: dict[str, Any] = await answered(self._client.info("persistence"))
        return found

    async def stops(self) -> Stops:
        """The emergency stops in force. Raises RecordCorrupt for one that cannot be read."""
        found = await answered(self._client.hgetall(f"{self._base}:stops"))
        return Stops(read_stop(name, since) for name, since in found.items())

    async def set_stop(self, stop: Stop) -> bool:
        """Put a stop in force. False when it was so already; the time since when stays."""
        return bool(await answered(self._client.hsetnx(f"{self._base}:stops", stop.name, repr(stop.since))))

    async def lift_stop(self, stop: Stop) -> bool:
        """Take a stop back. False when there is none of this name."""
        return bool(await answered(self._client.hdel(f"{self._base}:stops", stop.name)))

    async def _set(self, run: RunId, field: str, value: str | bytes) -> bool:
        # A field of a run that is gone must not make a marker of nothing else.
        script = self._client.eval(_SET_FIELD, 1, self._key(run), field, cast("str", value))
        return bool(await answered(script))

    def _key(self, run: RunId) -> str:
        return run_key(self._prefix, run)


def sweep_key(prefix: str, run: RunId) -> str:
    """The key of how far a run's sweep is."""
    return f"{prefix}:{{ctl}}:sweep:{run}"


def _run(text: str) -> RunId:
    name, _, number = text.rpartition("#")
    if not name or not number.isdecimal():
        raise RecordCorrupt("the set of active runs in Redis names no run")
    return RunId(name, int(number))


def _control(run: RunId, values: dict[bytes, bytes]) -> RunControl:
    try:
        return RunControl(
            run=run,
            campaign=values[b"campaign"].decode(),
            index=values[b"index"].decode(),
            recorder=values[b"recorder"],
            state=RunState(values[b"state"].decode()),
            seeded=values[b"seeded"] == b"1",
            swept=values.get(b"swept", b"1") == b"1",
            started_at=float(values[b"started"]),
            workers=tuple(values[b"workers"][i : i + 32] for i in range(0, len(values[b"workers"]), 32)),
        )
    except (KeyError, ValueError) as error:
        raise RecordCorrupt(f"the control record of run {run} in Redis is damaged; start the campaign again") from error
