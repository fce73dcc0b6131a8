"""What on a page may be pressed: what shows more of it, and nothing that acts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from crawler.discover.acts import RULES, acts
from crawler.urls import canonical

_MORE: Final = re.compile(
    r"\b(?:load|show|see|view|read|get)\b.{0,20}\b(?:more|all|rest|next)\b|^\W*more\b|\bmore\W*$|\bnext\b"
    r"|\bmeer\b|\b(?:laad|toon|bekijk|alle)\b.{0,20}\b(?:alles|volgende|foto)|\bvolgende\b|\bnext\s+page\b"
    r"|\bmehr\b|\bweitere\b|\bplus\b|\bvoir\b|^\W*[›»→▶>+]+\W*$",
    re.IGNORECASE,
)
_WORDS: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_ACTS: Final = RULES.words | RULES.verbs | RULES.last_words | frozenset(
    [
    "accept", "agree", "akkoord", "bestel", "bestellen", "betaal", "buy", "cart", "checkout", "comment",
    "download", "follow", "install", "koop", "like", "login", "mail", "message", "order", "pay", "print",
    "reageer", "rate", "register", "reply", "report", "send", "share", "sign", "submit", "subscribe", "upload",
    "verstuur", "volg", "volgen", "winkelwagen",
    ]
)  # fmt: skip
_MORE_AGAIN: Final = 12
"""How often one thing is pressed that shows more each time."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that can be pressed. number: among those offered.  text: what it says.  words: its names in the markup.

    picture: it is a picture, which shows itself larger when pressed.  times: how often it was pressed.
    """

    number: int
    text: str
    words: str
    urls: tuple[str, ...]
    picture: bool
    times: int


def offers_from(found: object) -> list[Offer]:
    """What `explore.js` says, as far as it can be one of its answers."""
    rows = found.get("offers") if isinstance(found, Mapping) else None
    return [_offer(number, row) for number, row in enumerate(rows or ()) if isinstance(row, Mapping)]


def _offer(number: int, row: Mapping[str, Any]) -> Offer:
    urls = row.get("urls")
    return Offer(
        number,
        str(row.get("text", "")),
        str(row.get("words", "")),
        tuple(str(url) for url in urls) if isinstance(urls, list) else (),
        bool(row.get("picture")),
        int(row.get("times") or 0),
    )


def chosen(offers: Iterable[Offer], page: str, most: int) -> list[int]:
    """The numbers of those to press now, at most so many; what shows more goes before pictures. page: its URL."""
    able = [offer for offer in offers if not _acts(offer, page)]
    more = [offer for offer in able if _MORE.search(offer.text or offer.words) and offer.times < _MORE_AGAIN]
    pictures = [offer for offer in able if offer.picture and offer.times == 0 and offer not in more]
    return [offer.number for offer in (*more, *pictures)][:most]


def _acts(offer: Offer, page: str) -> bool:
    words = {word.lower() for word in _WORDS.findall(f"{offer.text} {offer.words}")}
    if words & _ACTS:
        return True
    targets = (canonical(url, page) for url in offer.urls)
    return any(isinstance(target, str) and acts(target, page) for target in targets)
