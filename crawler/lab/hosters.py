"""What the lab's hosters do with a notice. They know what its mail says, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final

from crawler.lab.process import Lab


class Habit(StrEnum):
    """What becomes of a reported URL."""

    REMOVES = "removes"
    REPLACES = "replaces"
    """By another picture, under the same URL."""
    IGNORES = "ignores"


HABITS: Final[Mapping[str, Habit]] = MappingProxyType(
    {
        "abuse@polderhosting.example": Habit.REMOVES,
        "noc@molenveld.example": Habit.REMOVES,
        "abuse@duinen.example": Habit.REPLACES,
        "misbruik@waterkant.example": Habit.IGNORES,
        "trust@lichtsnel.example": Habit.IGNORES,
    }
)
"""Abuse contact -> habit."""


@dataclass(frozen=True, slots=True)
class Acted:
    """What the hosters did with their mail. removed, replaced, ignored: URLs; of a page with an embedded image, its."""

    mails: int
    removed: frozenset[str]
    replaced: frozenset[str]
    ignored: frozenset[str]


def read_mail(directory: Path, lab: Lab) -> Acted:
    """Let every hoster read the mails in an outbox directory, and act on the URLs that they report."""
    urls: dict[Habit, set[str]] = {habit: set() for habit in Habit}
    mails = sorted(directory.glob("*.eml"))
    for path in mails:
        mail = message_from_bytes(path.read_bytes(), policy=default)
        assert isinstance(mail, EmailMessage)
        urls[HABITS[str(mail["To"])]] |= set(reported(mail))
    lab.remove(sorted(urls[Habit.REMOVES]))
    lab.remove(sorted(urls[Habit.REPLACES]), leave="placeholder")
    acted = {habit: frozenset(found) for habit, found in urls.items()}
    return Acted(len(mails), acted[Habit.REMOVES], acted[Habit.REPLACES], acted[Habit.IGNORES])


def reported(mail: EmailMessage) -> list[str]:
    """The URLs that a feedback report names (RFC 5965, Reported-URI)."""
    return [str(value) for part in mail.walk() for name, value in part.items() if name == "Reported-URI"]
