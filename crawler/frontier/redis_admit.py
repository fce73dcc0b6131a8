"""Admission in Redis: reserve where the hosts live, queue where the addresses live, acknowledge; once per entry.

Why markers, and what they hold, stands in `docs/adr/0002-admission-markers.md`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import msgpack

from crawler.errors import RecordCorrupt
from crawler.frontier.base import CARRY_CAP, CARRY_SHARE, Admission, Judged, StreamEntry
from crawler.frontier.codec import pack_discovered
from crawler.frontier.keys import ADMITTERS, partition_of
from crawler.frontier.ops import enqueue_groups
from crawler.frontier.redis_link import RedisLink, acknowledgement
from crawler.packing import packed, packed_raw

_LATER = ord("4")
"""The flag of `reserve.lua` for a URL that comes back."""
_LOW_BITS = (1 << 20) - 1
"""Of a number, by which its bucket is told: BITS in `seen.lua`."""
_Place = dict[str, tuple[str, str]]
"""Host -> (address, politeness key)."""


class Admissions:
    """keep: seconds that seen numbers and markers live."""

    def __init__(self, link: RedisLink, partitions: int, keep: float) -> None:
        self._link = link
        self._partitions = partitions
        self._keep = round(keep)

    async def admit(self, admissions: Sequence[Admission]) -> None:
        """See `Frontier.admit`."""
        marked: dict[int, list[str]] = defaultdict(list)
        admitted, kept, later = await self._reserve(admissions, marked)
        for partition, entries in kept.items():
            await self._link.run("carry", partition, packed_raw(entries), self._keep)
        queued: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for admission, urls in zip(admissions, admitted, strict=True):
            for partition, places in self._places([url.politeness or "" for url in urls]).items():
                groups = enqueue_groups(admission, [urls[i] for i in places])
                marker = _marker(admission.entry)
                queued[partition].append({"m": marker, "r": str(admission.entry.run), "g": groups})
                marked[partition].append(marker)
        put_off = [_put_off(admission, places) for admission, places in zip(admissions, later, strict=True)]
        if self._partitions == 1:
            # What is judged and queued in one partition is acknowledged there too, all in one step.
            ends = chain.from_iterable(
                acknowledgement(a.entry, *off) for a, off in zip(admissions, put_off, strict=True)
            )
            await self._link.run("enqueue", 0, packed_raw(queued[0]), self._keep, 0, *ends)
            return
        for partition, entries in queued.items():
            await self._link.run("enqueue", partition, packed_raw(entries), self._keep)
        await self._link.acknowledge("disc", ADMITTERS, [admission.entry for admission in admissions], put_off)
        for partition, markers in marked.items():
            await self._link.run("unmark", partition, *set(markers))

    async def _reserve(
        self, admissions: Sequence[Admission], marked: dict[int, list[str]]
    ) -> tuple[list[list[Judged]], dict[int, list[dict[str, Any]]], list[list[int]]]:
        """The admitted URLs of each admission, with the addresses of the entry's first delivery; by partition, what is
        kept for the next run; the positions of those of each that come back later."""
        calls: dict[int, list[tuple[int, list[int]]]] = defaultdict(list)
        for number, admission in enumerate(admissions):
            for partition, places in self._places([url.domain or url.host for url in admission.urls]).items():
                calls[partition].append((number, places))
                marked[partition].append(_marker(admission.entry))
        admitted: list[list[Judged]] = [[] for _ in admissions]
        later: list[list[int]] = [[] for _ in admissions]
        kept: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for partition, parts in calls.items():
            entries = [_reservation(admissions[number], places) for number, places in parts]
            answer = await self._link.run("reserve", partition, packed_raw(entries), self._keep)
            reply = msgpack.unpackb(answer, raw=True)
            for (number, places), (flags, place) in zip(parts, reply, strict=True):
                urls = [admissions[number].urls[i] for i in places]
                admitted[number] += _admitted(urls, flags.decode(), _unpack_place(place))
                later[number] += [place for place, flag in zip(places, flags, strict=True) if flag == _LATER]
                if b"3" in flags:
                    kept[partition].append(_kept(admissions[number], urls, flags.decode()))
        return admitted, kept, later

    def _places(self, keys: Sequence[str]) -> dict[int, list[int]]:
        """Positions in `keys`, by the partition that each key belongs to."""
        groups: dict[int, list[int]] = defaultdict(list)
        for position, key in enumerate(keys):
            groups[partition_of(key, self._partitions)].append(position)
        return groups


def _admitted(urls: list[Judged], flags: str, place: _Place) -> list[Judged]:
    found = []
    for url, flag in zip(urls, flags, strict=True):
        if flag == "1":
            address, politeness = place[url.host]
            same = url.address == address and url.politeness == politeness and url.skip is None
            found.append(url if same else replace(url, address=address, politeness=politeness, skip=None))
    return found


def _reservation(admission: Admission, places: list[int]) -> dict[str, Any]:
    urls = [admission.urls[i] for i in places]
    place = {url.host: (url.address, url.politeness) for url in urls if url.address is not None}
    names: dict[tuple[str, str], int] = {}
    which = [names.setdefault((url.host, url.domain or url.host), len(names) + 1) for url in urls]
    return {
        "m": _marker(admission.entry),
        "r": str(admission.entry.run),
        "c": admission.entry.run.campaign,
        "b": admission.urls_per_host,
        "d": admission.urls_per_domain,
        "k": round(CARRY_CAP * admission.urls_per_host),
        "p": packed(place),
        "v": int(admission.discovered.moved),
        "n": list(names),
        "u": [str(url.number) for url in urls],
        "w": [abs(url.number) & _LOW_BITS for url in urls],
        "h": which,
        "s": {at: _skip(url) for at, url in enumerate(urls, 1) if url.later or url.skip},
        "l": {at: admission.held_back(url) for at, url in enumerate(urls, 1)} if admission.reserved else {},
    }


def _kept(admission: Admission, urls: list[Judged], flags: str) -> dict[str, Any]:
    """What `carry.lua` keeps of an entry: pieces of one host each, small beside what a night may take of them."""
    hosts: dict[str, list[Judged]] = defaultdict(list)
    for url, flag in zip(urls, flags, strict=True):
        if flag == "3":
            hosts[url.host].append(url)
    campaign, found = admission.entry.run.campaign, replace(admission.discovered, tries=0)
    size = max(int(CARRY_SHARE * admission.urls_per_host) // 8, 1)
    parts = []
    for host, left_out in hosts.items():
        for first in range(0, len(left_out), size):
            piece = left_out[first : first + size]
            payload = pack_discovered(replace(found, candidates=tuple(url.candidate for url in piece)))
            parts.append([campaign, host, [str(url.number) for url in piece], payload])
    return {"m": _marker(admission.entry), "r": str(admission.entry.run), "p": parts}


def _skip(url: Judged) -> str:
    """The reason why a URL is not queued, "later" for one that comes back."""
    return "later" if url.later else url.skip or ""


def _put_off(admission: Admission, places: list[int]) -> tuple[bytes, float]:
    found = admission.put_off([admission.urls[place] for place in sorted(places)])
    return (pack_discovered(found), admission.after) if found is not None else (b"", 0.0)


def _unpack_place(record: bytes) -> _Place:
    try:
        return {host: (address, politeness) for host, (address, politeness) in msgpack.unpackb(record).items()}
    except (ValueError, AttributeError, TypeError, msgpack.UnpackException) as error:
        raise RecordCorrupt("an admission marker in Redis is damaged") from error


def _marker(entry: StreamEntry) -> str:
    return f"{entry.partition}:{entry.number}"
