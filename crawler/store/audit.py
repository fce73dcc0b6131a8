"""The audit chain: who did what to which object, in an order that nobody can change unnoticed.

An event is stored as canonical JSON (keys sorted, no spaces, ASCII). Its hash is SHA-256 over the hash of the event
before it (32 zero bytes before the first), its serial (8 bytes, big-endian) and its JSON. The head, that is the last
serial and hash, is signed with Ed25519 (RFC 8032), so that neither the end of the chain nor the whole of it can be
replaced without the key. Triggers of the table refuse changes by accident; the chain shows those by intent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from crawler.errors import StoreUnavailable
from crawler.store.actors import Actor, register
from crawler.store.database import Database
from crawler.store.times import iso

_START = bytes(32)
_PURPOSE = b"vangnet audit head 1"
_NAMES = ("at", "actor", "origin", "act", "object", "result", "detail")
_CHAIN = (
    # As bytes: what an intruder left behind may be no UTF-8, or no text at all.
    "SELECT serial, CAST(body AS BLOB), hash, typeof(body) = 'text' AND typeof(hash) = 'blob' FROM audit_events "
    "ORDER BY serial"
)
_EVENTS = "SELECT * FROM (SELECT serial, body FROM audit_events ORDER BY serial DESC LIMIT ?) ORDER BY serial"
_EVENTS_ABOUT = """
    SELECT * FROM (
        SELECT serial, body FROM audit_events WHERE json_extract(body, '$.object') = ?2 ORDER BY serial DESC LIMIT ?1
    ) ORDER BY serial
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` found.

    events: events that stand in the table.  serial: the first one at which the chain does not hold, None when all of
    it does.  problem: what is wrong there, None when nothing is.
    """

    events: int
    serial: int | None = None
    problem: str | None = None

    @property
    def intact(self) -> bool:
        return self.problem is None


def append(
    db: Database,
    actor: Actor,
    act: str,
    object_id: str,
    *,
    result: str = "done",
    detail: Mapping[str, Any] | None = None,
) -> int:
    """Add one event, inside the transaction of the act that it records. Returns its serial, counted from 1.

    act: for instance "hits.confirm".  object_id: the id or name of what was acted on, never a URL or a digest.
    result: "done" or "refused".  detail: what JSON can hold, without URLs and digests.
    Raises StoreUnavailable as every write does.
    """
    register(db, actor)
    last = head(db)
    serial, before = (last.serial + 1, last.hash) if last else (1, _START)
    event = {
        "act": act,
        "actor": actor.name,
        "at": iso(db.clock()),
        "detail": dict(detail or {}),
        "object": object_id,
        "origin": actor.origin,
        "result": result,
    }
    body = json.dumps(event, sort_keys=True, separators=(",", ":"))
    digest = chained(before, serial, body)
    db.insert("audit_events", {"serial": serial, "body": body, "hash": digest})
    signature = _signer(db).sign(_head(serial, digest))
    db.execute("INSERT OR REPLACE INTO audit_head VALUES (1, ?, ?, ?)", serial, digest, signature)
    return serial


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain ended at some time. hash: 32 bytes.  signature: 64 bytes, Ed25519 over serial and hash."""

    serial: int
    hash: bytes
    signature: bytes


def head(db: Database) -> Head | None:
    """Where the chain ends, as it was signed; None while it is empty. Raises StoreUnavailable for one that is none."""
    row = db.row("SELECT serial, hash, signature FROM audit_head")
    if row is None:
        return None
    kept = Head(**row)
    kinds = isinstance(kept.serial, int), isinstance(kept.hash, bytes), isinstance(kept.signature, bytes)
    if not all(kinds) or not 0 <= kept.serial < 2**63:
        raise StoreUnavailable("the head of the audit chain was damaged; run `vangnet audit verify`")
    return kept


def public_key(db: Database) -> bytes:
    """What heads are verified with: 32 bytes."""
    return _signer(db).public_key().public_bytes_raw()


def signed(head: Head, key: bytes) -> bool:
    """Whether the signature of a head is that of `key` (32 bytes, public)."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(head.signature, _head(head.serial, head.hash))
    except (InvalidSignature, ValueError):
        return False
    return True


def verify(db: Database, heads: Iterable[Head] = ()) -> Verdict:
    """Walk the whole chain: any change, removal, insertion or reorder shows. About 2 s for a million events.

    heads: kept elsewhere, with signatures that were checked: the chain has to go through each of them, so that its end
    cannot be cut off, nor the whole of it made anew, even by who has the key.
    """
    kept = {each.serial: each.hash for each in heads}
    before, expected = _START, 1
    for serial, body, digest, sound in db.stream(_CHAIN):
        if serial != expected:
            return _broken(db, expected, "events are missing or out of order")
        if not sound or _chained(before, serial, body) != digest:
            return _broken(db, serial, "the event was changed, or another one put in its place")
        if kept and kept.pop(serial, digest) != digest:
            return _broken(db, serial, "the chain is not the one whose head was kept elsewhere")
        before, expected = digest, expected + 1
    if kept:
        return _broken(db, expected, "events are missing that a head kept elsewhere knows of")
    return _verify_head(db, expected - 1, before)


def events(db: Database, *, last: int | None = None, object_id: str | None = None) -> Iterator[dict[str, Any]]:
    """The events in order, as {"serial", "at", "actor", "origin", "act", "object", "result", "detail"}.

    last: only so many, the latest.  object_id: only those about this object.
    Raises StoreUnavailable at an event that cannot be read.
    """
    limit = -1 if last is None else last
    found = db.stream(_EVENTS, limit) if object_id is None else db.stream(_EVENTS_ABOUT, limit, object_id)
    for serial, body in found:
        try:
            event = json.loads(body)
            yield {"serial": serial} | {name: event[name] for name in _NAMES}
        except (ValueError, KeyError, TypeError) as error:
            raise StoreUnavailable(f"audit event {serial} was damaged; run `vangnet audit verify`") from error


def chained(before: bytes, serial: int, body: str) -> bytes:
    """The hash of an event: 32 bytes. before: that of the one before it."""
    return _chained(before, serial, body.encode())


def _chained(before: bytes, serial: int, body: bytes) -> bytes:
    return sha256(before + serial.to_bytes(8, "big") + body).digest()


def _verify_head(db: Database, serial: int, digest: bytes) -> Verdict:
    try:
        kept = head(db)
    except StoreUnavailable:
        kept = Head(serial, digest, b"")
    if kept is None:
        return Verdict(serial) if serial == 0 else _broken(db, serial, "the signed head is missing")
    if not signed(kept, public_key(db)):
        return _broken(db, serial, "the head's signature does not fit")
    if (kept.serial, kept.hash) != (serial, digest):
        return _broken(db, min(serial, kept.serial) + 1, "the chain does not end at its signed head")
    return Verdict(serial)


def _broken(db: Database, serial: int, problem: str) -> Verdict:
    return Verdict(int(db.value("SELECT count(*) FROM audit_events")), serial, problem)


def _signer(db: Database) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(db.keys.audit)


def _head(serial: int, digest: bytes) -> bytes:
    return _PURPOSE + serial.to_bytes(8, "big") + digest
