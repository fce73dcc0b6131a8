"""Key files: what opens the sealed fields, what makes the blind indexes, what signs the audit chain.

A key file holds 32 bytes as 64 hexadecimal digits, mode 0600, under `keys/` of the home, made on first use:

    seal-1, seal-2, …   AES-256-GCM keys; the highest number seals, all of them open
    blind               HMAC-SHA256 key of the blind indexes
    audit               Ed25519 seed that signs the head of the audit chain

Where `$CREDENTIALS_DIRECTORY` (systemd's LoadCredential=) holds files named `vangnet-seal-1`, `vangnet-blind`,
`vangnet-audit`, or the environment holds `VANGNET_SECRET_SEAL_1`, `VANGNET_SECRET_BLIND`, `VANGNET_SECRET_AUDIT` (the
digits themselves), these are used and nothing is made.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from crawler.errors import HomeUnusable
from crawler.home import Home

KEY_BYTES = 32
_HEX = re.compile(r"[0-9a-f]{64}")
_SEAL = re.compile(r"seal-([1-9][0-9]{0,4})\Z")
_CREDENTIAL_PREFIX = "vangnet-"
_VARIABLE = "VANGNET_SECRET_"


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of one installation. Never printed: the fields are out of the repr.

    seals: key number (1 to 65535) -> 32 bytes; the highest one seals.
    """

    seals: Mapping[int, bytes] = field(repr=False)
    blind: bytes = field(repr=False)
    audit: bytes = field(repr=False)

    @property
    def current(self) -> int:
        """The number of the key that seals."""
        return max(self.seals)

    def checks(self) -> dict[str, bytes]:
        """Key name -> 8 bytes that tell whether a key is the same, and nothing else about it."""
        named = {f"seal-{number}": key for number, key in self.seals.items()}
        named |= {"blind": self.blind, "audit": self.audit}
        return {name: hmac.digest(key, b"vangnet key check", "sha256")[:8] for name, key in named.items()}


def open_keys(home: Home, *, make: bool, environment: Mapping[str, str] | None = None) -> Keyring:
    """The keys of `home`, or those of the credentials directory when it has any of ours.

    make: missing files are made; only right for a database that holds nothing sealed yet.
    Raises HomeUnusable when a file is missing (and may not be made), damaged, or open to others.
    """
    environment = os.environ if environment is None else environment
    given = environment.get("CREDENTIALS_DIRECTORY")
    credentials = Path(given) if given else None
    if credentials and any(credentials.glob(f"{_CREDENTIAL_PREFIX}*")):
        return _ring(credentials, _CREDENTIAL_PREFIX, make=False)
    if any(name.startswith(_VARIABLE) for name in environment):
        return _ring_of(environment)
    return _ring(home.keys, "", make=make)


def key_file(directory: Path, name: str, *, make: bool = True) -> bytes:
    """The 32 bytes in `directory/name`. With `make`, a missing file is made, by one of several racing processes.

    Raises HomeUnusable as `open_keys` does.
    """
    path = directory / name
    try:
        if make and not path.exists():
            _make(path)
        text = path.read_text("ascii").strip()
        mode = path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        detail = getattr(error, "strerror", None) or "not a key file"
        raise HomeUnusable(f"key file {path}: {detail}; restore it from the backup of the keys") from error
    if mode & 0o077 and not name.startswith(_CREDENTIAL_PREFIX):
        raise HomeUnusable(f"key file {path} is open to other accounts; run chmod 600 on it")
    if not _HEX.fullmatch(text):
        raise HomeUnusable(f"key file {path} does not hold 64 hexadecimal digits; restore it from its backup")
    return bytes.fromhex(text)


def _ring(directory: Path, prefix: str, *, make: bool) -> Keyring:
    numbers = []
    for path in directory.iterdir() if directory.is_dir() else ():
        if found := _SEAL.match(path.name.removeprefix(prefix)):
            numbers.append(int(found[1]))
    seals = {number: key_file(directory, f"{prefix}seal-{number}", make=False) for number in numbers}
    return Keyring(
        seals=seals or {1: key_file(directory, f"{prefix}seal-1", make=make)},
        blind=key_file(directory, f"{prefix}blind", make=make),
        audit=key_file(directory, f"{prefix}audit", make=make),
    )


def _ring_of(environment: Mapping[str, str]) -> Keyring:
    """The keys in environment variables; incomplete or damaged ones are no reason to make others."""
    found: dict[str, bytes] = {}
    for variable in [name for name in environment if name.startswith(_VARIABLE)]:
        if not _HEX.fullmatch(environment[variable]):
            raise HomeUnusable(f"{variable} does not hold 64 hexadecimal digits; set it from the backup of the keys")
        name = variable.removeprefix(_VARIABLE).lower().replace("_", "-")
        found[name] = bytes.fromhex(environment[variable])
    seals = {int(match[1]): key for name, key in found.items() if (match := _SEAL.match(name))}
    for wanted, there in (("SEAL_1", seals), ("BLIND", "blind" in found), ("AUDIT", "audit" in found)):
        if not there:
            raise HomeUnusable(f"{_VARIABLE}{wanted} is missing beside the other keys in the environment; set it too")
    return Keyring(seals=seals, blind=found["blind"], audit=found["audit"])


def own_files(environment: Mapping[str, str] | None = None) -> bool:
    """Whether the keys are files of the home, which we may make; else somebody else provides them."""
    environment = os.environ if environment is None else environment
    given = environment.get("CREDENTIALS_DIRECTORY")
    elsewhere = given and any(Path(given).glob(f"{_CREDENTIAL_PREFIX}*"))
    return not elsewhere and not any(name.startswith(_VARIABLE) for name in environment)


def _make(path: Path) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        # A link fails where a rename would silently replace the key that another process has just made.
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
