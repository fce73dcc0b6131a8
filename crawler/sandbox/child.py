"""A sandbox child: closes itself in, then answers one order after the other until the worker hangs up.

It runs in a fork of the zygote and never returns into the zygote's code.
"""

from __future__ import annotations

import os
import resource
import socket
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NoReturn

from crawler.errors import VangnetError
from crawler.records import Examination, FoundImage, Rejected
from crawler.sandbox import protocol
from crawler.sandbox.buffer import map_for_reading
from crawler.sandbox.confine import CONTROL, Limits, close_in, die_with_parent
from crawler.sandbox.protocol import CLEAN, Frame, FrameKind
from crawler.sandbox.together import Examines, examine_together

EXIT_MEMORY = 78
"""Exit status of a child that has no memory left even for saying so."""

_EXIT_REFUSED = 79
_LONGEST_ORDER = 128


@dataclass(frozen=True, slots=True)
class Warm:
    """What children start with."""

    examiner: Examines[Any]
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
        spent = frame if isinstance(frame, Rejected) else _obey(frame, image, warm.examiner)
        if isinstance(frame, Rejected) or isinstance(spent, Rejected):
            os._exit(_EXIT_REFUSED)
        spent = spent or _processor_seconds() > warm.limits.cpu_seconds / 2
        os.write(CONTROL, protocol.encode(FrameKind.DONE, frame.number, spent or None))


def _obey(order: Frame, image: memoryview, examiner: Examines[Any]) -> bool | Rejected:
    """Say all that is to be said but that the order is done; True: this process should be replaced.

    Raises MemoryError when one of several images took all there is.
    """
    if order.kind is FrameKind.LOOK_UP:
        file = protocol.unpack_file(order.payload)
        return file if isinstance(file, Rejected) else _say(order.number, 0, examiner.look_up(file))
    if order.kind is not FrameKind.EXAMINE:
        return Rejected("order")
    lengths = protocol.unpack_lengths(order.payload, len(image))
    if isinstance(lengths, Rejected):
        return lengths
    ends = accumulate(lengths)
    bodies = [image[end - length : end] for end, length in zip(ends, lengths, strict=True)]

    def announce(place: int, found: FoundImage) -> None:
        os.write(CONTROL, protocol.encode(FrameKind.FOUND, order.number, protocol.pack_announced(place, found)))

    spent = False
    try:
        for place, examination in examine_together(examiner, bodies, announce):
            if examination.reason == "memory" and len(bodies) > 1:
                raise MemoryError  # what is left may be too little for the others through no fault of theirs
            spent |= _say(order.number, place, examination)
    finally:
        examiner.wipe()
    return spent


def _say(order: int, place: int, examination: Examination) -> bool:
    """Answer for one image; True when it took more memory than there is."""
    if examination != CLEAN:
        os.write(CONTROL, protocol.encode(FrameKind.ANSWER, order, protocol.pack_answer(place, examination)))
    return examination.reason == "memory"


def _update(packed: bytes, examiner: Examines[Any], order: int) -> None:
    try:
        examiner.update(packed)
    except VangnetError as error:
        os.write(CONTROL, protocol.encode(FrameKind.FAILED, order, [type(error).__name__, str(error)]))
        raise
    os.write(CONTROL, protocol.encode(FrameKind.TAKEN, order))


def _processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
