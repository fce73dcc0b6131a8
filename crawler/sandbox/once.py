"""One piece of work in a process of its own that closes itself in first: for commands that look at a few files.

The caller has imported, compiled and loaded all that the work needs; the fork has it too.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import msgpack

from crawler.errors import SandboxUnavailable, VangnetError
from crawler.records import Rejected
from crawler.sandbox.child import EXIT_MEMORY
from crawler.sandbox.confine import CONTROL, Limits, close_in
from crawler.sandbox.endings import cause_of

LONGEST_ANSWER = 4_194_304
"""Bytes."""

_DONE, _REFUSED = "done", "refused"
_TAKE = 65_536


def confined(work: Callable[[], object], limits: Limits, deadline: float) -> object | Rejected:
    """What `work` returns (plain data, as msgpack carries it) when it runs closed in.

    deadline: seconds. Call it in a process of one thread. What comes back was made from hostile bytes: check it.
    Rejected: "deadline", "memory", "violation" (a forbidden system call) or "crashed".
    Raises SandboxUnavailable when a process cannot be started, or cannot close itself in.
    """
    try:
        ours, theirs = socket.socketpair()
        pid = os.fork()
    except OSError as error:
        raise SandboxUnavailable(f"sandbox: no process could be started ({error.strerror})") from error
    if pid == 0:
        ours.close()
        _work(theirs, work, limits)
    theirs.close()
    try:
        answer = _receive(ours, time.monotonic() + deadline)
    finally:
        ours.close()
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    return answer if isinstance(answer, Rejected) else _understood(answer, status)


def _work(control: socket.socket, work: Callable[[], object], limits: Limits) -> NoReturn:
    """The child: never returns."""
    try:
        try:
            close_in(control.detach(), limits)
        except VangnetError as error:
            _send(CONTROL, [_REFUSED, str(error)])
            os._exit(1)
        _send(CONTROL, [_DONE, work()])
        os._exit(0)
    except MemoryError:
        os._exit(EXIT_MEMORY)
    finally:
        os._exit(1)


def _send(descriptor: int, answer: object) -> None:
    left = memoryview(msgpack.packb(answer))
    while left:
        left = left[os.write(descriptor, left) :]


def _receive(link: socket.socket, until: float) -> bytes | Rejected:
    """All that the child says before it hangs up."""
    said = bytearray()
    while len(said) <= LONGEST_ANSWER:
        left = until - time.monotonic()
        if left <= 0:
            return Rejected("deadline")
        link.settimeout(left)
        try:
            piece = link.recv(_TAKE)
        except TimeoutError:
            return Rejected("deadline")
        except ConnectionError:
            piece = b""
        if not piece:
            return bytes(said)
        said += piece
    return Rejected("crashed", "it said more than an answer")


def _understood(answer: bytes, status: int) -> object | Rejected:
    said: object = None
    with suppress(ValueError, TypeError, RecursionError):  # all that msgpack raises derives from these
        said = msgpack.unpackb(answer)
    match said:
        case [str(kind), result] if kind == _DONE:
            done: object = result
            return done
        case [str(kind), str(why)] if kind == _REFUSED:
            raise SandboxUnavailable(why)
    return Rejected(cause_of(status))
