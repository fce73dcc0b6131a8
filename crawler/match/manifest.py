"""The manifest of a hash list: under whose authority it is used, for what, until when. TOML, signed with Ed25519.

    [list]
    name = "example-block"
    owner = "Example Hotline"
    purpose = "Detection of known material on Dutch hosts"
    legal_basis = "…"
    expires = 2027-01-31              # the last day on which it is matched against
    files = ["<sha256>"]              # of the files that it covers, in hexadecimal; left out: any file

    [categories]                      # as the list writes them -> what they are in Dutch law; only these count
    "1" = "…"

    [disclosure]                      # what may leave in a notice; what is left out may not
    list_name = true

`"*"` in `[categories]` stands for all entries of a list that has no categories. The signature (RFC 8032, of the file's
bytes as they are) stands beside it in `FILE.sig`, as 64 raw bytes, hexadecimal or base64, as `openssl pkeyutl -sign
-rawin` makes it.
"""

from __future__ import annotations

import base64
import datetime
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from crawler.errors import CampaignInvalid, HashListInvalid
from crawler.records import Disclosure, Rejected
from crawler.sections import Check, day, each, flag, read, refuse, section, text

MAX_FILE = 65_536
"""Bytes of a manifest, a signature or a key file."""

MOST_CATEGORIES = 256
ALL = "*"


def _table_of_text(value: object) -> Any:
    """A table of text by text, as a tuple of pairs."""
    if not isinstance(value, Mapping) or not value:
        return refuse('must name at least one category; "*" stands for all of a list without')
    if len(value) > MOST_CATEGORIES:
        return refuse(f"has more than {MOST_CATEGORIES} categories")
    check, pairs = text(), []
    for name, meaning in value.items():
        found = check(meaning)
        if isinstance(found, Rejected):
            return Rejected(str(name)[:80], found.detail)
        pairs.append((str(name).strip(), found))
    return tuple(pairs)


def _disclosure(value: object) -> Any:
    """The table of what may leave."""
    names = Disclosure.__slots__
    if not isinstance(value, Mapping):
        return refuse("must be a table")
    for name, said in value.items():
        if name not in names:
            return Rejected(str(name)[:80], f"unknown key; known here: {', '.join(names)}")
        found = flag(said)
        if isinstance(found, Rejected):
            return Rejected(name, found.detail)
    return Disclosure(**value)


_DIGEST: Check = text(pattern="[0-9a-f]{64}", form="a sha256 in lower-case hexadecimal")


@dataclass(frozen=True, slots=True)
class About:
    """[list]. expires: the last day on which the list is matched against.  files: sha256 (hex); empty: any file."""

    name: Annotated[str, text(longest=64)]
    owner: Annotated[str, text()]
    purpose: Annotated[str, text()]
    legal_basis: Annotated[str, text()]
    expires: Annotated[datetime.date, day]
    files: Annotated[tuple[str, ...], each(_DIGEST, longest=10_000)] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """A valid manifest. law: category as the list writes it -> what it is in Dutch law."""

    about: Annotated[About, section(About), "list"]
    law: Annotated[tuple[tuple[str, str], ...], _table_of_text, "categories"]
    disclosure: Annotated[Disclosure, _disclosure] = field(default_factory=Disclosure)

    @property
    def categories(self) -> frozenset[str] | None:
        """The categories that count; None: all."""
        named = frozenset(name for name, _ in self.law)
        return None if ALL in named else named


def parse_manifest(content: str, source: str) -> Manifest:
    """The manifest in a TOML text. source: what messages call it. Raises HashListInvalid naming source and key."""
    try:
        manifest = read(Manifest, tomllib.loads(content), source=source)
    except (ValueError, RecursionError) as error:
        raise HashListInvalid(f"{source}: is no valid TOML: {error}; mend the manifest") from error
    except CampaignInvalid as error:
        raise HashListInvalid(f"{error}; see docs/hash-lists.md") from error
    return manifest


def read_small(path: Path) -> bytes:
    """A manifest, signature or key file. Raises HashListInvalid when it cannot be read or is too long."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise HashListInvalid(f"{path}: cannot be read: {error.strerror}; check its name and mode") from error
    if len(data) > MAX_FILE:
        raise HashListInvalid(f"{path}: is longer than {MAX_FILE} bytes; this is another kind of file")
    return data


def read_signature(path: Path) -> bytes:
    """The 64 bytes of a signature file: raw, hexadecimal or base64. Raises HashListInvalid."""
    data = read_small(path)
    if len(data) == 64:
        return data
    words = b"".join(data.split())
    for decode in (bytes.fromhex, lambda text: base64.b64decode(text, validate=True)):
        try:
            found = decode(words.decode("ascii"))
        except ValueError:
            continue
        if len(found) == 64:
            return found
    raise HashListInvalid(f"{path}: is no Ed25519 signature; give 64 bytes, raw, in hexadecimal or in base64")


def read_public_key(path: Path) -> bytes:
    """The 32 bytes of an Ed25519 public key: PEM, hexadecimal or base64. Raises HashListInvalid."""
    data = read_small(path)
    try:
        if b"PRIVATE KEY" in data:
            raise HashListInvalid(f"{path}: is a private key; keep it away from here and give its public one")
        if b"-----BEGIN" in data:
            key = load_pem_public_key(data)
            if isinstance(key, Ed25519PublicKey):
                return key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        words = b"".join(data.split()).decode("ascii")
        found = bytes.fromhex(words) if len(words) == 64 else base64.b64decode(words, validate=True)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise HashListInvalid(f"{path}: is no Ed25519 public key; give it as PEM") from error
    if len(found) != 32:
        raise HashListInvalid(f"{path}: is no Ed25519 public key; give it as PEM")
    return found


def signed_by(keys: Mapping[str, bytes], content: bytes, signature: bytes) -> str | None:
    """The name of the key that made the signature, None when none of them did. keys: name -> 32 bytes."""
    for name, key in keys.items():
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, content)
        except (InvalidSignature, ValueError):
            continue
        return name
    return None
