"""Reverse DNS: the name that an address gives itself, bounded in time, and never asked for private addresses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from ipaddress import ip_address
from time import monotonic
from typing import Any, Final

import aiodns

from crawler.fetch.resolver import nameserver_text
from crawler.ranges import special_range, unwrapped

_MAX_NAME: Final = 253
_LIFE: Final = 3_600.0
_SIZE: Final = 16_384
_AT_ONCE: Final = 16


class ReverseNames:
    """Made and used within one running loop.

    nameservers: "192.0.2.53:53"; empty: the system's.  seconds: for all addresses of one question together.
    special: ask for private and other special addresses too, which only a lab has names for.
    Raises OptionInvalid when a nameserver is no address.
    """

    def __init__(self, nameservers: Sequence[str] = (), *, seconds: float = 2.0, special: bool = False) -> None:
        self._dns = aiodns.DNSResolver(loop=asyncio.get_running_loop(), timeout=seconds / 2, tries=1)
        if nameservers:
            self._dns.nameservers = [nameserver_text(each) for each in nameservers]
        self._seconds = seconds
        self._special = special
        self._known: dict[str, tuple[str | None, float]] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def names(self, addresses: Iterable[str]) -> dict[str, str | None]:
        """Address -> its name in lower case, None for none. An address that nobody answered for in time is left out."""
        wanted = {address for address in addresses if self._askable(address)}
        unknown = [address for address in wanted if not self._fresh(address)]
        if unknown:
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(*map(self._ask, unknown)), self._seconds)
        return {address: self._known[address][0] for address in wanted if self._fresh(address)}

    async def close(self) -> None:
        """Stop."""
        await self._dns.close()

    def _askable(self, address: str) -> bool:
        return self._special or special_range(unwrapped(ip_address(address))) is None

    def _fresh(self, address: str) -> bool:
        known = self._known.get(address)
        return known is not None and known[1] > monotonic()

    async def _ask(self, address: str) -> None:
        async with self._slots:
            try:
                answer = await self._dns.query_dns(ip_address(address).reverse_pointer, "PTR")
                name = _name(answer)
            except aiodns.error.DNSError as error:
                if error.args[0] not in (aiodns.error.ARES_ENOTFOUND, aiodns.error.ARES_ENODATA):
                    return
                name = None
        if len(self._known) >= _SIZE:
            self._known.clear()
        self._known[address] = (name, monotonic() + _LIFE)


def _name(answer: Any) -> str | None:
    """The first name of an answer, as text that can stand in a record."""
    for record in answer.answer:
        name = getattr(record.data, "dname", None)
        if isinstance(name, str) and 0 < len(name) <= _MAX_NAME and name.isascii() and name.isprintable():
            return name.rstrip(".").lower()
    return None
