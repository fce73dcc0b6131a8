"""Results on their way from a worker to the recorder: sealed to the recorder's public key, signed by the worker.

    version byte | worker's verify key (32) | Ed25519 signature (64) | sealed box (X25519, XSalsa20-Poly1305)

The signature covers version and box. Who reads Redis learns nothing of a hit, and who writes to it cannot make one up.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import msgpack
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.signing import SigningKey, VerifyKey

from crawler.errors import RecordCorrupt
from crawler.records import FoundImage, HitReport, RecheckReport, RowMatch, RunId

_VERSION = b"\x01"
_KEY, _SIGNATURE = 32, 64
_RECHECK = "recheck"
"""The one key of the map that a re-visit travels in; a hit travels as a list."""

Report = HitReport | RecheckReport


@dataclass(frozen=True, slots=True)
class Sealer:
    """A worker's side. recorder: public key, 32 bytes.  signing: seed of the worker's own key, 32 bytes."""

    recorder: bytes = field(repr=False)
    signing: bytes = field(repr=False)

    def seal(self, report: Report) -> bytes:
        """The payload of a results entry."""
        key = SigningKey(self.signing)
        box = SealedBox(PublicKey(self.recorder)).encrypt(msgpack.packb(_plain(report)))
        return _VERSION + bytes(key.verify_key) + key.sign(_VERSION + box).signature + box


def verify_key(signing: bytes) -> bytes:
    """The public half (32 bytes) of a worker's signing seed, as the recorder knows it."""
    return bytes(SigningKey(signing).verify_key)


def public_key(secret: bytes) -> bytes:
    """The public half (32 bytes) of the recorder's key."""
    return bytes(PrivateKey(secret).public_key)


def unseal(payload: bytes, secret: bytes, workers: Collection[bytes]) -> Report:
    """The report in a payload.

    secret: the recorder's private key.  workers: verify keys that are registered.
    Raises RecordCorrupt for anything that is not a report of a registered worker to this recorder.
    """
    if payload[:1] != _VERSION or len(payload) < 1 + _KEY + _SIGNATURE:
        raise RecordCorrupt("a result has an unknown version; run workers and recorder of one version")
    worker = payload[1 : 1 + _KEY]
    signature, box = payload[1 + _KEY : 1 + _KEY + _SIGNATURE], payload[1 + _KEY + _SIGNATURE :]
    if worker not in workers:
        raise RecordCorrupt("a result comes from a worker whose key is not registered")
    try:
        VerifyKey(worker).verify(_VERSION + box, signature)
        return _report(msgpack.unpackb(SealedBox(PrivateKey(secret)).decrypt(box)))
    except (CryptoError, ValueError, TypeError, KeyError, msgpack.UnpackException) as error:
        raise RecordCorrupt("a result is damaged, or was sealed to another recorder") from error


def _plain(report: Report) -> list[Any] | dict[str, list[Any]]:
    if isinstance(report, RecheckReport):
        found = [_plain_image(image) for image in report.found]
        where = [report.target, report.url, report.checked_at, report.address, report.index, report.answer]
        return {_RECHECK: [report.serial, str(report.run), *where, found, report.look]}
    return [
        report.serial,
        str(report.run),
        report.image_url,
        report.page_url,
        list(report.redirects),
        report.found_at,
        report.address,
        report.index,
        _plain_image(report.found),
    ]


def _plain_image(found: FoundImage) -> list[Any]:
    matches = [[m.entry, m.algorithm, m.distance, m.threshold, m.transform, m.benign] for m in found.matches]
    return [found.sha256, found.md5, found.size, found.width, found.height, found.quality, matches]


def _report(fields: Any) -> Report:
    if isinstance(fields, dict):
        serial, run, target, url, checked_at, address, index, answer, images, look = fields[_RECHECK]
        found = tuple(map(_image, images))
        return RecheckReport(serial, _run(run), target, url, checked_at, address, index, answer, found, look)
    serial, run, image_url, page_url, redirects, found_at, address, index, image = fields
    return HitReport(serial, _run(run), image_url, page_url, tuple(redirects), found_at, address, index, _image(image))


def _image(fields: Any) -> FoundImage:
    sha256, md5, size, width, height, quality, matches = fields
    return FoundImage(sha256, md5, size, width, height, quality, tuple(RowMatch(*match) for match in matches))


def _run(text: str) -> RunId:
    name, _, number = text.rpartition("#")
    return RunId(name, int(number))
