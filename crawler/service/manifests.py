"""Manifests at an import: who signed them, and whether they cover the file. And the keys that may sign them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from crawler.errors import HashListInvalid, InvalidInput, NothingToMatch, Refused
from crawler.match.entries import ImportOptions
from crawler.match.manifest import Manifest, parse_manifest, read_public_key, read_signature, read_small, signed_by
from crawler.service.actors import require
from crawler.store import audit, manifests
from crawler.store.actors import Actor
from crawler.store.database import Database
from crawler.store.lists import HashList
from crawler.store.manifests import OwnerKey, Signed
from crawler.store.times import iso, iso_optional

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


def add_key(db: Database, actor: Actor, name: str, file: Path) -> OwnerKey:
    """Register a list owner's public key, by which manifests of its lists are signed.

    Raises HashListInvalid for a file that is no Ed25519 public key, InvalidInput for a name or key that is registered
    already, NotAuthorised.
    """
    require(db, actor, "lists.keys")
    if not _NAME.match(name):
        raise InvalidInput(f"{name!r} is no name for a key; use up to 64 letters, digits, '.', '-' and '_'")
    key = read_public_key(file)
    with db.write():
        for known in manifests.keys(db):
            if name == known.name or key == known.verify_key:
                raise InvalidInput(f"key {known.name!r} is registered already; give another name or key")
        manifests.add_key(db, actor, name, key)
        audit.append(db, actor, "lists.keys.add", name, detail={"sha256": hashlib.sha256(key).hexdigest()})
    return next(known for known in manifests.keys(db) if known.name == name)


def revoke_key(db: Database, actor: Actor, name: str) -> None:
    """Believe no further manifest of a key. What it signed and a second person enabled stays in service.

    Raises InvalidInput when there is no such key in force, NotAuthorised.
    """
    require(db, actor, "lists.keys")
    with db.write():
        if not manifests.revoke_key(db, name):
            raise InvalidInput(f"there is no key {name!r} in force; see `vangnet hashes keys list`")
        audit.append(db, actor, "lists.keys.revoke", name)


def all_keys(db: Database, actor: Actor) -> list[dict[str, Any]]:
    """[{"name", "sha256" (of the key), "added_at", "added_by", "revoked_at"}], by name. Raises NotAuthorised."""
    require(db, actor, "lists.read")
    return [key_json(key) for key in manifests.keys(db)]


def key_json(key: OwnerKey) -> dict[str, Any]:
    """A key as listings print it; the digest is for comparing it with what the owner says on another way."""
    return {
        "name": key.name,
        "sha256": hashlib.sha256(key.verify_key).hexdigest(),
        "added_at": iso(key.added_at),
        "added_by": key.added_by,
        "revoked_at": iso_optional(key.revoked_at),
    }


def checked(db: Database, path: Path | None, name: str, file: Path) -> Signed | None:
    """The manifest of an import, with everything about it checked. None: none was given, and this is the lab.

    path: of the manifest; its signature stands in `PATH.sig`.  name: of the list.  file: the list's.
    Raises HashListInvalid when something is wrong with it; Refused when there is none outside of the lab, when no key
    in force signed it, or when it has expired.
    """
    if path is None:
        if db.home.lab:
            return None
        raise Refused(f"a list needs a manifest that a registered key signed; give --manifest FILE for {name!r}")
    content = read_small(path)
    signature = read_signature(path.with_name(path.name + ".sig"))
    in_force = {key.name: key.verify_key for key in manifests.keys(db) if key.revoked_at is None}
    key = signed_by(in_force, content, signature)
    if key is None:
        raise Refused(f"{path}: no registered key made its signature; see `vangnet hashes keys list`")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise HashListInvalid(f"{path}: is not UTF-8 text (byte {error.start}); mend the manifest") from error
    manifest = parse_manifest(text, str(path))
    if manifest.about.name != name:
        raise HashListInvalid(f"{path}: list.name: is {manifest.about.name!r} and not {name!r}; give the right --list")
    if manifest.about.expires < datetime.now(UTC).date():
        raise Refused(f"{path}: expired on {manifest.about.expires}; ask the list's owner for another")
    signed = Signed(manifest, text, signature, key)
    check_covered(signed, path, file)
    return signed


def check_covered(signed: Signed, path: Path, file: Path) -> None:
    """Return when the manifest covers the file as it now is. Raises HashListInvalid."""
    if not signed.manifest.about.files:
        return
    try:
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise HashListInvalid(f"{file}: cannot be read: {error.strerror}; check its name and mode") from error
    if digest not in signed.manifest.about.files:
        raise HashListInvalid(f"{file}: the manifest {path} does not cover this file; ask for both again")


def manifest_json(manifest: Manifest) -> dict[str, Any]:
    """{"owner", "purpose", "legal_basis", "expires", "law": {category: what it is in Dutch law}, "disclosure"}."""
    return {
        "owner": manifest.about.owner,
        "purpose": manifest.about.purpose,
        "legal_basis": manifest.about.legal_basis,
        "expires": manifest.about.expires.isoformat(),
        "law": dict(manifest.law),
        "disclosure": asdict(manifest.disclosure),
    }


def counting(signed: Signed | None, options: ImportOptions, format_name: str) -> ImportOptions:
    """The import's options, with the categories that the manifest lets count; options may name fewer of them.

    Raises HashListInvalid when the options name others, and when a VICS set's are not named.
    """
    if signed is None:
        return options
    allowed = signed.manifest.categories
    if allowed is None:
        if format_name == "vics":
            raise HashListInvalid(
                f"the manifest of {signed.manifest.about.name!r} has to name the categories that count: what a "
                "category of VICS means differs by country"
            )
        return options
    if options.categories is not None and not options.categories <= allowed:
        others = ", ".join(sorted(options.categories - allowed))
        raise HashListInvalid(f"the manifest does not let these categories count: {others}; leave them out")
    return replace(options, categories=options.categories or allowed)


def check_valid(db: Database, lists: Sequence[HashList]) -> None:
    """Return when the manifests of all these lists' served versions are valid today. Raises NothingToMatch."""
    for row in lists:
        if day := expired(db, row):
            raise NothingToMatch(
                f"the manifest of list {row.name!r} expired on {day}; import it with another one, or disable it"
            )


def expired(db: Database, row: HashList) -> date | None:
    """The last day on which a list was to be matched against, when it has passed."""
    manifest = manifests.manifest_of(db, row.id, row.served) if row.governed else None
    if manifest is None or manifest.about.expires >= datetime.now(UTC).date():
        return None
    return manifest.about.expires
