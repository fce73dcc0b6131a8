"""The zygote: imports, compiles and maps once, then forks children that start with all of it in place.

Run as `python -m crawler.sandbox.zygote DESCRIPTOR PARENT`: the descriptor of a SOCK_SEQPACKET socket to the worker,
and the worker's process id. No image ever reaches this process, and it keeps no descriptor of a child.
"""

from __future__ import annotations

import gc
import os
import select
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from crawler.errors import SandboxUnavailable, VangnetError
from crawler.records import Rejected
from crawler.sandbox import child, protocol
from crawler.sandbox.confine import die_with_parent, ignore_polite_signals, silence
from crawler.sandbox.protocol import FrameKind

Loader = Callable[[object], child.Warm]
"""Makes everything ready from the payload of a SETTINGS frame; `examine.load` is the one."""


def main(load: Loader, arguments: list[str]) -> int:
    """Serve the worker at the other end until it hangs up; returns the exit status.

    What an import or a compiler raises during the warm-up is let through: the worker reads the last line of it.
    """
    control = socket.socket(fileno=int(arguments[0]))
    try:
        die_with_parent(int(arguments[1]))
        ignore_polite_signals()
        warm = load(_receive_settings(control))
        _settle()
    except VangnetError as error:
        return _fail(control, error)
    control.send(protocol.encode(FrameKind.READY))
    Nursery(control, warm).run()
    return 0


class Nursery:
    """Forks a child for each SPAWN frame and reports each one's end."""

    def __init__(self, control: socket.socket, warm: child.Warm) -> None:
        self._control = control
        self._warm = warm
        self._children: dict[int, int] = {}  # pidfd -> process id
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)

    def run(self) -> None:
        """Returns when the worker hangs up or says something that is no order."""
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor != self._control.fileno():
                    self._bury(descriptor)
                elif not self._spawn():
                    return

    def _spawn(self) -> bool:
        packet, descriptors, _, _ = socket.recv_fds(self._control, protocol.MAX_FRAME, 2)
        frame = protocol.decode(packet)
        if isinstance(frame, Rejected) or frame.kind is not FrameKind.SPAWN or len(descriptors) != 2:
            return False
        link, buffer = descriptors
        zygote = os.getpid()
        pid = os.fork()
        if pid == 0:
            child.live(zygote, socket.socket(fileno=link), buffer, self._warm)
        os.close(link)
        os.close(buffer)
        pidfd = os.pidfd_open(pid)
        self._children[pidfd] = pid
        self._poll.register(pidfd, select.POLLIN)
        return True

    def _bury(self, pidfd: int) -> None:
        pid = self._children.pop(pidfd)
        self._poll.unregister(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(pid, 0)
        self._control.send(protocol.encode(FrameKind.ENDED, pid, status))


def _receive_settings(control: socket.socket) -> object:
    frame = protocol.decode(control.recv(protocol.MAX_FRAME))
    if isinstance(frame, Rejected) or frame.kind is not FrameKind.SETTINGS:
        raise SandboxUnavailable("sandbox: the zygote was not started by a worker of this version; restart the worker")
    return frame.payload


def _settle() -> None:
    """Check that forking is safe, and move everything out of the collector's way so that children share the pages."""
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
        raise SandboxUnavailable(f"sandbox: warm-up left {threads} threads; set OMP_NUM_THREADS=1 and the like")
    silence()
    gc.collect()
    gc.freeze()


def _fail(control: socket.socket, error: VangnetError) -> int:
    control.send(protocol.encode(FrameKind.FAILED, 0, [type(error).__name__, str(error)[:500]]))
    return 1


if __name__ == "__main__":
    from crawler.sandbox.examine import load

    sys.exit(main(load, sys.argv[1:]))
