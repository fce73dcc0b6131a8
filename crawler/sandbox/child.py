"""A sandbox child: closes itself in, then answers one order after the other until the worker hangs up.

It runs in a fork of the zygote and never returns into the zygote's code.
"""

from __future__ import annotations

import os
import resource
import socket
from dataclasses import dataclass
from typing import NoReturn, Protocol

from crawler.errors import VangnetError
from crawler.records import Examination, FoundImage, Rejected
from crawler.sandbox import protocol
from crawler.sandbox.buffer import map_for_reading
from crawler.sandbox.confine import CONTROL, Limits, close_in, die_with_parent
from crawler.sandbox.protocol import Answer, Frame, FrameKind, WholeFile

EXIT_MEMORY = 78
"""Exit status of a child that has no memory left even for saying so."""

_EXIT_REFUSED = 79
_LONGEST_ORDER = 128


class Announce(Protocol):
    """Called as soon as the digests of an image match, before anything is decoded."""

    def __call__(self, found: FoundImage) -> None: ...


class Examines(Protocol):
    """What a child does with an image; `examine.Examiner` is the one."""

    def examine(self, data: memoryview, announce: Announce) -> Examination: ...

    def look_up(self, file: WholeFile) -> Examination:
        """Of a file that nobody looks into."""
        ...

    def update(self, packed: bytes) -> None:
        """Take over another state of the hash lists. Raises VangnetError when it cannot: nothing is examined then."""
        ...

    def rehearse(self) -> None:
        """Raises SandboxUnavailable when what worked in the zygote does not any more."""
        ...


@dataclass(frozen=True, slots=True)
class Warm:
    """What children start with."""

    examiner: Examines
    limits: Limits


def live(zygote: int, control: socket.socket, buffer: int, warm: Warm) -> NoReturn:
    """Everything a child does, from the fork to its exit.

    zygote: process id of the parent, with which it dies.  buffer: descriptor of the image buffer.
    """
    try:
        die_with_parent(zygote)
        image = map_for_reading(buffer)
        introduce(control)
        _get_ready(control.detach(), warm)
        _serve(image, warm)
    except MemoryError:
        os._exit(EXIT_MEMORY)
    except (VangnetError, OSError):  # zygote or worker are gone, or it could not close itself in
        os._exit(_EXIT_REFUSED)
    finally:
        os._exit(1)


def introduce(control: socket.socket) -> None:
    """Tell the worker this process's id, with a pidfd to kill it by: unlike the id it cannot come to mean another."""
    pidfd = os.pidfd_open(os.getpid())
    try:
        socket.send_fds(control, [protocol.encode(FrameKind.HERE, os.getpid())], [pidfd])
    finally:
        os.close(pidfd)


def _get_ready(control: int, warm: Warm) -> None:
    try:
        close_in(control, warm.limits)
        warm.examiner.rehearse()
    except VangnetError as error:
        os.write(CONTROL, protocol.encode(FrameKind.FAILED, 0, [type(error).__name__, str(error)]))
        raise
    os.write(CONTROL, protocol.encode(FrameKind.READY))


def _serve(image: memoryview, warm: Warm) -> None:
    while True:
        packet = os.read(CONTROL, _LONGEST_ORDER)
        if not packet:
            os._exit(0)
        frame = protocol.decode(packet)
        if isinstance(frame, Frame) and frame.kind is FrameKind.UPDATE and isinstance(frame.payload, int):
            _update(bytes(image[: frame.payload]), warm.examiner, frame.number)
            continue
        examination = frame if isinstance(frame, Rejected) else _obey(frame, image, warm.examiner)
        if isinstance(frame, Rejected) or isinstance(examination, Rejected):
            os._exit(_EXIT_REFUSED)
        spent = examination.reason == "memory" or _processor_seconds() > warm.limits.cpu_seconds / 2
        answer = protocol.pack_answer(Answer(examination, spent))
        os.write(CONTROL, protocol.encode(FrameKind.DONE, frame.number, answer))


def _obey(order: Frame, image: memoryview, examiner: Examines) -> Examination | Rejected:
    if order.kind is FrameKind.EXAMINE and isinstance(order.payload, int):
        return _examine(image[: order.payload], examiner, order.number)
    file = protocol.unpack_file(order.payload) if order.kind is FrameKind.LOOK_UP else Rejected("order")
    return file if isinstance(file, Rejected) else examiner.look_up(file)


def _update(packed: bytes, examiner: Examines, order: int) -> None:
    try:
        examiner.update(packed)
    except VangnetError as error:
        os.write(CONTROL, protocol.encode(FrameKind.FAILED, order, [type(error).__name__, str(error)]))
        raise
    os.write(CONTROL, protocol.encode(FrameKind.TAKEN, order))


def _examine(data: memoryview, examiner: Examines, order: int) -> Examination:
    announced: list[FoundImage] = []

    def announce(found: FoundImage) -> None:
        announced.append(found)
        os.write(CONTROL, protocol.encode(FrameKind.FOUND, order, protocol.pack_found(found)))

    try:
        return examiner.examine(data, announce)
    except MemoryError:
        return Examination(False, "memory", found=announced[-1] if announced else None)
    except Exception as error:  # noqa: BLE001 - a decoder may raise anything on hostile bytes; all of it is an outcome
        return Examination(False, f"failed({type(error).__name__})", found=announced[-1] if announced else None)


def _processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
