"""How many connections the fetchers of a worker may have open together: each of its runs has one of its own."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from crawler.errors import OptionInvalid
from crawler.fetch.connection import Connection


class Sockets:
    """The connections of the pools that share this. most: open at once, idle ones included.

    slots: one for each fetch under way.  opening: sockets that no connection has yet.  connections: that are open.
    idle: of them, those that wait for another request, longest first, and what gives each up.
    Raises OptionInvalid when `most` is below 1.
    """

    __slots__ = ("connections", "idle", "most", "opening", "slots")

    def __init__(self, most: int) -> None:
        if most < 1:
            raise OptionInvalid(f"max_sockets is {most}: give a number of at least 1")
        self.most = most
        self.slots = asyncio.Semaphore(most)
        self.opening = 0
        self.connections: set[Connection] = set()
        self.idle: OrderedDict[Connection, Callable[[Connection], None]] = OrderedDict()

    def make_room(self) -> None:
        """For one more: give up the longest idle connections, whosever they are."""
        while len(self.connections) + self.opening >= self.most and self.idle:
            connection, give_up = next(iter(self.idle.items()))
            give_up(connection)
