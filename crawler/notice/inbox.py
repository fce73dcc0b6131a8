"""What comes back to a notice: delivery reports (RFC 3464), automatic answers (RFC 3834) and answers of people.

A mail is hostile text: it is read up to a bound, and nothing in it is followed or run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default
from hashlib import sha256
from typing import Final

from crawler.records import Rejected

MAX_BYTES: Final = 1_048_576
"""Longest mail that is read."""
MAX_TEXT: Final = 20_000
"""Characters of an answer that are kept."""
_PARTS: Final = 64
_ID: Final = re.compile(r"<[^<>\s]{3,250}>")
_ACTIONS: Final = {"delivered": "delivered", "relayed": "delivered", "expanded": "delivered", "delayed": "delayed"}


@dataclass(frozen=True, slots=True)
class Answer:
    """kind: "delivered", "delayed", "failed", "automatic" or "reply".

    identity: the same whenever the same mail is read again.  refers: Message-IDs that it answers.  text: what it says.
    """

    kind: str
    identity: str
    refers: tuple[str, ...]
    text: str = field(repr=False)


def read_answer(mail: bytes) -> Answer | Rejected:
    """The answer in a mail; Rejected("too-large" | "no-mail")."""
    if len(mail) > MAX_BYTES:
        return Rejected("too-large")
    try:
        message = message_from_bytes(mail, policy=default)
        parts = list(_parts(message))
        action = _action(parts)
        refers = tuple(dict.fromkeys([*_header_ids(message), *_original_ids(parts)]))
        text = _text(parts)
        kind = action or ("automatic" if _is_automatic(message) else "reply")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        # The parser promises not to raise, and does so on some broken headers all the same.
        return Rejected("no-mail")
    return Answer(kind, sha256(mail).hexdigest(), refers, text[:MAX_TEXT])


def _parts(message: Message) -> Iterator[Message]:
    for number, part in enumerate(message.walk()):
        if number >= _PARTS:
            return
        yield part


def _action(parts: list[Message]) -> str | None:
    """What a delivery report says of the recipient; None in a mail that is none."""
    if not any(part.get_content_type() == "message/delivery-status" for part in parts):
        return None
    actions = [str(part["Action"]).strip().lower() for part in parts if part["Action"]]
    found = {_ACTIONS.get(action, "failed") for action in actions}
    return next((kind for kind in ("failed", "delayed", "delivered") if kind in found), "delayed")


def _header_ids(message: Message) -> list[str]:
    return _ID.findall(f"{message['In-Reply-To'] or ''} {message['References'] or ''}")


def _original_ids(parts: list[Message]) -> list[str]:
    """The Message-ID of the mail that a report is about, which stands in a part of its own."""
    found: list[str] = []
    for part in parts[1:]:
        if part.get_content_type() == "text/rfc822-headers":
            headers = str(part.get_payload())
            for line in re.findall(r"(?im)^message-id:\s*(\S+)", headers):
                found += _ID.findall(line)
        elif part["Message-ID"]:
            found += _ID.findall(str(part["Message-ID"]))
    return found


def _is_automatic(message: Message) -> bool:
    return str(message["Auto-Submitted"] or "no").strip().lower() != "no"


def _text(parts: list[Message]) -> str:
    for part in parts:
        if part.get_content_type() == "text/plain" and isinstance(part, EmailMessage):
            return str(part.get_content())
    return ""
