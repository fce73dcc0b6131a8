"""Values as lists write them -> entries. Shared by all importers, so that every one of them has the same guards."""

from __future__ import annotations

import base64
from binascii import unhexlify
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from crawler.match.entries import DIGEST_BYTES, VALUE_BYTES, BadLine, Entry, ImportOptions, Item, Uncounted
from crawler.match.poison import flaw

ALGORITHMS: Mapping[str, str] = MappingProxyType(
    {name: name for name in VALUE_BYTES}
    | {"sha-1": "sha1", "sha_1": "sha1", "sha-256": "sha256", "sha_256": "sha256", "pdna": "photodna"}
)
"""Names in lower case that lists use -> ours."""

LONGEST_TEXT = 256
"""Characters of a category or an identifier; more is cut off."""

LARGEST_SIZE = (1 << 63) - 1
"""Bytes that a file may be said to have; more does not fit into the store."""


class About(NamedTuple):
    """What a list says of an image beside its values; fields as in `Entry`."""

    category: str | None = None
    size: int | None = None
    external_id: str | None = None


NOTHING = About()


def binary(algorithm: str, text: str | bytes) -> bytes | str:
    """The value, or in words why there is none. PhotoDNA comes in hexadecimal, base64, or as decimal numbers."""
    try:
        value = unhexlify(text)
    except ValueError:
        if algorithm != "photodna":
            return f"{algorithm}: not hexadecimal"
        try:
            value = photodna(text if isinstance(text, str) else text.decode("ascii"))
        except ValueError:
            return "photodna: neither hexadecimal nor base64 nor numbers"
    if len(value) != VALUE_BYTES[algorithm]:
        return f"{algorithm}: {len(value)} bytes in place of {VALUE_BYTES[algorithm]}"
    return value


def photodna(text: str) -> bytes:
    """The bytes of a PhotoDNA code in base64, or written as decimal numbers with commas. Raises ValueError."""
    if "," in text:
        return bytes(int(number) for number in text.split(",", 144))
    return base64.b64decode(text, validate=True)


def entry(number: int, algorithm: str, text: str | bytes, options: ImportOptions, about: About = NOTHING) -> Item:
    """An entry from one value, or what stands in its place.

    number: as in `BadLine`.  algorithm: a key of `VALUE_BYTES`.  text: the value as written, without white space
    around it.
    """
    value = binary(algorithm, text)
    if isinstance(value, str):
        return BadLine(number, value)
    wrong = flaw(algorithm, value)
    if wrong is not None:
        return BadLine(number, f"poison: {wrong}")
    if options.kind == "benign" and algorithm not in DIGEST_BYTES:
        return Uncounted(number, "benign lists count by exact digest only")
    return Entry(algorithm, value, *about)


def text_or_none(value: object) -> str | None:
    """A category or identifier: text of at most 256 characters, or None for nothing."""
    if value is None or isinstance(value, bool | dict | list):
        return None
    return str(value).strip()[:LONGEST_TEXT] or None


def size_or_none(value: object) -> int | None:
    """A file's size in bytes, or None when the list gives none. Lists write 0 for unknown."""
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdigit()) or len(text) > 19:
        return None
    size = int(text)
    return size if 0 < size <= LARGEST_SIZE else None


def left_out(number: int, about: About, options: ImportOptions) -> Uncounted | None:
    """Why an image of this category does not count, or None: the import names the categories that do."""
    if options.categories is None or about.category in options.categories:
        return None
    return Uncounted(number, "its category is not one that counts")
