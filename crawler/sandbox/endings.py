"""How images and children end, in words and numbers."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

from crawler.sandbox.child import EXIT_MEMORY

_SIGNALS: dict[int, str] = {signal.SIGSYS: "violation", signal.SIGXCPU: "deadline"}


@dataclass(slots=True)
class Counts:
    """Since the start: images answered, of those ended by deadline, crash, lack of memory, or a forbidden system call;
    children recycled as planned; zygotes started."""

    answered: int = 0
    deadline: int = 0
    crashed: int = 0
    memory: int = 0
    violation: int = 0
    recycled: int = 0
    zygotes: int = 0


def was_killed(status: int | None) -> bool:
    """By somebody else: the worker does not ask about children that it killed itself."""
    return status is not None and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def cause_of(status: int | None) -> str:
    """The reason for an image whose child ended with this wait status; None: not known."""
    if status is not None and os.WIFSIGNALED(status):
        return _SIGNALS.get(os.WTERMSIG(status), "crashed")
    if status is not None and os.WIFEXITED(status) and os.WEXITSTATUS(status) == EXIT_MEMORY:
        return "memory"
    return "crashed"
