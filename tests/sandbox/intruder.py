"""Forks children that close themselves in exactly as those of the sandbox do; each attempts one thing.

`python -m tests.sandbox.intruder confined|free` prints {attempt: outcome} as JSON. An outcome is "done", the errno or
exception that refused it, or "signal N" that the process died of. `free` leaves out the closing in, to show that the
attempts would work. Some go through libc's syscall(2), so that no library is in the way.
"""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import platform
import resource
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from crawler.sandbox.confine import CONTROL, Limits, close_in
from crawler.sandbox.seccomp import ARCHITECTURES

MIB = 1 << 20
LIBC = ctypes.CDLL(None, use_errno=True)
NUMBERS = ARCHITECTURES[platform.machine()].numbers
VICTIM = os.getpid()  # the process that forks: of the same user, alive, and readable without a sandbox
SECRET = ctypes.create_string_buffer(b"what others must not read")
INHERITED = os.dup2(os.open(os.devnull, os.O_WRONLY), 99)
PAGE = mmap.mmap(-1, mmap.PAGESIZE)


class Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def checked(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")


def call(name: str, *arguments: object) -> None:
    wide = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    checked(LIBC.syscall(ctypes.c_long(NUMBERS[name]), *wide))


def other_memory(name: str) -> None:
    copy = ctypes.create_string_buffer(len(SECRET))
    near = Vector(ctypes.addressof(copy), len(SECRET))
    far = Vector(ctypes.addressof(SECRET), len(SECRET))
    call(name, VICTIM, ctypes.byref(near), 1, ctypes.byref(far), 1, 0)


def fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def make_directory() -> None:
    directory = Path(f"/tmp/vangnet-{VICTIM}")
    directory.mkdir()
    directory.rmdir()


def hoard() -> None:
    kept = [bytearray(MIB) for _ in range(512)]
    del kept[:]


ATTEMPTS: dict[str, Callable[[], object]] = {
    # files
    "open": lambda: os.open("/etc/passwd", os.O_RDONLY),
    "open for writing": lambda: os.open(os.devnull, os.O_WRONLY),
    "open with openat2": lambda: checked(LIBC.syscall(437, -100, b"/etc/passwd", (ctypes.c_uint64 * 3)(), 24)),
    "open another's memory": lambda: os.open(f"/proc/{VICTIM}/mem", os.O_RDONLY),
    "import": lambda: __import__("xml.dom.minidom"),
    "stat": lambda: Path("/etc/passwd").stat(),
    "list": lambda: list(Path("/").iterdir()),
    "make a directory": make_directory,
    "change directory": lambda: os.chdir("/"),
    "memfd": lambda: os.memfd_create("x"),
    "pipe": os.pipe,
    "dup": lambda: os.dup(1),
    "write to standard error": lambda: os.write(2, b""),
    "write to what was inherited": lambda: os.write(INHERITED, b"x"),
    "mount": lambda: checked(LIBC.mount(b"none", b"/proc/1", b"none", 0, None)),
    # network
    "socket": lambda: socket.socket(socket.AF_INET),
    "unix socket": lambda: socket.socket(socket.AF_UNIX),
    "netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "socket pair": socket.socketpair,
    "listen": lambda: checked(LIBC.listen(CONTROL, 1)),
    "send a descriptor": lambda: checked(LIBC.sendmsg(CONTROL, None, 0)),
    "io_uring": lambda: call("io_uring_setup", 8, None),
    # processes
    "fork": fork,
    "clone3": lambda: call("clone3", None, 0),
    "thread": lambda: threading.Thread(target=len, args=("",)).start(),
    "exec": lambda: os.execv(sys.executable, [sys.executable, "-c", "raise SystemExit(200)"]),
    "signal another": lambda: os.kill(VICTIM, 0),
    "pidfd": lambda: os.pidfd_open(VICTIM),
    "ptrace": lambda: checked(LIBC.ptrace(0x4206, VICTIM, 0, 0)),
    "read another's memory": lambda: other_memory("process_vm_readv"),
    "write another's memory": lambda: other_memory("process_vm_writev"),
    "bpf": lambda: call("bpf", 0, None, 0),
    # privileges and limits
    "become root": lambda: os.setuid(0),
    "new namespace": lambda: checked(LIBC.unshare(0x10000000)),
    "become dumpable": lambda: checked(LIBC.prctl(4, 1, 0, 0, 0)),
    "raise a limit": lambda: resource.setrlimit(resource.RLIMIT_AS, (-1, -1)),
    "512 MiB": hoard,
    "run data": lambda: checked(
        LIBC.mprotect(ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(PAGE))), mmap.PAGESIZE, 7)
    ),
    "map executable memory": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC),
    # what must go on working
    "compute": lambda: sorted(os.getrandom(1000)),
    "64 MiB": lambda: bytearray(64 * MIB).count(1),
}


def outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    except (MemoryError, RuntimeError, ImportError, ValueError) as error:
        return type(error).__name__
    return "done"


def run(name: str, confined: bool) -> str:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        descriptor = theirs.detach()
        if confined:
            close_in(descriptor, Limits(memory_budget=256 * MIB, cpu_seconds=20))
            descriptor = CONTROL
        os.write(descriptor, outcome(ATTEMPTS[name]).encode())
        os._exit(0)
    theirs.close()
    _, status = os.waitpid(pid, 0)
    with ours:
        said = ours.recv(100).decode()
    return said or (f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"status {os.WEXITSTATUS(status)}")


if __name__ == "__main__":
    json.dump({name: run(name, sys.argv[1] == "confined") for name in ATTEMPTS}, sys.stdout)
