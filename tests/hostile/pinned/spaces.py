"""Two network namespaces and a cable between them: a crawler's, and an internet that owns every address there is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

NAMESERVER = "192.0.2.1"
"""At the far end of the crawler's cable, where the internet begins."""
_INSIDE = (
    "link set lo up",
    "address add 192.0.2.2/30 dev {cable}",
    "address add 2001:db8::2/64 dev {cable} nodad",
    "link set {cable} up",
    "route add default via 192.0.2.1",
    "route add default via 2001:db8::1",
)
_OUTSIDE = (
    "link set lo up",
    "address add 192.0.2.1/30 dev {cable}",
    "address add 2001:db8::1/64 dev {cable} nodad",
    "link set {cable} up",
    # In the main table the cable's own prefixes come before these.
    "route add local 0.0.0.0/0 dev lo table main",
    "route add local ::/0 dev lo table main",
)


@dataclass
class Internet:
    """inside: the crawler's namespace.  seen: what arrived, once `report` was called."""

    inside: str
    _watchers: list[subprocess.Popen[str]]

    def command(self, *words: str) -> list[str]:
        """A command line that runs in the crawler's namespace."""
        return ["ip", "netns", "exec", self.inside, *words]

    def report(self) -> list[dict[str, Any]]:
        """What the internet saw, and what the crawler's loopback did: see `outside.Seen`."""
        found = []
        for watcher in self._watchers:
            out, _ = watcher.communicate(timeout=10)
            found.append(json.loads(out.splitlines()[-1]))
        return found


def objection() -> str | None:
    """Why no namespace can be made here, in words; None when one can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    name = f"vgtry{os.getpid()}"
    try:
        _ip("netns", "add", name)
    except FileNotFoundError:
        return "network namespaces need iproute2"
    except subprocess.CalledProcessError as error:
        return f"no network namespace can be made here: {error.stderr.strip()}"
    _ip("netns", "del", name)
    return None


@contextmanager
def internet(zone: str, site: str) -> Iterator[Internet]:
    """Both namespaces, with a name server and a web server in the outer one. zone, site: JSON for `outside`."""
    inside, outside = f"vgin{os.getpid()}", f"vgout{os.getpid()}"
    with ExitStack() as stack:
        for name in (inside, outside):
            _ip("netns", "add", name)
            stack.callback(_ip, "netns", "del", name)
        _ip("link", "add", inside, "netns", inside, "type", "veth", "peer", "name", outside, "netns", outside)
        for name, commands in ((inside, _INSIDE), (outside, _OUTSIDE)):
            lines = "".join(line.format(cable=name) + "\n" for line in commands)
            _ip("-n", name, "-batch", "-", given=lines)
        watchers = [
            stack.enter_context(_watching(outside, outside, zone, site)),
            stack.enter_context(_watching(inside, "lo")),
        ]
        yield Internet(inside, watchers)


@contextmanager
def _watching(space: str, device: str, *served: str) -> Iterator[subprocess.Popen[str]]:
    program = [sys.executable, "-m", "tests.hostile.pinned.outside", device, *served]
    command = ["ip", "netns", "exec", space, *program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watcher:
        try:
            assert watcher.stdout is not None
            assert watcher.stdout.readline() == "ready\n"
            yield watcher
        finally:
            watcher.kill()


def _ip(*words: str, given: str | None = None) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True, input=given, timeout=10)
