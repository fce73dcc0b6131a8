"""The scope of a campaign over the whole of IPv4 at once: for counts, for plans of sweeps, for many addresses.

Every rule speaks of ranges, so the verdict is the same between two ends of ranges: the address space is cut at all of
them, and each piece is judged once, with whole columns of the tables at a time. `crawler.scope.Scope` judges the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from crawler.attribute.tables import TableSet
from crawler.ranges import Network, special_networks

_END: Final = 2**32


class ScopeMap:
    """starts: (n,) uint32, ascending, the first is 0; a piece reaches to the next start.  admitted: (n,) bool."""

    def __init__(self, starts: npt.NDArray[np.uint32], admitted: npt.NDArray[np.bool_]) -> None:
        self.starts = starts
        self.admitted = admitted

    def judge(self, addresses: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
        """Whether each address is in scope. addresses: (m,) uint32, in any order.  Returns (m,) bool."""
        found: npt.NDArray[np.bool_] = self.admitted[np.searchsorted(self.starts, addresses, "right") - 1]
        return found

    def count(self) -> int:
        """How many addresses are in scope."""
        sizes = np.diff(self.starts.astype(np.int64), append=_END)
        return int(sizes[self.admitted].sum())


def scope_map(
    tables: TableSet,
    *,
    countries: Iterable[str] = (),
    asns: Iterable[int] = (),
    prefixes: Iterable[Network] = (),
    excluded: Iterable[Network] = (),
) -> ScopeMap:
    """The map of a scope; arguments as in `[scope]` of a campaign. Special ranges are out of it, as outside the lab."""
    own = [network for network in prefixes if network.version == 4]
    without = [network for network in excluded if network.version == 4]
    special = [network for network in special_networks() if network.version == 4]
    edges = [np.zeros(1, np.int64)]
    edges += [table.starts[0].astype(np.int64) for table in tables.tables]
    edges += [np.array(_ends(network), np.int64) for network in (*own, *without, *special)]
    cuts = np.unique(np.concatenate(edges))
    starts = cuts[cuts < _END].astype(np.uint32)
    wanted = tables.columns(starts)
    homes = {hoster.asn for hoster in tables.systems.hosters.by_asn.values() if hoster.country in set(countries)}
    placed = np.isin(wanted.countries, list(countries)) | _among(wanted.asns, homes)
    admitted = _among(wanted.asns, asns) | (placed & ~wanted.fronts)
    for network in own:
        admitted[_pieces(starts, network)] = True
    for network in (*without, *special):
        admitted[_pieces(starts, network)] = False
    return ScopeMap(starts, admitted)


def _among(asns: npt.NDArray[Any], wanted: Iterable[int]) -> npt.NDArray[np.bool_]:
    return np.isin(asns, np.fromiter(wanted, dtype=np.uint32))


def _ends(network: Network) -> tuple[int, int]:
    return int(network.network_address), int(network.broadcast_address) + 1


def _pieces(starts: npt.NDArray[np.uint32], network: Network) -> slice:
    first, end = _ends(network)
    following = len(starts) if end >= _END else int(np.searchsorted(starts, np.uint32(end)))
    return slice(int(np.searchsorted(starts, np.uint32(first))), following)
