"""A real Redis that demands a password and also speaks TLS, with a certificate that nobody knows."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from redis.exceptions import ConnectionError as NotYet

from tests.servers.certificates import self_signed

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
    key, certificate = self_signed(directory)
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
