"""The worker's handle on one child: hands it images, reads its answers, kills it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Sequence
from typing import Protocol

from crawler.errors import VangnetError
from crawler.records import Examination, Rejected
from crawler.sandbox import protocol
from crawler.sandbox.buffer import ImageBuffer
from crawler.sandbox.launcher import ZygoteHandle, as_error
from crawler.sandbox.protocol import Frame, FrameKind, WholeFile
from crawler.sandbox.waiting import Job

_SHORTEST = 768
"""Bytes of a socket's buffer that even the shortest packet takes."""


class Owner(Protocol):
    """What a handle tells the pool. After `lost` and `overdue` it says nothing more."""

    def ready(self, child: ChildHandle) -> None: ...
    def answered(self, child: ChildHandle, spent: bool) -> None: ...
    def updated(self, child: ChildHandle) -> None: ...
    def overdue(self, child: ChildHandle) -> None: ...
    def lost(self, child: ChildHandle, error: VangnetError | None) -> None: ...


class ChildHandle:
    """One child, from the order to fork it until `close`.

    pid: 0 until it has introduced itself.  warm: whether it has closed itself in.  served: images answered.
    busy: it has an order of images.  jobs: of that order, by place, those that it has not answered.  answers: what it
    has said of the others, which nobody should hear before the buffer is wiped.
    misspoke: it said what no child of ours says.  updating: it has been handed a state of the lists, and has not said
    yet that it took it.  state: number of the state that it took last, or is taking.
    """

    def __init__(self, zygote: ZygoteHandle, buffer_size: int, owner: Owner) -> None:
        """Raises SandboxUnavailable when the zygote does not take the order, OSError when descriptors run out."""
        self.zygote = zygote
        self.pid = 0
        self.warm = False
        self.served = 0
        self.misspoke = False
        self.updating = False
        self.state = 0
        self.jobs: dict[int, Job] = {}
        self.answers: list[tuple[Job, Examination]] = []
        self.busy = False
        self._owner = owner
        self._order = 0
        self._clean = b""  # the packet that ends the present order with nothing more to say, as nearly all do
        self._pidfd = -1
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._buffer = ImageBuffer(buffer_size)
        try:
            self._link = zygote.spawn(self._buffer)
        except BaseException:
            self._buffer.close()
            raise
        self._loop.add_reader(self._link.fileno(), self._readable)

    def begin(self, jobs: Sequence[Job], deadline: float) -> bool:
        """Copy images over and order their examination, or order one look-up; False: the child is gone, `lost` follows.

        deadline: seconds from now, for all of them.
        """
        first = jobs[0].body
        if isinstance(first, WholeFile):
            sent = self._send(FrameKind.LOOK_UP, protocol.pack_file(first))
        else:
            bodies = (job.body for job in jobs if not isinstance(job.body, WholeFile))
            sent = self._send(FrameKind.EXAMINE, self._buffer.put(bodies))
        if not sent:
            return False
        self._clean = protocol.encode(FrameKind.DONE, self._order)
        self.jobs, self.busy = dict(enumerate(jobs)), True
        self.await_within(deadline)
        return True

    def hand_back(self) -> tuple[list[tuple[Job, Examination]], list[Job]]:
        """What it has answered, and what it has not and will not any more."""
        answers, jobs = self.answers, list(self.jobs.values())
        self.answers, self.jobs = [], {}
        return answers, jobs

    def update(self, number: int, packed: bytes, patience: float) -> None:
        """Order an idle child to take over a state of the lists; `updated`, `overdue` or `lost` follows.

        patience: seconds from now.
        """
        if self._send(FrameKind.UPDATE, *self._buffer.put([packed])):
            self.updating, self.state = True, number
            self.await_within(patience)

    def _send(self, kind: FrameKind, payload: object) -> bool:
        self._order += 1
        try:
            self._link.send(protocol.encode(kind, self._order, payload))
        except OSError:  # it is gone, or has left so many orders unread that no more fit
            self._buffer.wipe()
            self.kill()
            return False
        return True

    def await_within(self, seconds: float) -> None:
        """Report `overdue` unless an answer comes in time."""
        self._timer = self._loop.call_later(seconds, self._overdue)

    def kill(self) -> None:
        if self._pidfd >= 0:
            try:
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            except ProcessLookupError:
                return

    def close(self) -> None:
        """Hang up, which ends an idle child, and free what it held here."""
        self._still()
        if self._link.fileno() >= 0:
            self._loop.remove_reader(self._link.fileno())
            self._link.close()
        self._buffer.close()
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1

    def _still(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _overdue(self) -> None:
        """Time is up; but if the worker itself was busy, the answer may lie here unread. What comes later is late."""
        waiting_for = self._stage()
        unread = self._link.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)  # the child's is as large
        while unread > 0 and (length := self._read()) and self._stage() == waiting_for:
            unread -= max(length, _SHORTEST)
        if self._timer is not None and self._stage() == waiting_for:
            self._owner.overdue(self)

    def _stage(self) -> tuple[int, bool, bool, bool]:
        return self._order, self.busy, self.warm, self.updating

    def _readable(self) -> None:
        self._read()

    def _read(self) -> int:
        """Take one packet; its length in bytes, 0 when there is none, or no more to come."""
        try:
            packet = self._receive()
        except BlockingIOError:
            return 0
        except OSError:
            packet = b""
        if not packet:
            self._owner.lost(self, None)
            return 0
        if self.busy and packet == self._clean:
            self._finish(spent=False)
            return len(packet)
        frame = protocol.decode(packet)
        if isinstance(frame, Rejected) or not self._take(frame):
            self.misspoke = True
            self._owner.lost(self, None)
            return 0
        return len(packet)

    def _receive(self) -> bytes:
        """A packet, b"" if the child hung up. Only the introduction may bring a descriptor, the kernel drops others."""
        if self.pid:
            return self._link.recv(protocol.MAX_FRAME)
        packet, descriptors, _, _ = socket.recv_fds(self._link, protocol.MAX_FRAME, 1)
        if descriptors:
            self._pidfd = descriptors[0]
        return packet

    def _take(self, frame: Frame) -> bool:
        """Act on a frame; False when it is none that this child may send now."""
        if self.busy and frame.number == self._order:
            if frame.kind is FrameKind.DONE and (frame.payload is None or frame.payload is True):
                return self._finish(spent=frame.payload is True)
            if frame.kind in (FrameKind.FOUND, FrameKind.ANSWER):
                return self._hear(frame)
        if frame.kind is FrameKind.HERE and not self.pid and self._pidfd >= 0:
            self.pid = frame.number
            return True
        return self._change(frame)

    def _hear(self, frame: Frame) -> bool:
        """What is said of one image."""
        if frame.kind is FrameKind.FOUND:
            announced = protocol.unpack_announced(frame.payload)
            if isinstance(announced, Rejected) or announced[0] not in self.jobs:
                return False
            self.jobs[announced[0]].found = announced[1]
            return True
        answer = protocol.unpack_answer(frame.payload)
        if isinstance(answer, Rejected) or answer[0] not in self.jobs:
            return False
        self.answers.append((self.jobs.pop(answer[0]), answer[1]))
        return True

    def _change(self, frame: Frame) -> bool:
        """Act on a frame about the child itself."""
        if frame.kind is FrameKind.READY and self.pid and not self.warm:
            self.warm = True
            self._still()
            self._owner.ready(self)
            return True
        if frame.kind is FrameKind.TAKEN and self.updating and frame.number == self._order:
            self._still()
            self._buffer.wipe()
            self.updating = False
            self._owner.updated(self)
            return True
        if frame.kind is FrameKind.FAILED and (not self.warm or self.updating):
            self._owner.lost(self, as_error(frame.payload))
            return True
        return False

    def _finish(self, *, spent: bool) -> bool:
        self._still()
        self._buffer.wipe()
        self.busy = False
        self.answers += [(job, protocol.CLEAN) for job in self.jobs.values()]
        self.jobs = {}
        self.served += len(self.answers)
        self._owner.answered(self, spent)
        return True
