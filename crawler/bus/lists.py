"""The state of the hash lists on its way from the recorder to the workers of a run; see docs/adr/0021.

PREFIX:{ctl}:lists:RUN       stream of one entry, the latest: state -> signature (64) | secret box
PREFIX:{ctl}:lists:RUN:keys  hash: verify key of a worker -> box of the key that opens the state

Codes and digests are sensitive, and a server writes all that it gets to its disk. So each publication is sealed
(XSalsa20-Poly1305) under a key of its own, which is boxed (X25519) for each worker that is believed, from the recorder
to whom their results are sealed. The state is signed (Ed25519) as well, by a key whose public half travels in the box:
a worker can open a state and cannot make one up for the others. A worker that is revoked gets no further key.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, cast

import msgpack
from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey
from nacl.secret import SecretBox
from nacl.signing import SigningKey, VerifyKey
from nacl.utils import random
from redis.asyncio import Redis

from crawler.bus.client import answered
from crawler.bus.control import list_keys, run_key
from crawler.errors import RecordCorrupt
from crawler.records import RunId

_KEY, _SIGNATURE = 32, 64
_PERSON = b"vangnet lists"

# KEYS: marker, stream, keys. ARGV: index, entry, then keys and boxes. The index changes with the state, or not at all.
_PUBLISH = """
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
redis.call('DEL', KEYS[3])
for i = 3, #ARGV, 2 do redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1]) end
redis.call('HSET', KEYS[1], 'index', ARGV[1])
return redis.call('XADD', KEYS[2], 'MAXLEN', 1, '*', 'state', ARGV[2])
"""

# KEYS: stream, keys. ARGV: id of the entry that is known, verify key. One look, so that box and state belong together.
_READ = """
local rows = redis.call('XREVRANGE', KEYS[1], '+', '(' .. ARGV[1], 'COUNT', 1)
if #rows == 0 then return false end
local box = redis.call('HGET', KEYS[2], ARGV[2])
if not box then return {rows[1][1]} end
return {rows[1][1], rows[1][2][2], box}
"""


@dataclass(frozen=True, slots=True)
class Published:
    """A state. number: of the state.  index: sha256 (hex) of its file.  packed: as `crawler.match.live` has it.

    before: the same for the file that this one replaces, for workers that have not gone over yet.
    """

    number: int
    index: str
    packed: bytes = field(repr=False)
    before: Published | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Unread:
    """There is a newer state, and this worker cannot open it (yet)."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A publication, as its recorder remembers it: what workers that come later need. secret: opens it.

    entry: its id in the stream.
    """

    secret: bytes = field(repr=False)
    entry: bytes = b""


class ListFeed:
    """Both ends. Every method raises RedisUnavailable when the server does not answer."""

    def __init__(self, client: Redis, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    async def publish(self, run: RunId, state: Published, recorder: bytes, workers: Iterable[bytes]) -> Sent | None:
        """Make a state that of a run, in place of the one before, and its file that of the run's marker.

        recorder: its private key, 32 bytes.  workers: verify keys of those who may read it.
        None when the run is not active (any more).
        """
        secret = random(SecretBox.KEY_SIZE)
        entry = _sealed(run, state, recorder, secret)
        arguments: list[Any] = [state.index, entry, *_boxes(secret, recorder, workers)]
        keys = (run_key(self._prefix, run), *list_keys(self._prefix, run))
        done = await answered(self._client.eval(_PUBLISH, len(keys), *keys, *arguments))
        return Sent(secret, done) if done else None

    async def admit(self, run: RunId, sent: Sent, recorder: bytes, workers: Iterable[bytes]) -> None:
        """Let more workers read what was published."""
        flat = _boxes(sent.secret, recorder, workers)
        if flat:
            values = dict(zip(flat[::2], flat[1::2], strict=True))
            await answered(self._client.hset(list_keys(self._prefix, run)[1], mapping=cast("Any", values)))

    async def holds(self, run: RunId, sent: Sent) -> bool:
        """Whether this publication is the state of a run still."""
        rows = await answered(self._client.xrevrange(list_keys(self._prefix, run)[0], count=1))
        return bool(rows) and rows[0][0] == sent.entry

    async def read(
        self, run: RunId, after: bytes, signing: bytes, recorder: bytes
    ) -> tuple[bytes, Published | Unread] | None:
        """The latest state of a run, if it came after the entry `after` (b"0-0": any), with the id of its entry.

        signing: seed of the worker's key.  recorder: public key of the recorder, from the run's marker.
        Raises RecordCorrupt for a state that is not one of this recorder for this run.
        """
        keys = list_keys(self._prefix, run)
        key = bytes(SigningKey(signing).verify_key)
        found = await answered(self._client.eval(_READ, 2, *keys, *cast("list[str]", [after, key])))
        if found is None:
            return None
        if len(found) == 1:
            return found[0], Unread()
        return found[0], _opened(run, found[1], found[2], signing, recorder)


def _boxes(secret: bytes, recorder: bytes, workers: Iterable[bytes]) -> list[bytes]:
    """Verify key, box, verify key, box … A key that somebody enrolled and that is none gets no box."""
    content = secret + bytes(_signing(recorder).verify_key)
    flat: list[bytes] = []
    for worker in workers:
        try:
            theirs = VerifyKey(worker).to_curve25519_public_key()
        except (CryptoError, ValueError):
            continue
        flat += [worker, bytes(Box(PrivateKey(recorder), theirs).encrypt(content))]
    return flat


def _signing(recorder: bytes) -> SigningKey:
    return SigningKey(blake2b(recorder, digest_size=32, person=_PERSON).digest())


def _sealed(run: RunId, state: Published, recorder: bytes, secret: bytes) -> bytes:
    box = SecretBox(secret).encrypt(msgpack.packb([str(run), *_plain(state)]))
    return _signing(recorder).sign(bytes(box)).signature + bytes(box)


def _plain(state: Published) -> list[Any]:
    return [state.number, state.index, state.packed, None if state.before is None else _plain(state.before)]


def _published(number: Any, index: Any, packed: Any, before: Any) -> Published:
    if type(number) is not int:
        raise ValueError("number")
    return Published(number, str(index), bytes(packed), None if before is None else _published(*before))


def _opened(run: RunId, entry: bytes, box: bytes, signing: bytes, recorder: bytes) -> Published:
    try:
        content = Box(SigningKey(signing).to_curve25519_private_key(), PublicKey(recorder)).decrypt(box)
        sealed = VerifyKey(content[_KEY:]).verify(entry[_SIGNATURE:], entry[:_SIGNATURE])
        name, *state = msgpack.unpackb(SecretBox(content[:_KEY]).decrypt(sealed))
        if name != str(run):
            raise ValueError("run")
        return _published(*state)
    except (CryptoError, ValueError, TypeError, msgpack.UnpackException) as error:
        raise RecordCorrupt(
            f"the state of the hash lists of run {run} does not come from its recorder, or is damaged"
        ) from error
