"""Texts that strangers wrote, made harmless for a terminal or a page."""

from __future__ import annotations

SHOWN = 4_000
"""Characters of one text that are shown at most."""


def plain(value: object) -> str:
    """One line's text: control and formatting characters, bidirectional ones among them, are shown as "�"; None as
    "-"; what is beyond 4,000 characters as "…"."""
    if value is None:
        return "-"
    text = str(value)
    cut = text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
    return "".join(character if character.isprintable() else "�" for character in cut)
