"""What tables say of one piece of the address space; evidence becomes text when somebody reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, overload

from crawler.attribute.rows import NO_CDN, TableInfo, Values
from crawler.attribute.systems import NO_SYSTEM, Systems
from crawler.records import AddressFacts, Evidence

NO_COUNTRY: Final = frozenset(("AP", "EU", "ZZ", "XX"))
"""Codes that registries use where no country is meant; another source has to say it. XX is nobody's by the standard."""


class LateEvidence(Sequence[Evidence]):
    """Evidence that is made at the first look at it, since few of many attributions are ever read. Equal to a tuple of
    the same."""

    __slots__ = ("_made", "_make", "_of")

    def __init__(self, make: Callable[..., tuple[Evidence, ...]], *of: int) -> None:
        """make: called with `of`, at most once."""
        self._make = make
        self._of = of
        self._made: tuple[Evidence, ...] | None = None

    def _all(self) -> tuple[Evidence, ...]:
        if self._made is None:
            self._made = self._make(*self._of)
        return self._made

    @overload
    def __getitem__(self, index: int) -> Evidence: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Evidence, ...]: ...
    def __getitem__(self, index: int | slice) -> Evidence | tuple[Evidence, ...]:
        return self._all()[index]

    def __len__(self) -> int:
        return len(self._all())

    def __iter__(self) -> Iterator[Evidence]:
        return iter(self._all())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LateEvidence | tuple) and self._all() == tuple(other)

    def __hash__(self) -> int:
        return hash(self._all())

    def __repr__(self) -> str:
        return repr(self._all())


def joined(said: Sequence[Values], systems: Systems) -> AddressFacts:
    """One answer from several tables, wherever their ranges lie: for each fact the first table that has it.

    said: in order of precedence. An AS name counts only with its own number; a mark against a CDN makes none.
    """
    country = asn = as_name = network = holder = contact = cdn = None
    anycast = False
    for each in said:
        if country is None and each.country and each.country not in NO_COUNTRY:
            country = each.country
        asn = asn or each.asn
        network = network or each.network
        holder = holder or each.holder
        contact = contact or each.abuse_contact
        cdn = cdn or each.cdn
        anycast = anycast or each.anycast
    for each in said:
        if as_name is None and each.as_name and each.asn == asn:
            as_name = each.as_name
    system = NO_SYSTEM if asn is None else systems.get(asn)
    brand, home = (system.hoster.name, system.hoster.country) if system.hoster else (None, None)
    front = None if cdn == NO_CDN else cdn
    as_name = as_name or system.name
    return AddressFacts(country, None, asn, as_name, network, holder, contact, front, (), anycast, brand, home)


def evidence_of(values: Values, info: TableInfo, prefix: str) -> list[Evidence]:
    """What one table says of a range, a fact each."""
    named = (
        ("country", values.country),
        ("origin", f"AS{values.asn} {values.as_name or ''}".strip() if values.asn else None),
        ("network", values.network),
        ("holder", values.holder),
        ("abuse contact", values.abuse_contact),
        ("CDN", None if values.cdn == NO_CDN else values.cdn),
        ("no front of a CDN,", "a customer's address" if values.cdn == NO_CDN else None),
        ("anycast,", "announced from many places" if values.anycast else None),
    )
    return [Evidence(f"{name} {value}", info.source, info.date, prefix) for name, value in named if value]
