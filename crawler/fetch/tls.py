"""TLS that takes what a server offers, and says what a browser would have thought of it.

The connection is not there to keep a secret but to see what stands on the server, so nothing is refused: expired,
self-signed, for another name, by old protocols. What was shown is part of the evidence and is recorded.
"""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections import OrderedDict
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import ip_address
from typing import Final

from cryptography import x509
from cryptography.x509 import verification

from crawler.records import TlsFacts

# What a browser offers comes first, so that good servers choose it; then everything that OpenSSL still knows.
_CIPHERS: Final = "DEFAULT:ALL:!eNULL:@SECLEVEL=0"
_LEGACY_SERVER_CONNECT: Final = 0x4  # SSL_OP_LEGACY_SERVER_CONNECT; Python names it from 3.12 on
_MAX_NAMES: Final = 100
_MAX_CACHED: Final = 4096
_MAX_CHAIN: Final = 10
_DEBIAN_STORE: Final = "/etc/ssl/certs/ca-certificates.crt"


def permissive_context() -> ssl.SSLContext:
    """A client context that completes a handshake with whatever OpenSSL is able to speak."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers(_CIPHERS)
    context.options |= _LEGACY_SERVER_CONNECT
    context.set_alpn_protocols(["http/1.1"])
    return context


def system_roots() -> tuple[x509.Certificate, ...]:
    """The root certificates that this machine trusts; none when there is no store, or it cannot be read."""
    for name in (ssl.get_default_verify_paths().cafile or _DEBIAN_STORE, _DEBIAN_STORE):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(cafile=name)
        except (OSError, ssl.SSLError):
            continue
        parsed = (_parsed(each) for each in context.get_ca_certs(binary_form=True))
        return tuple(each for each in parsed if each is not None)
    return ()


def _parsed(der: bytes) -> x509.Certificate | None:
    """A certificate, or None when it is unreadable. What is merely odd about it is no news to anyone here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return x509.load_der_x509_certificate(der)
        except (ValueError, TypeError):
            return None


class TlsObserver:
    """The context for all connections, and the facts about each, judged once per certificate chain and host.

    roots: certificates to trust; None: the system's, loaded at the first TLS connection.
    """

    def __init__(self, roots: tuple[x509.Certificate, ...] | None = None) -> None:
        self.context = permissive_context()
        self._roots = roots
        self._store: verification.Store | None = None
        self._seen: OrderedDict[tuple[str, str | None, bytes], TlsFacts] = OrderedDict()

    def facts(self, transport: asyncio.BaseTransport | None, host: str) -> TlsFacts | None:
        """What the server on this transport showed. host: as in the URL. None: the transport has no TLS (any more)."""
        tls = None if transport is None else transport.get_extra_info("ssl_object")
        if tls is None:
            return None
        chain = _presented(tls)
        if not chain:
            return TlsFacts(tls.version() or "unknown", "", (), False, "no certificate")
        key = (host, tls.version(), sha256(b"".join(chain)).digest())
        known = self._seen.get(key)
        if known is None:
            known = self._judge(tls.version() or "unknown", chain, host)
            self._seen[key] = known
            if len(self._seen) > _MAX_CACHED:
                self._seen.popitem(last=False)
        return known

    def _judge(self, protocol: str, chain: tuple[bytes, ...], host: str) -> TlsFacts:
        fingerprint = sha256(chain[0]).hexdigest()
        own = _parsed(chain[0])
        if own is None:
            return TlsFacts(protocol, fingerprint, (), False, "unreadable certificate")
        others = [each for each in map(_parsed, chain[1:_MAX_CHAIN]) if each is not None]
        names = _names(own)
        problem = _problem(own, others, names, host, self._trust())
        return TlsFacts(protocol, fingerprint, names, problem is None, problem)

    def _trust(self) -> verification.Store | None:
        if self._store is None:
            if self._roots is None:
                self._roots = system_roots()
            self._store = verification.Store(list(self._roots)) if self._roots else None
        return self._store


def _presented(tls: ssl.SSLObject) -> tuple[bytes, ...]:
    """The certificates that the server sent, its own first, DER.

    Python has a public way to the whole chain from 3.13 on; before, it is a method of the inner object.
    """
    for owner in (tls, getattr(tls, "_sslobj", None)):
        unverified = getattr(owner, "get_unverified_chain", None)
        if unverified is not None:
            chain = unverified() or ()
            return tuple(each if isinstance(each, bytes) else _der(each) for each in chain)
    own = tls.getpeercert(binary_form=True)
    return () if own is None else (own,)


def _der(certificate: object) -> bytes:
    public_bytes = getattr(certificate, "public_bytes", None)
    return ssl.PEM_cert_to_DER_cert(public_bytes()) if public_bytes is not None else b""


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    """The DNS names and addresses that a certificate is for, at most _MAX_NAMES."""
    try:
        value = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return ()
    names = value.get_values_for_type(x509.DNSName)
    addresses = value.get_values_for_type(x509.IPAddress)
    return tuple([*names, *(str(each) for each in addresses)][:_MAX_NAMES])


def _problem(
    own: x509.Certificate,
    others: list[x509.Certificate],
    names: tuple[str, ...],
    host: str,
    store: verification.Store | None,
) -> str | None:
    """Why a browser would not have accepted the chain, in a few words; None when it would have."""
    now = datetime.now(UTC)
    obvious = {
        "expired": now > own.not_valid_after_utc,
        "not valid yet": now < own.not_valid_before_utc,
        "for another name": not any(_covers(name, host) for name in names),
        "self-signed": own.issuer == own.subject,
        "no certificate store": store is None,
    }
    problem = next((name for name, is_so in obvious.items() if is_so), None)
    if problem is not None or store is None:
        return problem
    try:
        builder = verification.PolicyBuilder().store(store).time(now)
        builder.build_server_verifier(_subject(host)).verify(own, others)
    except (verification.VerificationError, ValueError):
        return "not trusted"
    return None


def _covers(name: str, host: str) -> bool:
    """Whether a name in a certificate is the host's (RFC 9525, 6.3: a wildcard is the whole leftmost label)."""
    name, host = name.lower().rstrip("."), host.lower().rstrip(".")
    if name == host:
        return True
    return name.startswith("*.") and "." in host and host.split(".", 1)[1] == name[2:]


def _subject(host: str) -> x509.DNSName | x509.IPAddress:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host.rstrip("."))
