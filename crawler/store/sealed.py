"""Sealed fields and blind indexes.

A sealed value is `1 byte format | 2 bytes key number | 12 bytes nonce | AES-256-GCM ciphertext and tag`, with
`table:column:row` as associated data, so that a value cannot be moved to another row or column (NIST SP 800-38D).
A blind index is HMAC-SHA256 over `kind 0x00 value`, cut to 16 bytes: equal values are found, nothing else is.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crawler.errors import StoreUnavailable
from crawler.store.keys import Keyring

_FORMAT = 1
_NONCE = 12
_HEAD = 3
BLIND_BYTES = 16


def new_id() -> str:
    """A row id that exists before its row does: 16 hexadecimal digits, random."""
    return secrets.token_hex(8)


class Sealer:
    """Seals and opens fields with the keys of one installation."""

    __slots__ = ("_blind", "_ciphers", "_current", "_reload")

    def __init__(self, keys: Keyring, reload: Callable[[], Keyring] | None = None) -> None:
        """reload: reads the keys anew; asked when a value was sealed by a key that was made meanwhile."""
        self._reload = reload
        self.use(keys)

    def use(self, keys: Keyring) -> None:
        """Seal and open with these keys from now on."""
        self._ciphers = {number: AESGCM(key) for number, key in keys.seals.items()}
        self._current = keys.current
        self._blind = keys.blind

    @property
    def head(self) -> bytes:
        """The first bytes of every value that is sealed now: format and key number."""
        return bytes([_FORMAT]) + self._current.to_bytes(2, "big")

    def seal(self, table: str, column: str, row: str, text: str) -> bytes:
        """`text` for this one field of this one row. Two calls never give the same bytes."""
        nonce = secrets.token_bytes(_NONCE)
        cipher = self._ciphers[self._current]
        return (
            self.head + nonce + cipher.encrypt(nonce, text.encode("utf-8", "surrogatepass"), _place(table, column, row))
        )

    def open(self, table: str, column: str, row: str, value: bytes) -> str:
        """The text that was sealed. Raises StoreUnavailable when the key is missing or the value was changed."""
        cipher = self._cipher(value)
        if cipher is None:
            raise StoreUnavailable(
                f"{table}.{column} of row {row}: no key opens it; restore the keys from their backup"
            )
        nonce, sealed = value[_HEAD : _HEAD + _NONCE], value[_HEAD + _NONCE :]
        try:
            return cipher.decrypt(nonce, sealed, _place(table, column, row)).decode("utf-8", "surrogatepass")
        except (InvalidTag, ValueError) as error:
            raise StoreUnavailable(
                f"{table}.{column} of row {row} was changed or sealed by another key; restore the database or its keys"
            ) from error

    def _cipher(self, value: bytes) -> AESGCM | None:
        if value[:1] != bytes([_FORMAT]):
            return None
        number = int.from_bytes(value[1:_HEAD], "big")
        if number not in self._ciphers and self._reload is not None:
            self.use(self._reload())
        return self._ciphers.get(number)

    def seal_optional(self, table: str, column: str, row: str, text: str | None) -> bytes | None:
        """As `seal`; None stays None."""
        return None if text is None else self.seal(table, column, row, text)

    def open_optional(self, table: str, column: str, row: str, value: bytes | None) -> str | None:
        """As `open`; None stays None."""
        return None if value is None else self.open(table, column, row, value)

    def seal_texts(self, table: str, column: str, row: str, texts: tuple[str, ...]) -> bytes:
        """Several texts as one field."""
        return self.seal(table, column, row, json.dumps(texts))

    def open_texts(self, table: str, column: str, row: str, value: bytes) -> list[str]:
        """What `seal_texts` sealed."""
        return [str(text) for text in json.loads(self.open(table, column, row, value))]

    def blind(self, kind: str, value: str | bytes) -> bytes:
        """The 16 bytes by which rows with this value are found. `kind` keeps the indexes of two columns apart."""
        raw = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        return hmac.digest(self._blind, kind.encode() + b"\0" + raw, "sha256")[:BLIND_BYTES]

    def mask_key(self) -> bytes:
        """The key of the tags behind masked URLs."""
        return hmac.digest(self._blind, b"mask", "sha256")


def _place(table: str, column: str, row: str) -> bytes:
    return f"{table}:{column}:{row}".encode()
