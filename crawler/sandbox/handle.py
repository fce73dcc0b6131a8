"""The worker's handle on one child: hands it an image, reads its answers, kills it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from dataclasses import dataclass
from typing import Protocol

from crawler.errors import VangnetError
from crawler.records import Examination, FoundImage, Rejected
from crawler.sandbox import protocol
from crawler.sandbox.buffer import ImageBuffer
from crawler.sandbox.launcher import ZygoteHandle, as_error
from crawler.sandbox.protocol import Answer, Frame, FrameKind, WholeFile


@dataclass(slots=True, eq=False)
class Job:
    """One image on its way, or the digests of a file.

    found: what its digests matched, told before the decoding began.  tries: hand-overs.
    against: the index and the state of the lists that the child knows that has it.
    """

    body: bytes | bytearray | memoryview | WholeFile
    answer: asyncio.Future[Examination]
    found: FoundImage | None = None
    tries: int = 0
    against: str = ""

    def finish(self, examination: Examination) -> None:
        """Without effect when the caller has given up."""
        self.body = b""
        if not self.answer.done():
            self.answer.set_result(examination)

    def fail(self, error: VangnetError) -> None:
        self.body = b""
        if not self.answer.done():
            self.answer.set_exception(error)


class Owner(Protocol):
    """What a handle tells the pool. After `lost` and `overdue` it says nothing more."""

    def ready(self, child: ChildHandle) -> None: ...
    def answered(self, child: ChildHandle, job: Job, answer: Answer) -> None: ...
    def updated(self, child: ChildHandle) -> None: ...
    def overdue(self, child: ChildHandle) -> None: ...
    def lost(self, child: ChildHandle, error: VangnetError | None) -> None: ...


class ChildHandle:
    """One child, from the order to fork it until `close`.

    pid: 0 until it has introduced itself.  warm: whether it has closed itself in.  served: images answered.
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
        self.job: Job | None = None
        self._owner = owner
        self._order = 0
        self._clean = b""  # the packet that ends the present order with nothing found, as nearly all do
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

    def begin(self, job: Job, deadline: float) -> bool:
        """Copy the image over and order its examination, or order a look-up; False: the child is gone (`lost` follows).

        deadline: seconds from now.
        """
        if isinstance(job.body, WholeFile):
            sent = self._send(FrameKind.LOOK_UP, protocol.pack_file(job.body))
        else:
            sent = self._order_for(FrameKind.EXAMINE, job.body)
        if not sent:
            return False
        self._clean = protocol.encode(FrameKind.DONE, self._order)
        job.tries += 1
        self.job = job
        self.await_within(deadline)
        return True

    def update(self, number: int, packed: bytes, patience: float) -> None:
        """Order an idle child to take over a state of the lists; `updated`, `overdue` or `lost` follows.

        patience: seconds from now.
        """
        if self._order_for(FrameKind.UPDATE, packed):
            self.updating, self.state = True, number
            self.await_within(patience)

    def _order_for(self, kind: FrameKind, body: bytes | bytearray | memoryview) -> bool:
        return self._send(kind, self._buffer.put(body))

    def _send(self, kind: FrameKind, payload: object) -> bool:
        self._order += 1
        try:
            self._link.send(protocol.encode(kind, self._order, payload))
        except OSError:
            self._buffer.wipe()
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
        """Time is up; but if the worker itself was busy, the answer may lie here unread."""
        waiting_for = (self.job, self.warm, self.updating)
        while self._read() and (self.job, self.warm, self.updating) == waiting_for:
            pass
        if self._timer is not None and (self.job, self.warm, self.updating) == waiting_for:
            self._owner.overdue(self)

    def _readable(self) -> None:
        self._read()

    def _read(self) -> bool:
        """Take one packet; False when there is none, or no more to come."""
        try:
            packet = self._receive()
        except BlockingIOError:
            return False
        except OSError:
            packet = b""
        if not packet:
            self._owner.lost(self, None)
            return False
        if self.job is not None and packet == self._clean:
            self._finish(self.job, protocol.CLEAN)
            return True
        frame = protocol.decode(packet)
        if isinstance(frame, Rejected) or not self._take(frame):
            self.misspoke = True
            self._owner.lost(self, None)
            return False
        return True

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
        job = self.job
        if frame.kind is FrameKind.DONE and job is not None and frame.number == self._order:
            answer = protocol.unpack_answer(frame.payload)
            return isinstance(answer, Answer) and self._finish(job, answer)
        if frame.kind is FrameKind.FOUND and job is not None and frame.number == self._order:
            found = protocol.unpack_found(frame.payload)
            job.found = found if isinstance(found, FoundImage) else None
            return job.found is not None
        if frame.kind is FrameKind.HERE and not self.pid and self._pidfd >= 0:
            self.pid = frame.number
            return True
        return self._change(frame)

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

    def _finish(self, job: Job, answer: Answer) -> bool:
        self._still()
        self._buffer.wipe()
        self.job = None
        self.served += 1
        self._owner.answered(self, job, answer)
        return True
