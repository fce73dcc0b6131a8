"""Ways out for a mail, and what each attempt came to. Whatever happens, an attempt ends in one of four words.

Accepted: it is delivered to the next hop, which answers for it.  Later: it certainly was not taken, and trying again
may help.  Refused: it certainly was not taken, and never will be.  Doubt: the connection ended when the message was out
and no answer was in; it may have been taken (RFC 1047), so nobody sends it again until a person or a receipt says more.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from secrets import token_hex
from typing import Protocol


class Fate(StrEnum):
    """What an attempt came to."""

    ACCEPTED = "accepted"
    LATER = "later"
    REFUSED = "refused"
    DOUBT = "doubt"


@dataclass(frozen=True, slots=True)
class Attempt:
    """said: what the other side answered, or what went wrong; kept sealed as the receipt, for it may quote a URL.

    why: what went wrong in our own words, which anybody may read; empty when it was accepted.
    """

    fate: Fate
    said: str
    why: str = field(default="", compare=False)


def missed(why: str) -> Attempt:
    """It was certainly not taken, and trying again may help. why: in our own words."""
    return Attempt(Fate.LATER, why, why)


@dataclass(frozen=True, slots=True)
class Envelope:
    """One mail on its way. name: of the notice, which is safe as a file name.  mail: as it leaves, with CRLF."""

    name: str
    sender: str
    recipient: str
    mail: bytes


class Outbox(Protocol):
    """channel: a short name for the record, such as "smtp"."""

    @property
    def channel(self) -> str: ...

    def send(self, envelope: Envelope) -> Attempt:
        """One attempt. Raises nothing for what happens on the way; that is what the answer is for."""
        ...


@dataclass(frozen=True, slots=True)
class DirectoryOutbox:
    """Puts mails into a directory, from where something else takes them: NAME.eml, mode 0600, all of it or nothing.

    The file is its own receipt: a second attempt finds the same bytes there, and has nothing left to do.
    """

    directory: Path

    @property
    def channel(self) -> str:
        return "directory"

    def send(self, envelope: Envelope) -> Attempt:
        target = self.directory / f"{envelope.name}.eml"
        fresh = self.directory / f".{envelope.name}.{token_hex(4)}"
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(fresh, envelope.mail)
            try:
                os.link(fresh, target)
            except FileExistsError:
                return _found(target, envelope.mail)
            finally:
                fresh.unlink()
            _sync(self.directory)
        except OSError as error:
            return missed(f"the outbox directory cannot be written: {error.strerror or type(error).__name__}")
        return Attempt(Fate.ACCEPTED, f"written as {target.name}")


def _write(path: Path, body: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


def _found(target: Path, mail: bytes) -> Attempt:
    if target.read_bytes() == mail:
        return Attempt(Fate.ACCEPTED, f"{target.name} was there already, with these bytes")
    why = f"{target.name} is there with other bytes"
    return Attempt(Fate.REFUSED, why, why)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
