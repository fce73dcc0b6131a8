"""What a notice says, before it has any form. Everything in it came through attribution and decisions; nothing of a
list, a digest or a code is in here, so that no form can give one away."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import blake2b
from uuid import UUID

from crawler.notice.instruments import Instrument
from crawler.records import Rejected

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS = re.compile(rf"(?=[^@]{{1,64}}@.{{1,253}}\Z){_ATOM}(\.{_ATOM})*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+\Z")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Issuer:
    """The authority on whose behalf a notice leaves.

    name: of the authority.  sender: mail address in From.  contact: where answers and objections go.
    """

    name: str
    sender: str
    contact: str

    @property
    def domain(self) -> str:
        """The domain of the sender."""
        return self.sender.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class NoticeUrl:
    """One place at which the hoster is asked to act.

    hit_id: by which both sides name it.  url: the image's, or of the page that holds it as a `data:` image.
    inline: which of that page's `data:` images, counted from 0; None for an image with a URL of its own.
    page_url: that showed it, None when none did.
    found_at: epoch seconds when it was seen last.  certainty: "A", "B" or "C".
    classification: "A1", "A2", "B1" or "B2" where the verified category is one of these, else None.
    """

    hit_id: str
    url: str = field(repr=False)
    page_url: str | None = field(repr=False)
    ip: str
    domain: str | None
    found_at: float
    certainty: str
    classification: str | None = None
    inline: int | None = None

    def report_id(self, notice_id: str) -> str:
        """The UUID of its XARF report, the same each time that it is written."""
        digest = blake2b(f"{notice_id}\0{self.hit_id}".encode(), digest_size=16, person=b"vangnet-xarf").digest()
        return str(UUID(bytes=digest, version=4))


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice to one abuse contact.

    deadline_hours: from delivery.  legal_bases: what the campaigns behind it rest on.  issued_at: epoch seconds of its
    approval, or of now while it is a draft.  urls: in the order in which they were found.
    """

    id: str
    instrument: Instrument
    deadline_hours: int
    issuer: Issuer
    contact: str
    hoster: str
    legal_bases: tuple[str, ...]
    issued_at: float
    urls: tuple[NoticeUrl, ...]
    message_id: str


def mail_address(text: str | None) -> str | Rejected:
    """A mail address that may stand in a header, as it is compared: in lower case. Rejected("no-contact")."""
    found = (text or "").strip().lower()
    return found if _ADDRESS.match(found) else Rejected("no-contact")


def plain(text: str | None, longest: int = _LONGEST) -> str:
    """A stranger's text on one line: without control and formatting characters, cut at `longest`."""
    shown = "".join(c if c.isprintable() else " " for c in text or "")
    return " ".join(shown.split())[:longest]
