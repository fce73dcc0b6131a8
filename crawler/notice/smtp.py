"""The outbox that speaks SMTP (RFC 5321), step by step, because it matters at which step a server went away."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass, field
from typing import Final

from crawler.notice.outbox import Attempt, Envelope, Fate

SECURITY: Final = ("starttls", "tls", "none")
_TIMEOUT: Final = 60.0
_LONGEST_SAID: Final = 2_000


@dataclass(frozen=True, slots=True)
class SmtpOutbox:
    """security: "starttls" and "tls" check the server's certificate; "none" is for a server on this machine.

    user, password: None to send without signing in.  timeout: seconds for each answer.
    """

    host: str
    port: int
    security: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout: float = _TIMEOUT
    context: ssl.SSLContext | None = field(default=None, repr=False)

    @property
    def channel(self) -> str:
        return "smtp"

    def send(self, envelope: Envelope) -> Attempt:
        server: smtplib.SMTP | None = None
        try:
            server = self._connect()
            refused = _address(server, envelope)
            return refused or _deliver(server, envelope.mail)
        except smtplib.SMTPAuthenticationError as error:
            return Attempt(Fate.LATER, f"signing in was refused: {_said(error.smtp_code, error.smtp_error)}")
        except ssl.SSLError as error:
            return Attempt(Fate.LATER, f"no trusted connection: {error.reason or 'TLS failed'}")
        except (OSError, smtplib.SMTPException) as error:
            # Nothing of the message was out yet: `_deliver` has its own.
            return Attempt(Fate.LATER, f"the mail server went away: {type(error).__name__}")
        finally:
            if server is not None:
                server.close()

    def _connect(self) -> smtplib.SMTP:
        context = self.context or ssl.create_default_context()
        if self.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout, context=context)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=self.timeout)
        try:
            server.ehlo_or_helo_if_needed()
            if self.security == "starttls":
                server.starttls(context=context)
                server.ehlo()
            if self.user is not None and self.password is not None:
                server.login(self.user, self.password)
        except BaseException:
            server.close()
            raise
        return server


def _address(server: smtplib.SMTP, envelope: Envelope) -> Attempt | None:
    """Sender and recipient; what the server has against them."""
    for code, said in (server.mail(envelope.sender), server.rcpt(envelope.recipient)):
        if not 200 <= code < 300:
            return _unwilling(code, said)
    server.putcmd("data")
    code, said = server.getreply()
    return None if code == 354 else _unwilling(code, said)


def _deliver(server: smtplib.SMTP, mail: bytes) -> Attempt:
    """The message itself. From its first byte on, silence is no answer."""
    body = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in mail.split(b"\r\n"))
    try:
        server.send(body + (b".\r\n" if body.endswith(b"\r\n") else b"\r\n.\r\n"))
        code, said = server.getreply()
    except (OSError, smtplib.SMTPException) as error:
        return Attempt(Fate.DOUBT, f"no answer after the message was sent: {type(error).__name__}")
    if 200 <= code < 300:
        _goodbye(server)
        return Attempt(Fate.ACCEPTED, _said(code, said))
    return _unwilling(code, said)


def _goodbye(server: smtplib.SMTP) -> None:
    try:
        server.quit()
    except (OSError, smtplib.SMTPException):
        return  # the message is theirs already


def _unwilling(code: int, said: bytes) -> Attempt:
    return Attempt(Fate.REFUSED if code >= 500 else Fate.LATER, _said(code, said))


def _said(code: int, said: bytes | str) -> str:
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return f"{code} {' '.join(text.split())}"[:_LONGEST_SAID]
