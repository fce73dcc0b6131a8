"""An event loop on which nothing may wait: whoever calls what blocks, on a thread whose loop is running, is stopped.

Where a server is quick, a blocking call costs a moment that no test would notice; where it is silent, all of a worker
stands still. So it is the call that is forbidden, however short it was. Calls in threads of their own are as free as
sockets that do not block.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NoReturn
from unittest import mock

WAITING = ("connect", "accept", "recv", "recv_into", "recvfrom", "recvmsg", "send", "sendall", "sendmsg", "sendto")
NAMES = ("getaddrinfo", "gethostbyname", "getnameinfo")


_excused = threading.local()


class Blocking(AssertionError):
    """Something waited on a thread whose event loop is running."""


@contextmanager
def unblocked(stop: Callable[[Blocking], object] | None = None) -> Iterator[list[Blocking]]:
    """In it, such calls raise; what was raised so far, for whoever may have swallowed it.

    stop: is called before.
    """
    found: list[Blocking] = []

    def forbid(what: str) -> NoReturn:
        error = Blocking(f"{what} on the thread of an event loop")
        found.append(error)
        if stop is not None:
            stop(error)
        raise error

    with ExitStack() as stack:
        for place, names in ((socket.socket, WAITING), (socket, NAMES), (time, ("sleep",))):
            for name in names:
                guarded = _guarded(getattr(place, name), name, forbid)
                stack.enter_context(mock.patch.object(place, name, guarded))
        yield found


@contextmanager
def excused() -> Iterator[None]:
    """In it, what a test does in place of the code, without handing the thread on, may wait."""
    _excused.now = True
    try:
        yield
    finally:
        _excused.now = False


def _guarded(call: Callable[..., Any], name: str, forbid: Callable[[str], NoReturn]) -> Callable[..., Any]:
    def guarded(*arguments: Any, **named: Any) -> Any:
        if asyncio._get_running_loop() is not None and _waits(arguments) and not getattr(_excused, "now", False):
            forbid(name)
        return call(*arguments, **named)

    return guarded


def _waits(arguments: tuple[Any, ...]) -> bool:
    """Whether a call may wait: with a socket, where it is one that does."""
    first = arguments[0] if arguments else None
    return first.gettimeout() != 0.0 if isinstance(first, socket.socket) else first != 0


def end_process(error: Blocking) -> NoReturn:
    """For processes: whatever catches errors, this one is not to be survived, and nobody starts it again."""
    traceback.print_stack()
    print(f"vangnet: {error}", file=sys.stderr, flush=True)
    os._exit(3)
