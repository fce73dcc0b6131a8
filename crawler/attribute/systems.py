"""What is known of AS numbers, whatever their addresses: names, and the hosters that they belong to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from crawler.attribute.hosters import NO_HOSTERS, Hosters
from crawler.attribute.registry_file import Handles
from crawler.records import AddressFacts, Evidence

Named = Callable[[int], "tuple[str | None, tuple[Evidence, ...]]"]


@dataclass(frozen=True, slots=True)
class Systems:
    """names: loaded AS names, None for none.  registered: as `Registry.system`.  hosters: brands by AS number."""

    names: Handles | None = None
    registered: Named | None = None
    hosters: Hosters = NO_HOSTERS

    def completed(self, facts: AddressFacts) -> AddressFacts:
        """Facts with what is known of their AS."""
        if facts.asn is None:
            return facts
        evidence = list(facts.evidence)
        name = facts.as_name
        where = f"AS{facts.asn}"
        cells = self.names.get(where) if self.names else None
        if self.names is not None and cells is not None and cells["name"]:
            info = self.names.info
            name = name or cells["name"]
            evidence.append(Evidence(f"AS name {cells['name']}", info.source, info.date, where))
        if self.registered is not None:
            short, said = self.registered(facts.asn)
            name = name or short
            evidence += said
        hoster = self.hosters.by_asn.get(facts.asn)
        if hoster is not None:
            brands = f", also {', '.join(hoster.brands)}" if hoster.brands else ""
            text = f"hoster {hoster.name} ({hoster.country}{brands})"
            evidence.append(Evidence(text, self.hosters.info.source, self.hosters.info.date, where))
        return replace(
            facts,
            as_name=name,
            hoster=hoster.name if hoster else None,
            hoster_country=hoster.country if hoster else None,
            evidence=tuple(evidence),
        )
