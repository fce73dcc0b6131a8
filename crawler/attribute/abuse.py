"""The abuse contact of a network by the rules of the RIPE NCC, with the candidates that were passed over.

The `abuse-c` of the most specific network, then that of its organisation, then the same of the next less specific
network, and so on: the `abuse-mailbox` of the role that it names.
Source: RIPE-563, https://docs.db.ripe.net/Types-of-Queries/Abuse-Contacts/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from crawler.attribute.registry_file import Cells

MAX_LEVELS: Final = 8
"""Networks that are looked at, from the most specific one up."""

_MAIL: Final = re.compile(
    r"[^@\s<>()\[\],;:\"]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?\.[A-Za-z0-9-]{2,63}"
)

Find = Callable[[str], "Cells | None"]


@dataclass(frozen=True, slots=True)
class Level:
    """One network of the way up. prefix: its range as text."""

    cells: Cells
    prefix: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """mail: the contact, None where a reference leads to none.  way: how it was found.  prefix: of the network.

    wrong: why it cannot be used, None for one that can.
    """

    mail: str | None
    way: str
    prefix: str
    wrong: str | None = None


@dataclass(frozen=True, slots=True)
class AbuseContact:
    """chosen: None when no level has a usable one.  rejected: all others, in the order in which they were met."""

    chosen: Candidate | None
    rejected: tuple[tuple[Candidate, str], ...]


def abuse_contact(levels: Sequence[Level], organisation: Find, role: Find) -> AbuseContact:
    """levels: from the most specific network up.  organisation, role: objects by handle, None for no such object."""
    chosen: Candidate | None = None
    rejected: list[tuple[Candidate, str]] = []
    for candidate in _candidates(levels, organisation, role):
        if candidate.wrong is not None:
            rejected.append((candidate, candidate.wrong))
        elif chosen is None:
            chosen = candidate
        elif candidate.mail != chosen.mail:
            why = "of a less specific network" if candidate.prefix != chosen.prefix else "of its organisation"
            rejected.append((candidate, why))
    return AbuseContact(chosen, tuple(rejected))


def first_contact(levels: Iterable[Level], organisation: Find, role: Find) -> str | None:
    """The mail address that `abuse_contact` chooses; no further level is looked at than the one that has it."""
    usable = (each.mail for each in _candidates(levels, organisation, role) if each.wrong is None)
    return next(usable, None)


def _candidates(levels: Iterable[Level], organisation: Find, role: Find) -> Iterator[Candidate]:
    for level in islice(levels, MAX_LEVELS):
        own = level.cells["abuse-c"]
        name = level.cells["netname"] or level.prefix
        if own:
            yield _of_role(own, f"abuse-c of {name}", level.prefix, role)
        handle = level.cells["org"]
        found = organisation(handle) if handle else None
        if found is not None and found["abuse-c"]:
            yield _of_role(found["abuse-c"], f"abuse-c of {handle}", level.prefix, role)


def _of_role(handle: str, way: str, prefix: str, role: Find) -> Candidate:
    way = f"{way}, {handle}"
    found = role(handle)
    if found is None:
        return Candidate(None, way, prefix, "no such role in the data")
    mail = found["abuse-mailbox"]
    if not mail:
        return Candidate(None, way, prefix, "the role has no abuse-mailbox")
    return Candidate(mail, way, prefix, None if _MAIL.fullmatch(mail) else "is not a mail address")
