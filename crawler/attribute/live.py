"""The address book of a process that runs for long: it takes new tables while it works."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol
from weakref import WeakSet

import structlog

from crawler.attribute.book import AddressBook, Attributor, home_book
from crawler.attribute.hosters import FILE
from crawler.attribute.shelf import LOADED
from crawler.errors import AddressDataInvalid, HomeUnusable
from crawler.home import Home
from crawler.records import AddressFacts

EVERY: Final = 10.0
"""Seconds between two looks at the home; new tables are in use within a minute in any case."""

_log = structlog.get_logger()

Stamp = tuple[tuple[str, int, int, int], ...]


class Forgets(Protocol):
    """What remembers verdicts that rest on the tables."""

    def forget(self) -> None:
        """Drop them."""
        ...


class LiveBook:
    """The tables of a home as they are now. Satisfies `crawler.scope.AddressTable`.

    Raises AddressDataInvalid, HomeUnusable as `home_book` does; later tables that cannot be read are logged once, and
    those in use stay.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._stamp = _stamp(home.root / "tables")
        self._followers: WeakSet[Forgets] = WeakSet()
        self._use(home_book(home))

    def lookup(self, address: str) -> AddressFacts:
        """The facts that scope is judged by; see `TableSet.lookup`."""
        return self.book.lookup(address)

    def follow(self, follower: Forgets) -> None:
        """Have it forget when the tables change, for as long as somebody else holds it."""
        self._followers.add(follower)

    async def refresh(self) -> bool:
        """Take the tables that stand in the home now; whether they are new."""
        stamp = _stamp(self._home.root / "tables")
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            # Opening maps and checks files, which the event loop should not wait for.
            book = await asyncio.to_thread(home_book, self._home)
        except (AddressDataInvalid, HomeUnusable) as error:
            _log.error("new address tables refused, those in use stay", error=str(error))
            return False
        self._use(book)
        for follower in list(self._followers):
            follower.forget()
        _log.info("new address tables in use", tables=len(book.tables.tables))
        return True

    async def watch(self, every: float = EVERY) -> None:
        """Refresh again and again, until cancelled."""
        while True:
            await asyncio.sleep(every)
            await self.refresh()

    def _use(self, book: AddressBook) -> None:
        self.book = book
        self.attributor = Attributor(book)


def _stamp(tables: Path) -> Stamp:
    """Changes when somebody loads tables, or writes one."""
    found = []
    watched = [*tables.glob("*.tbl"), *tables.glob("*.vga"), tables / FILE]
    for path in sorted(watched):
        try:
            seen = path.stat()
        except OSError:
            continue
        found.append((path.name, seen.st_mtime_ns, seen.st_size, seen.st_ino))
    with suppress(OSError):
        found.append((str((tables / LOADED / "current").readlink()), 0, 0, 0))
    return tuple(found)
