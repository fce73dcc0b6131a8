"""A process to fork others from that has imported what they import; see `tests.servers.warm`, which starts it.

Run as `python -m tests.servers.template KIND LISTENER LIFE ZYGOTES`. KIND: `crew` for workers and recorders,
`zygote` for what computes fingerprints.  LISTENER: a SOCK_SEQPACKET socket that listens.  LIFE: a pipe that is closed
when all is over.  ZYGOTES: where workers have theirs from.

A connection is an order for one process, with descriptors; what comes back is its id and, when it has ended, its wait
status.
"""

from __future__ import annotations

import gc
import json
import os
import select
import socket
import sys
from functools import partial
from importlib import import_module
from pathlib import Path

from crawler.cli.main import entry
from crawler.sandbox import launcher
from crawler.sandbox.zygote import main as zygote_main
from tests.servers.unblocked import end_process, unblocked
from tests.servers.warm import forked_zygote

MOST = 1 << 16
CREW = (
    "crawler.cli.worker",
    "crawler.service.recording",
    "crawler.wiring",
    "scrapy.core.engine",
    "scrapy.core.scraper",
    "scrapy.crawler",
    "scrapy.utils.project",
    "settings.lab",
    "spiders",
    "uvloop",
)
ZYGOTE = ("crawler.cli.printer", "crawler.sandbox.examine")


def serve(listener: socket.socket, life: int) -> tuple[bytes, list[int]] | None:
    """Fork for each order. Returns it and its descriptors in each child, None in the template when all is over."""
    children: dict[int, tuple[int, socket.socket]] = {}  # pidfd -> process id, who ordered it
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    poll.register(life, select.POLLIN)
    while True:
        for ready, _ in poll.poll():
            if ready == life:
                return None
            if ready == listener.fileno():
                peer, _ = listener.accept()
                packet, descriptors, _, _ = socket.recv_fds(peer, MOST, 3)
                if (child := os.fork()) == 0:
                    for pidfd, (_, other) in children.items():
                        os.close(pidfd)
                        other.close()
                    peer.close()
                    listener.close()
                    os.close(life)
                    return packet, descriptors
                for descriptor in descriptors:
                    os.close(descriptor)
                peer.send(b"%d" % child)
                pidfd = os.pidfd_open(child)
                children[pidfd] = (child, peer)
                poll.register(pidfd, select.POLLIN)
            else:
                child, peer = children.pop(ready)
                poll.unregister(ready)
                os.close(ready)
                told(peer, os.waitpid(child, 0)[1])


def told(peer: socket.socket, status: int) -> None:
    with peer:
        try:
            peer.send(b"%d" % status)
        except OSError:  # whoever ordered it is gone
            return


def streams(log: int, out: int | None = None) -> None:
    """A session of its own, nothing to read, stdout to `out` (None: to nowhere) and stderr to `log`."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    given = nothing if out is None else out
    for descriptor, stream in ((nothing, 0), (given, 1), (log, 2)):
        os.dup2(descriptor, stream)
    for descriptor in {nothing, given, log}:
        os.close(descriptor)


def crew(packet: bytes, descriptors: list[int], zygotes: str) -> None:
    """Be a worker or a recorder: {"arguments", "environment"} as `Crew` gives them, and stderr."""
    streams(*descriptors)
    order = json.loads(packet)
    os.environ.clear()
    os.environ.update(order["environment"])
    assert order["arguments"][-2] == "--parent"
    sys.argv = ["vangnet", *order["arguments"][:-1], str(os.getppid())]
    launcher._start = partial(forked_zygote, zygotes)
    with unblocked(end_process):
        entry()


def zygote(packet: bytes, descriptors: list[int]) -> None:
    """Be a sandbox's zygote: {"environment"}, with a control socket, and stderr."""
    from crawler.sandbox.examine import load  # no crew has it

    control, complaints = descriptors
    streams(complaints)
    os.chdir("/")
    os.environ.clear()
    os.environ.update(json.loads(packet)["environment"])
    sys.exit(zygote_main(load, [str(control), str(os.getppid())]))


def command(packet: bytes, descriptors: list[int]) -> None:
    """Be a command that forks a sandboxed process itself: {"arguments"}, with stdout and stderr."""
    out, log = descriptors
    streams(log, out)
    sys.argv = ["vangnet", *json.loads(packet)["arguments"]]
    entry()


if __name__ == "__main__":
    kind, listening, living, zygotes = sys.argv[1:]
    for name in CREW if kind == "crew" else ZYGOTE:
        import_module(name)
    assert len(list(Path("/proc/self/task").iterdir())) == 1
    gc.collect()
    gc.freeze()
    taken = serve(socket.socket(fileno=int(listening)), int(living))
    if taken is not None and kind == "crew":
        crew(*taken, zygotes)
    elif taken is not None:
        (command if b'"arguments"' in taken[0] else zygote)(*taken)
