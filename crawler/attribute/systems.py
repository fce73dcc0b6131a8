"""What is known of AS numbers, whatever their addresses: names, and the hosters that they belong to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from crawler.attribute.hosters import NO_HOSTERS, Hoster, Hosters
from crawler.attribute.registry_file import Handles
from crawler.records import Evidence

_REMEMBERED: Final = 65_536

Named = Callable[[int], "tuple[str | None, tuple[Evidence, ...]]"]


@dataclass(frozen=True, slots=True)
class System:
    """One AS. hoster: None when it is nobody's that the table has."""

    name: str | None = None
    hoster: Hoster | None = None
    evidence: tuple[Evidence, ...] = ()


NO_SYSTEM: Final = System()


class Systems:
    """names: loaded AS names, None for none.  registered: as `Registry.system`.  hosters: brands by AS number."""

    def __init__(
        self, names: Handles | None = None, registered: Named | None = None, hosters: Hosters = NO_HOSTERS
    ) -> None:
        self.hosters = hosters
        self._names = names
        self._registered = registered
        self.get = lru_cache(_REMEMBERED)(self._get)

    def _get(self, asn: int) -> System:
        evidence: list[Evidence] = []
        where = f"AS{asn}"
        cells = self._names.get(where) if self._names else None
        name = cells["name"] if cells is not None else None
        if self._names is not None and name:
            info = self._names.info
            evidence.append(Evidence(f"AS name {name}", info.source, info.date, where))
        if self._registered is not None:
            short, said = self._registered(asn)
            name = name or short
            evidence += said
        hoster = self.hosters.by_asn.get(asn)
        if hoster is not None:
            brands = f", also {', '.join(hoster.brands)}" if hoster.brands else ""
            text = f"hoster {hoster.name} ({hoster.country}{brands})"
            evidence.append(Evidence(text, self.hosters.info.source, self.hosters.info.date, where))
        return System(name, hoster, tuple(evidence)) if evidence else NO_SYSTEM
