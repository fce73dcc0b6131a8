"""Where an address belongs, with evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact and where it comes from. source: a table's name; date: ISO day of that table; prefix: the range."""

    fact: str
    source: str
    date: str | None = None
    prefix: str | None = None


@dataclass(frozen=True, slots=True)
class AddressFacts:
    """What the address tables say of one address; None where no table has it.

    prefix: the smallest range that anything is said of.  network, holder: of the most specific registered network;
    sponsor: the organisation that answers for the holder.  hoster, hoster_country: the brand that is known to announce
    the address, and whose hoster it is.  cdn: the CDN that it is the front of.  anycast: many places announce it.
    """

    country: str | None = None
    prefix: str | None = None
    asn: int | None = None
    as_name: str | None = None
    network: str | None = None
    holder: str | None = None
    abuse_contact: str | None = None
    cdn: str | None = None
    evidence: Sequence[Evidence] = ()
    anycast: bool = False
    hoster: str | None = None
    hoster_country: str | None = None
    sponsor: str | None = None


@dataclass(frozen=True, slots=True)
class ScopeVerdict:
    """Whether an address may be connected to, why (a short stable name), and what that rests on."""

    in_scope: bool
    reason: str
    evidence: Sequence[Evidence] = ()


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who is answerable for a URL at an address, taken at the moment of the hit and stored with it.

    domain: registered domain by the private suffix list; icann_domain: by ICANN's part only. None for IP literals.
    """

    domain: str | None
    icann_domain: str | None
    address: str
    facts: AddressFacts
