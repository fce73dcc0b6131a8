"""What the RIPE database says of an address: network, holder, sponsor, abuse contact, each with its source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Final

import numpy as np
import numpy.typing as npt

from crawler.attribute.abuse import MAX_LEVELS, Level, abuse_contact, first_contact
from crawler.attribute.registry_file import Cells, Handles, Networks
from crawler.attribute.rows import TableInfo, range_text
from crawler.attribute.said import LateEvidence
from crawler.records import Evidence

_REMEMBERED: Final = 65_536
_UNKNOWN: Final = TableInfo("RIPE database", "", "")


@dataclass(frozen=True, slots=True)
class RegistryFacts:
    """None where the database does not say. size: of the network, in addresses, less one."""

    network: str | None = None
    holder: str | None = None
    sponsor: str | None = None
    abuse_contact: str | None = None
    prefix: str | None = None
    size: int = 0
    evidence: Sequence[Evidence] = ()


NOTHING: Final = RegistryFacts()


class Registry:
    """files: class of object -> its file; any may be missing, and then the facts that rest on it are unknown."""

    def __init__(self, files: Mapping[str, Networks | Handles]) -> None:
        networks = {4: files.get("inetnum"), 6: files.get("inet6num")}
        self._networks = {version: each for version, each in networks.items() if isinstance(each, Networks)}
        self._handles = {kind: each for kind, each in files.items() if isinstance(each, Handles)}
        self._cells = lru_cache(_REMEMBERED)(self._find)
        self._of_row = lru_cache(_REMEMBERED)(self._facts)
        self.files = dict(files)

    @property
    def knows_networks(self) -> bool:
        """Whether any dump of networks was loaded."""
        return bool(self._networks)

    def row(self, version: int, number: int) -> int:
        """The network around an address, as a number; 0 for none. Addresses of one network have the same facts."""
        networks = self._networks.get(version)
        return 0 if networks is None else networks.find(number)

    def rows4(self, numbers: npt.NDArray[np.uint32]) -> list[int]:
        """As `row`, of many IPv4 addresses."""
        networks = self._networks.get(4)
        return [0] * len(numbers) if networks is None else networks.find4(numbers)

    def facts(self, version: int, row: int) -> RegistryFacts:
        """What is said of a network that `row` gave."""
        return NOTHING if row == 0 else self._of_row(version, row)

    def system(self, asn: int) -> tuple[str | None, tuple[Evidence, ...]]:
        """The short name of an AS, and who holds and sponsors it."""
        cells = self._cells("aut-num", f"AS{asn}")
        if cells is None:
            return None, ()
        named = [("AS name", cells["as-name"], "aut-num", f"AS{asn}")]
        named += [
            (fact, self._organisation(cells[key]), "organisation", f"AS{asn}")
            for fact, key in (("AS holder", "org"), ("AS sponsor", "sponsoring-org"))
        ]
        return cells["as-name"], tuple(self._said(*each) for each in named if each[1])

    def _facts(self, version: int, row: int) -> RegistryFacts:
        networks = self._networks[version]
        own, (first, last) = networks.cells(row), networks.bounds(row)
        return RegistryFacts(
            network=own["netname"],
            holder=self._organisation(own["org"]) or own["descr"],
            sponsor=self._organisation(own["sponsoring-org"]),
            abuse_contact=first_contact(self._levels(version, row), self._organisation_cells, self._role),
            prefix=range_text(version, first, last),
            size=last - first,
            evidence=LateEvidence(self._evidence, version, row),
        )

    def _levels(self, version: int, row: int) -> Iterator[Level]:
        """A network and those around it, from the most specific one up."""
        networks, at = self._networks[version], row
        while at:
            yield Level(networks.cells(at), range_text(version, *networks.bounds(at)))
            at = networks.parent(at)

    def _evidence(self, version: int, row: int) -> tuple[Evidence, ...]:
        levels = list(islice(self._levels(version, row), MAX_LEVELS))
        own, prefix, kind = levels[0].cells, levels[0].prefix, self._networks[version].kind
        holder, holder_kind = self._organisation(own["org"]), "organisation"
        if holder is None and own["descr"]:
            holder, holder_kind = own["descr"], kind
        sponsor = self._organisation(own["sponsoring-org"])
        found = abuse_contact(levels, self._organisation_cells, self._role)
        said: list[tuple[str, str | None, str, str]] = [
            ("network", own["netname"], kind, prefix),
            ("status", own["status"], kind, prefix),
            ("country", own["country"], kind, prefix),
            ("holder", holder, holder_kind, prefix),
            ("sponsoring organisation", sponsor, "organisation", prefix),
        ]
        if own["org"] and holder_kind != "organisation":
            said.append(("holder unknown:", f"{own['org']} is not in the data", "organisation", prefix))
        if len(levels) > 1:
            said.append(("within network", levels[1].cells["netname"], kind, levels[1].prefix))
        if found.chosen is not None:
            said.append(("abuse contact", f"{found.chosen.mail} ({found.chosen.way})", "role", found.chosen.prefix))
        for candidate, why in found.rejected:
            text = f"{candidate.mail or '-'} ({candidate.way}): {why}"
            said.append(("abuse contact rejected:", text, "role", candidate.prefix))
        return tuple(self._said(*each) for each in said if each[1])

    def _organisation(self, handle: str | None) -> str | None:
        cells = self._cells("organisation", handle) if handle else None
        return None if cells is None else cells["org-name"]

    def _role(self, handle: str) -> Cells | None:
        return self._cells("role", handle) or self._cells("person", handle)

    def _organisation_cells(self, handle: str) -> Cells | None:
        return self._cells("organisation", handle)

    def _find(self, kind: str, handle: str) -> Cells | None:
        file = self._handles.get(kind)
        return None if file is None else file.get(handle)

    def _said(self, fact: str, value: str | None, kind: str, prefix: str) -> Evidence:
        file = self.files.get(kind)
        info = _UNKNOWN if file is None else file.info
        return Evidence(f"{fact} {value}", info.source, info.date or None, prefix)
