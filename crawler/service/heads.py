"""Heads of the audit chain in a directory of the auditor's: one a day, signed, never written twice.

A file `head-2026-06-17.json` holds {"serial", "hash", "signature", "public_key", "at"}, hexadecimal. Who has the home
cannot take them back: the chain has to go through each of them from then on.
"""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import structlog

from crawler.errors import InvalidInput, Unavailable, VangnetError
from crawler.store import audit
from crawler.store.audit import Head
from crawler.store.database import Database
from crawler.store.times import iso

_EVERY = 60.0
_log = structlog.get_logger()


def publish(db: Database, directory: Path) -> Path | None:
    """Write today's head, where there is none of today yet. Returns its file; None when nothing was to be written.

    Raises Unavailable when the directory cannot be written.
    """
    now = db.clock()
    path = directory / f"head-{datetime.fromtimestamp(now, UTC).date().isoformat()}.json"
    head = audit.head(db)
    if head is None or path.exists():
        return None
    document = {
        "serial": head.serial,
        "hash": head.hash.hex(),
        "signature": head.signature.hex(),
        "public_key": audit.public_key(db).hex(),
        "at": iso(now),
    }
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o444), "w") as file:
            file.write(json.dumps(document) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)
        except FileExistsError:
            return None
        finally:
            fresh.unlink()
    except OSError as error:
        raise Unavailable(f"audit heads {directory}: {error.strerror}; make it writable for this account") from error
    return path


async def keep_published(db: Database, directory: str, stop: asyncio.Event) -> None:
    """Write a head each day until `stop` is set; for a process that is always there. directory: "" for none."""
    while directory and not stop.is_set():
        try:
            publish(db, Path(directory))
        except VangnetError as error:
            _log.error("no audit head", error=str(error))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _EVERY)


def read(directory: Path, key: bytes) -> list[Head]:
    """The heads in a directory, the oldest first. key: 32 bytes, public; every one has to be signed with it.

    Raises InvalidInput for a file that is no head of this key, Unavailable when it cannot be read.
    """
    found = []
    try:
        texts = {path: path.read_text("utf-8") for path in sorted(directory.glob("head-*.json"))}
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(f"audit heads {directory}: cannot be read; check its owner and mode") from error
    for path, text in texts.items():
        try:
            document = json.loads(text)
            head = Head(int(document["serial"]), bytes.fromhex(document["hash"]), bytes.fromhex(document["signature"]))
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInput(f"{path}: is no head of an audit chain; restore it from its backup") from error
        if not audit.signed(head, key):
            raise InvalidInput(f"{path}: is not signed with this home's audit key; is it another home's?")
        found.append(head)
    return found
