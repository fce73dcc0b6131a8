"""A zygote whose examiner does what the first word of an "image" says: to see the machinery cope with bad children.

Started like the real one, with the real confinement; only the examiner differs.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from crawler.errors import IndexCorrupt, SandboxUnavailable
from crawler.records import Digests, Examination, FoundImage, RowMatch
from crawler.sandbox import protocol, seccomp
from crawler.sandbox.child import Warm
from crawler.sandbox.confine import CONTROL, Limits
from crawler.sandbox.protocol import FrameKind, WholeFile
from crawler.sandbox.together import Announce
from crawler.sandbox.zygote import main

FOUND = FoundImage(b"s" * 32, b"m" * 16, 7, None, None, None, (RowMatch(5, "sha256"),))


@dataclass(frozen=True)
class NoThresholds:
    """In place of the matcher's, which bring its kernels along."""


class Rogue:
    def __init__(self, index: str) -> None:
        self.forgetful = index == "forgetful"
        self.stillborn = index == "stillborn"
        self.kept = ""
        self.rebellious = b""
        self.forgotten = False
        self.wiped = 0

    def rehearse(self) -> None:
        if self.stillborn:
            os._exit(1)
        if self.forgetful:
            raise SandboxUnavailable("sandbox: forgot everything")

    def update(self, packed: bytes) -> None:
        """Do what the state of the lists says; in the end keep it as what `state` answers."""
        word, _, rest = packed.partition(b" ")
        word = self.rebellious or word
        if word == b"refuse":
            raise SandboxUnavailable("sandbox: will not")
        if word == b"die":
            os._exit(1)
        if word == b"sleep":
            self.sleep(b"9")
        if word == b"forget":
            self.forgotten = True
        self.kept = rest[:60].decode()

    def state(self, rest: bytes) -> Examination:
        return Examination(False, self.kept or "none", found=FOUND)

    def digest(self, bodies: Sequence[memoryview]) -> list[Digests]:
        return [Digests(b"", b"", b"")] * len(bodies)

    def begin(self, data: memoryview, found: Digests, announce: Announce) -> Examination:
        word, _, rest = bytes(data).partition(b" ")
        if word == b"announced":
            if not self.forgotten:
                announce(FOUND)
            return self.begin(memoryview(rest), found, announce)
        return getattr(self, word.decode() or "empty")(rest)

    def screen(self, cases: Sequence[Examination]) -> None:
        raise AssertionError("there is nothing to search for")

    def end(self, case: Examination) -> Examination:
        return case

    def wipe(self) -> None:
        self.wiped += 1

    def look_up(self, file: WholeFile) -> Examination:
        """A file of seven bytes is listed."""
        return Examination(True, found=FOUND if file.size == 7 else None)

    def empty(self, rest: bytes) -> Examination:
        return Examination(False, "empty")

    def wipes(self, rest: bytes) -> Examination:
        return Examination(False, str(self.wiped))

    def clean(self, rest: bytes) -> Examination:
        return Examination(True)

    def echo(self, rest: bytes) -> Examination:
        return Examination(False, rest.decode())

    def size(self, rest: bytes) -> Examination:
        return Examination(False, f"{len(rest)} {rest.count(rest[:1])}")

    def pid(self, rest: bytes) -> Examination:
        return Examination(False, str(os.getpid()))

    def found(self, rest: bytes) -> Examination:
        return Examination(True, found=FOUND)

    def match(self, rest: bytes) -> Examination:
        end = time.monotonic() + 0.0005
        while time.monotonic() < end:
            pass
        return Examination(True, found=replace(FOUND, size=int(rest)))

    def sleep(self, rest: bytes) -> Examination:
        end = time.monotonic() + float(rest)
        while time.monotonic() < end:
            pass
        return Examination(False, "slept")

    def die(self, rest: bytes) -> Examination:
        ctypes.string_at(0)
        raise AssertionError

    def exit(self, rest: bytes) -> Examination:
        os._exit(int(rest))

    def hoard(self, rest: bytes) -> Examination:
        kept = [bytearray(1 << 20) for _ in range(int(rest))]
        return Examination(False, f"{len(kept)} MiB")

    def fork(self, rest: bytes) -> Examination:
        os.fork()
        return Examination(False, "forked")

    def open(self, rest: bytes) -> Examination:
        Path(rest.decode()).read_bytes()
        return Examination(False, "opened")

    def babble(self, rest: bytes) -> Examination:
        os.write(CONTROL, rest)
        return Examination(False, "babbled")

    def flood(self, rest: bytes) -> Examination:
        """Announce for a while, faster than anybody reads."""
        much = replace(FOUND, matches=FOUND.matches * protocol.MAX_MATCHES)
        packet = protocol.encode(FrameKind.FOUND, 1, protocol.pack_announced(0, much))
        end = time.monotonic() + float(rest)
        while time.monotonic() < end:
            os.write(CONTROL, packet)
        return Examination(False, "flooded")

    def deaf(self, rest: bytes) -> Examination:
        """Say of so many orders that they are done, and read none but the first."""
        for number in range(1, int(rest) + 1):
            os.write(CONTROL, protocol.encode(FrameKind.DONE, number))
        return self.sleep(b"9")

    def twice(self, rest: bytes) -> Examination:
        """Answer for the image at a place of an order before anybody else does."""
        order, place = map(int, rest.split())
        os.write(CONTROL, protocol.encode(FrameKind.ANSWER, order, protocol.pack_answer(place, Examination(True))))
        return Examination(False, "twice")

    def rebel(self, rest: bytes) -> Examination:
        """Do from now on with states of the lists what is said here."""
        self.rebellious = rest
        return Examination(False, "rebelled")

    def kill_zygote(self, rest: bytes) -> Examination:
        os.kill(os.getppid(), signal.SIGKILL)
        return Examination(False, "killed")


def no_seccomp() -> str:
    return "no seccomp here"


def load(payload: Any) -> Warm:
    """The name of the index file says what goes wrong."""
    name = Path(payload["index"]).name
    match name:
        case "explode":
            raise RuntimeError("explode")
        case "corrupt":
            raise IndexCorrupt("index: damaged")
        case "threads":
            threading.Thread(target=time.sleep, args=(9,), daemon=True).start()
        case "no-seccomp":
            seccomp.unavailable = no_seccomp
        case "slow":
            time.sleep(9)
    return Warm(Rogue(name), Limits(payload["memory_budget"], 30, payload["require_seccomp"]))


if __name__ == "__main__":
    sys.exit(main(load, sys.argv[1:]))
