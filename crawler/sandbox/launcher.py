"""The worker's handle on its zygote: starting it, asking it for children, hearing of their ends."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import crawler
from crawler import errors
from crawler.errors import SandboxUnavailable, VangnetError
from crawler.sandbox import protocol
from crawler.sandbox.buffer import ImageBuffer
from crawler.sandbox.forget import FORGETFUL
from crawler.sandbox.kernels import kernel_cache
from crawler.sandbox.protocol import Frame, FrameKind
from crawler.sandbox.settings import SandboxSettings, to_map

MODULE = "crawler.sandbox.zygote"

START_PATIENCE = 240.0
"""Seconds until a zygote must be warm; the first one of an installation compiles its kernels."""

_END_PATIENCE = 2.0
_ENDINGS_KEPT = 256


class ZygoteHandle:
    """Made by `launch`. One event loop's thread only: the zygote dies with the thread that started it."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket, complaints: int) -> None:
        self._process = process
        self._control = control
        self._complaints = complaints
        self._loop = asyncio.get_running_loop()
        self._warm: asyncio.Future[None] = self._loop.create_future()
        self._endings: dict[int, asyncio.Future[int | None]] = {}
        self._gone = False
        self._loop.add_reader(control.fileno(), self._readable)

    @classmethod
    async def launch(cls, settings: SandboxSettings) -> ZygoteHandle:
        """Start a zygote and wait until it is warm.

        Raises SandboxUnavailable when it cannot be started or warmed, IndexCorrupt and other errors of ours as the
        zygote met them.
        """
        cache = kernel_cache(settings.cache_dir)
        with ExitStack() as held:  # what is closed when something fails
            try:
                complaints = os.memfd_create("complaints", os.MFD_CLOEXEC)
                held.callback(os.close, complaints)
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                held.callback(ours.close)
                with theirs:
                    process = _start(theirs, complaints, cache)
            except OSError as error:
                raise SandboxUnavailable(f"sandbox: no process could be started ({error.strerror})") from error
            held.pop_all()
        ours.setblocking(False)
        handle = cls(process, ours, complaints)
        try:
            await handle._warm_up(settings)
        except BaseException:
            handle.kill()
            await handle.close()
            raise
        return handle

    async def _warm_up(self, settings: SandboxSettings) -> None:
        try:
            self._control.send(protocol.encode(FrameKind.SETTINGS, 0, to_map(settings)))
            await asyncio.wait_for(self._warm, START_PATIENCE)
        except TimeoutError as error:
            raise SandboxUnavailable(f"sandbox: not warm after {START_PATIENCE:.0f} s; is the machine busy?") from error
        except OSError as error:
            raise SandboxUnavailable(f"sandbox: the zygote ended at its start: {self._complaint()}") from error

    def gone(self) -> bool:
        """Whether the zygote has ended. It looks, so that the end of a child is not seen before that of its zygote."""
        if not self._gone:
            try:
                self._gone = self._control.recv(1, socket.MSG_PEEK) == b""
            except BlockingIOError:
                self._gone = False
            except OSError:
                self._gone = True
        return self._gone

    def spawn(self, buffer: ImageBuffer) -> socket.socket:
        """Ask for a child on `buffer`; returns the worker's end of its control socket, non-blocking.

        Raises SandboxUnavailable when the zygote does not take the order.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            order = protocol.encode(FrameKind.SPAWN)
            socket.send_fds(self._control, [order], [theirs.fileno(), buffer.descriptor])
        except OSError as error:
            ours.close()
            self._gone = self._gone or isinstance(error, ConnectionError)  # what it said last may lie unread
            raise SandboxUnavailable("sandbox: the zygote does not answer; restart the worker") from error
        finally:
            theirs.close()
            buffer.handed_over()
        ours.setblocking(False)
        return ours

    async def ending(self, pid: int, patience: float) -> int | None:
        """The wait status of child `pid`, or None when it is not known within `patience` seconds."""
        try:
            return await asyncio.wait_for(asyncio.shield(self._ending(pid)), patience)
        except TimeoutError:
            return None

    def kill(self) -> None:
        """End it and, through it, all its children."""
        self._process.kill()

    async def close(self) -> None:
        """Hang up, which ends zygote and children, and wait for the end."""
        self._lost()
        self._control.close()
        deadline = self._loop.time() + _END_PATIENCE
        while self._process.poll() is None:
            if self._loop.time() > deadline:
                self._process.kill()
            await asyncio.sleep(0.005)
        if self._complaints >= 0:
            os.close(self._complaints)
            self._complaints = -1

    def _ending(self, pid: int) -> asyncio.Future[int | None]:
        ending = self._endings.setdefault(pid, self._loop.create_future())
        if len(self._endings) > _ENDINGS_KEPT:
            self._endings.pop(next(iter(self._endings)))
        return ending

    def _readable(self) -> None:
        try:
            packet = self._control.recv(protocol.MAX_FRAME)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        frame = protocol.decode(packet) if packet else None
        if isinstance(frame, Frame):
            self._take(frame)
        else:
            self._lost()

    def _take(self, frame: Frame) -> None:
        if frame.kind is FrameKind.READY and not self._warm.done():
            self._warm.set_result(None)
        elif frame.kind is FrameKind.FAILED and not self._warm.done():
            self._warm.set_exception(as_error(frame.payload))
        elif frame.kind is FrameKind.ENDED and isinstance(frame.payload, int):
            ending = self._ending(frame.number)
            if not ending.done():
                ending.set_result(frame.payload)

    def _lost(self) -> None:
        self._gone = True
        if self._control.fileno() >= 0:
            self._loop.remove_reader(self._control.fileno())
        if not self._warm.done():
            self._warm.set_exception(ConnectionResetError("zygote"))
        for ending in self._endings.values():
            if not ending.done():
                ending.set_result(None)

    def _complaint(self) -> str:
        """The last line that the zygote wrote to its standard error before it was silenced."""
        lines = os.pread(self._complaints, 65_536, 0).decode(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return said[-1][:300] if said else "it said nothing"


def as_error(payload: object) -> VangnetError:
    """The exception that a FAILED frame names: one of `crawler.errors`, else SandboxUnavailable."""
    name, message = protocol.unpack_failure(payload)
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, VangnetError):
        return kind(message)
    return SandboxUnavailable(message)


def _start(control: socket.socket, complaints: int, cache: Path) -> subprocess.Popen[bytes]:
    # The path of ours, so that the zygote finds the same packages and plug-ins; never the present directory.
    root = Path(crawler.__file__).parent.parent
    inherited = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if Path(path).is_absolute()]
    environment = {
        "PYTHONPATH": os.pathsep.join((str(root), *inherited)),
        "NUMBA_CACHE_DIR": str(cache),
        "LC_ALL": "C.UTF-8",
        "PATH": os.defpath,
        **FORGETFUL,
    }
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        environment[name] = "1"
    if "LD_LIBRARY_PATH" in os.environ:
        environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", MODULE, str(control.fileno()), str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=complaints,
        pass_fds=(control.fileno(),),
        env=environment,  # nothing else of ours: no Redis password, no key
        cwd="/",
        start_new_session=True,
    )
