"""A real Redis that demands a password and also speaks TLS, with a certificate that nobody knows."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis import Redis
from redis.exceptions import ConnectionError as NotYet

SERVER = shutil.which("redis-server")
PASSWORD = "open-sesame"


@dataclass(frozen=True)
class Secured:
    """port, tls_port: on 127.0.0.1.  certificate: the server's own, to be trusted."""

    port: int
    tls_port: int
    certificate: Path


@contextmanager
def secured_redis(directory: Path) -> Iterator[Secured]:
    """Such a server, with its files in `directory`."""
    assert SERVER is not None
    key, certificate = _certificate(directory)
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        port, tls_port = (each.getsockname()[1] for each in sockets)
    command = [SERVER, "--bind", "127.0.0.1", "--port", str(port), "--tls-port", str(tls_port), "--save", ""]
    command += ["--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-auth-clients", "no"]
    command += ["--requirepass", PASSWORD, "--dir", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            _up(port)
            yield Secured(port, tls_port, certificate)
        finally:
            process.kill()


def _up(port: int) -> None:
    deadline = time.monotonic() + 30
    with Redis(port=port, password=PASSWORD) as client:
        while time.monotonic() < deadline:
            try:
                client.ping()
            except NotYet:
                time.sleep(0.02)
            else:
                return
    raise AssertionError("redis-server does not come up")


def _certificate(directory: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (directory / "cert.pem").write_bytes(certificate.public_bytes(pem))
    plain = serialization.NoEncryption()
    (directory / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return directory / "key.pem", directory / "cert.pem"
