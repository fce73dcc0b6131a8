"""Reading what came back to notices: a Maildir, or a directory of mails as files."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from crawler.errors import InvalidInput
from crawler.notice.inbox import MAX_BYTES, read_answer
from crawler.records import Rejected
from crawler.service.actors import require
from crawler.service.delivery import conclude_by_receipt
from crawler.store import audit, deliveries, notices
from crawler.store.actors import Actor
from crawler.store.database import Database
from crawler.store.times import iso

MOST_MAILS: Final = 10_000
"""Files of one reading; the rest is for the next."""


def read_inbox(db: Database, actor: Actor, directory: Path) -> dict[str, Any]:
    """Keep every mail that is new, sealed, with the notice that it answers; a delivery report decides a doubt.

    Returns {"read", "new", "by_kind": {kind: n}, "of_no_notice", "unreadable"}. Reading it again adds nothing; the
    mails stay where they are. Raises NotAuthorised, InvalidInput for a directory that is none.
    """
    require(db, actor, "notices.resolve")
    if not directory.is_dir():
        raise InvalidInput(f"{directory} is no directory; give a Maildir, or a directory of mails as files")
    done: dict[str, Any] = {"read": 0, "new": 0, "by_kind": {}, "of_no_notice": 0, "unreadable": 0}
    for path in islice(_files(directory), MOST_MAILS):
        done["read"] += 1
        mail = _content(path)
        answer = Rejected("unreadable") if mail is None else read_answer(mail)
        if isinstance(answer, Rejected):
            done["unreadable"] += 1
            continue
        with db.write():
            notice = notices.by_message(db, answer.refers)
            receipt = deliveries.add_receipt(db, actor, notice, answer.kind, answer.text, message=answer.identity)
            if receipt is None:
                continue
            done["new"] += 1
            done["by_kind"][answer.kind] = done["by_kind"].get(answer.kind, 0) + 1
            done["of_no_notice"] += notice is None
            audit.append(db, actor, "notices.receipt", notice or "", detail={"kind": answer.kind, "receipt": receipt})
            if notice is not None:
                conclude_by_receipt(db, actor, notice, answer.kind)
    return done


def list_receipts(db: Database, actor: Actor, notice_id: str | None) -> list[dict[str, Any]]:
    """[{"id", "kind", "received_at", "actor", "text"}] of a notice; of none, for None. Reading them is on record.

    Raises NotAuthorised.
    """
    require(db, actor, "notices.reveal")
    with db.write():
        audit.append(db, actor, "notices.read-receipts", notice_id or "")
    return [row | {"received_at": iso(row["received_at"])} for row in deliveries.receipts_of(db, notice_id)]


def _files(directory: Path) -> Iterator[Path]:
    boxes = [directory / name for name in ("new", "cur")]
    for box in boxes if all(map(Path.is_dir, boxes)) else [directory]:
        yield from sorted(path for path in box.iterdir() if path.is_file() and not path.name.startswith("."))


def _content(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError:
        return None
