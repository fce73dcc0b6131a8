"""Mail servers on free ports of 127.0.0.1: one that takes mail, and one that goes away at a step."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class Mailbox:
    """What a server took, and how it answers. answers: step ("MAIL", "RCPT" or "DATA") -> its reply, once each.

    starttls: what it shows once it is asked for TLS, before which it takes nothing.  tls: what it shows from the start.
    account: (user, password) without which it takes nothing.  tries: names that somebody signed in with.
    """

    port: int = 0
    mails: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    starttls: ssl.SSLContext | None = None
    tls: ssl.SSLContext | None = None
    account: tuple[str, str] | None = None
    tries: list[str] = field(default_factory=list)

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: object
    ) -> AuthResult:
        assert isinstance(given, LoginPassword)
        self.tries.append(given.login.decode())
        return AuthResult(success=(given.login.decode(), given.password.decode()) == self.account, handled=False)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[Any]
    ) -> str:
        if "RCPT" in self.answers:
            return self.answers.pop("RCPT")
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if "DATA" in self.answers:
            return self.answers.pop("DATA")
        await asyncio.sleep(self.delay)
        assert isinstance(envelope.original_content, bytes)
        self.mails.append(envelope.original_content)
        self.recipients += envelope.rcpt_tos
        return f"250 2.0.0 queued as {len(self.mails)}"


class _Controller(Controller):
    def factory(self) -> SMTP:
        box = self.handler
        assert isinstance(box, Mailbox)
        with warnings.catch_warnings():
            # It takes TLS from the start for none.
            warnings.filterwarnings("ignore", "Requiring AUTH while not requiring TLS")
            return SMTP(
                box,
                enable_SMTPUTF8=True,
                ident="test",
                tls_context=box.starttls,
                require_starttls=box.starttls is not None,
                authenticator=box.authenticate if box.account else None,
                auth_required=box.account is not None,
                auth_require_tls=box.tls is None,
            )

    def _trigger_server(self) -> None:
        """The first connection makes the server ready; port 0 is replaced by the one that was given."""
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def mail_server(**how: Any) -> Iterator[Mailbox]:
    """A server that takes mail."""
    box = Mailbox(**how)
    controller = _Controller(box, hostname="127.0.0.1", port=0, ssl_context=box.tls)
    controller.start()
    box.port = controller.port
    try:
        yield box
    finally:
        controller.stop()


@contextmanager
def dying_server(step: str) -> Iterator[Mailbox]:
    """A server that closes every connection at a step: "greeting", "DATA" (before the message), "dot" (after it)."""
    box = Mailbox()
    listener = socket.create_server(("127.0.0.1", 0))
    box.port = listener.getsockname()[1]

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as lines:
                _converse(lines, step, box)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield box
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def _converse(lines: Any, step: str, box: Mailbox) -> None:
    if step == "greeting":
        return
    lines.write(b"220 test\r\n")
    lines.flush()
    while line := lines.readline():
        word = line[:4].upper()
        if word == b"DATA":
            if step == "DATA":
                return
            lines.write(b"354 go on\r\n")
            lines.flush()
            mail = b""
            while not mail.endswith(b"\r\n.\r\n"):
                mail += lines.readline()
            box.mails.append(mail)
            return
        lines.write(b"221 bye\r\n" if word == b"QUIT" else b"250 OK\r\n")
        lines.flush()
