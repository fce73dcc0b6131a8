"""The outbox that speaks SMTP (RFC 5321), step by step, because it matters at which step a server went away."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass, field
from typing import Final

from crawler.notice.outbox import Attempt, Envelope, Fate, missed

SECURITY: Final = ("starttls", "tls", "none")
_TIMEOUT: Final = 60.0
_LONGEST_SAID: Final = 2_000


class _Lacking(Exception):
    """The server does not offer what it has to."""


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
            said = f"signing in was refused: {_said(error.smtp_code, error.smtp_error)}"
            return Attempt(Fate.LATER, said, f"the mail server at {self.host} refused the account or its password")
        except (OSError, UnicodeError, smtplib.SMTPException, _Lacking) as error:
            # Nothing of the message was out yet: `_deliver` has its own.
            return missed(self._why(error))
        finally:
            if server is not None:
                server.close()

    def _why(self, error: Exception) -> str:
        match error:
            case ssl.SSLCertVerificationError():
                return f"the certificate of {self.host} does not fit, so that nothing was sent: {error.verify_message}"
            case ssl.SSLError():
                return f"no trusted connection to {self.host}: {error.reason or 'TLS failed'}"
            case UnicodeError():
                # Of the module for names of hosts, or of SMTP's commands, which are ASCII.
                return f"{self.host!r} is no name of a mail server, or an address of the mail is not plain ASCII"
            case _Lacking():
                return str(error)
        return f"the mail server at {self.host} is not to be had: {type(error).__name__}"

    def _connect(self) -> smtplib.SMTP:
        context = self.context or ssl.create_default_context()
        if self.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout, context=context)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=self.timeout)
        try:
            server.ehlo_or_helo_if_needed()
            if self.security == "starttls":
                if not server.has_extn("starttls"):
                    raise _Lacking(f"the mail server at {self.host} offers no STARTTLS, so that nothing was sent")
                server.starttls(context=context)
                server.ehlo()
            if self.user is not None and self.password is not None:
                if not server.has_extn("auth"):
                    need = "unset VANGNET_SMTP_USER if it needs none"
                    raise _Lacking(f"the mail server at {self.host} has no sign-in; {need}")
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
        why = f"no answer after the message was sent: {type(error).__name__}"
        return Attempt(Fate.DOUBT, why, why)
    if 200 <= code < 300:
        _goodbye(server)
        return Attempt(Fate.ACCEPTED, _said(code, said))
    if 400 <= code < 600:
        return _unwilling(code, said)
    return Attempt(Fate.DOUBT, _said(code, said), "the mail server's answer to the message is neither yes nor no")


def _goodbye(server: smtplib.SMTP) -> None:
    try:
        server.quit()
    except (OSError, smtplib.SMTPException):
        return  # the message is theirs already


def _unwilling(code: int, said: bytes) -> Attempt:
    return Attempt(Fate.REFUSED if code >= 500 else Fate.LATER, _said(code, said), f"the mail server answered {code}")


def _said(code: int, said: bytes | str) -> str:
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return f"{code} {' '.join(text.split())}"[:_LONGEST_SAID]
