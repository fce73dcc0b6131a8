"""A list owner with a signing key, made in code, and manifests of its lists."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from crawler.service.manifests import add_key
from crawler.store.actors import Actor, Role
from crawler.store.database import Database
from tests.store.factories import ANNA

BERT = Actor("bert", frozenset(Role), "cli")
OWNER = Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(bytes([8]) * 32)


def public_pem(directory: Path, key: Ed25519PrivateKey = OWNER, name: str = "owner.pem") -> Path:
    path = directory / name
    path.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


def register(db: Database, directory: Path, name: str = "owner") -> None:
    add_key(db, ANNA, name, public_pem(directory))


def signed_manifest(
    directory: Path,
    *,
    name: str = "tulips",
    key: Ed25519PrivateKey = OWNER,
    expires: str = "2099-12-31",
    law: Mapping[str, str] | None = None,
    disclosure: Mapping[str, bool] | None = None,
    files: tuple[str, ...] = (),
) -> Path:
    """A manifest in the directory, and its signature beside it."""
    path = directory / f"{name}.toml"
    lines = [
        "[list]",
        f"name = {json.dumps(name)}",
        'owner = "Tulip Hotline"',
        'purpose = "tests"',
        'legal_basis = "none needed: values made in code"',
        f"expires = {expires}",
        f"files = {json.dumps(files)}",
        *_table("categories", law or {"*": "a test's category"}),
        *_table("disclosure", disclosure or {}),
    ]
    path.write_text("\n".join(lines) + "\n")
    sign(path, key)
    return path


def sign(path: Path, key: Ed25519PrivateKey = OWNER) -> None:
    path.with_name(path.name + ".sig").write_bytes(key.sign(path.read_bytes()))


def _table(name: str, values: Mapping[str, Any]) -> list[str]:
    return [f"[{name}]", *(f"{json.dumps(key)} = {json.dumps(value)}" for key, value in values.items())]
