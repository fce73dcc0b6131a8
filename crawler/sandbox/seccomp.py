"""The seccomp filter of a sandbox child: a short list of system calls, everything else refused.

Three answers: a call that decoding, hashing and matching need is allowed; one that only an attacker would make there
(a new process, a socket, another process's memory) kills the process; all others fail with EPERM, so that a library
which asks for something harmless gets an error instead of a corpse.

Memory may be mapped, but neither from a file nor executable, and only the control socket may be read or written.

Sources: Linux `Documentation/userspace-api/seccomp_filter.rst`, `include/uapi/linux/{filter,seccomp,audit}.h`; system
call numbers from `arch/x86/entry/syscalls/syscall_64.tbl` and `include/uapi/asm-generic/unistd.h`.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from crawler.errors import SandboxUnavailable

# Classic BPF, include/uapi/linux/bpf_common.h: load word, jump if equal, jump if any bit set, return.
_LOAD, _JUMP_EQUAL, _JUMP_SET, _RETURN = 0x20, 0x15, 0x45, 0x06

# Offsets in struct seccomp_data; the low half of an argument comes first on little-endian machines.
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16

_KILL, _ALLOW = 0x80000000, 0x7FFF0000
_REFUSE = 0x00050000 | errno.EPERM

_PR_GET_SECCOMP, _PR_SET_SECCOMP, _MODE_FILTER = 21, 22, 2

_PROT_EXEC, _MAP_ANONYMOUS = 0x4, 0x20
_AF_UNIX = 1

# The x32 calls of x86-64 have this bit set in their number and reach the same kernel functions.
_X32_BIT = 0x40000000

# What the interpreter, the allocator and the decoders use after warm-up.
ALLOWED = (
    "brk", "clock_getres", "clock_gettime", "close", "exit", "exit_group", "fstat", "futex", "getcpu", "getpid",
    "getrandom", "getrusage", "gettid", "gettimeofday", "lseek", "madvise", "mremap", "munmap", "restart_syscall",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sched_yield", "sigaltstack",
)  # fmt: skip

# What no decoder ever needs: whoever asks is not a decoder any more.
FATAL = (
    "accept", "add_key", "bind", "bpf", "clone", "clone3", "connect", "execve", "execveat", "finit_module",
    "init_module", "io_uring_enter", "io_uring_register", "io_uring_setup", "kexec_load", "keyctl", "kill", "listen",
    "memfd_create", "mount", "open_by_handle_at", "perf_event_open", "pidfd_getfd", "pidfd_open", "process_vm_readv",
    "process_vm_writev", "ptrace", "request_key", "setns", "socket", "socketpair", "unshare", "userfaultfd",
)  # fmt: skip

# Calls that every architecture numbers alike (since Linux 5.1), then the rest by architecture.
_COMMON = {"clone3": 435, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
           "pidfd_open": 434, "pidfd_getfd": 438}  # fmt: skip

_X86_64 = _COMMON | {
    "read": 0, "write": 1, "close": 3, "fstat": 5, "lseek": 8, "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12,
    "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "sched_yield": 24, "mremap": 25, "madvise": 28,
    "getpid": 39, "socket": 41, "connect": 42, "accept": 43, "bind": 49, "listen": 50, "socketpair": 53, "clone": 56,
    "fork": 57, "vfork": 58, "execve": 59, "exit": 60, "kill": 62, "gettimeofday": 96, "getrusage": 98, "ptrace": 101,
    "sigaltstack": 131, "mount": 165, "init_module": 175, "gettid": 186, "futex": 202, "restart_syscall": 219,
    "clock_gettime": 228, "clock_getres": 229, "exit_group": 231, "kexec_load": 246, "add_key": 248,
    "request_key": 249, "keyctl": 250, "unshare": 272, "perf_event_open": 298, "open_by_handle_at": 304, "setns": 308,
    "getcpu": 309, "process_vm_readv": 310, "process_vm_writev": 311, "finit_module": 313, "getrandom": 318,
    "memfd_create": 319, "bpf": 321, "execveat": 322, "userfaultfd": 323,
}  # fmt: skip

_AARCH64 = _COMMON | {
    "mount": 40, "close": 57, "lseek": 62, "read": 63, "write": 64, "fstat": 80, "exit": 93, "exit_group": 94,
    "unshare": 97, "futex": 98, "kexec_load": 104, "init_module": 105, "clock_gettime": 113, "clock_getres": 114,
    "ptrace": 117, "sched_yield": 124, "restart_syscall": 128, "kill": 129, "sigaltstack": 132, "rt_sigaction": 134,
    "rt_sigprocmask": 135, "rt_sigreturn": 139, "getrusage": 165, "getcpu": 168, "gettimeofday": 169, "getpid": 172,
    "gettid": 178, "socket": 198, "socketpair": 199, "bind": 200, "listen": 201, "accept": 202, "connect": 203,
    "brk": 214, "munmap": 215, "mremap": 216, "add_key": 217, "request_key": 218, "keyctl": 219, "clone": 220,
    "execve": 221, "mmap": 222, "mprotect": 226, "madvise": 233, "perf_event_open": 241, "open_by_handle_at": 265,
    "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271, "finit_module": 273, "getrandom": 278,
    "memfd_create": 279, "bpf": 280, "execveat": 281, "userfaultfd": 282,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Architecture:
    """audit: the AUDIT_ARCH value that the kernel reports.  numbers: system call name -> number."""

    audit: int
    numbers: Mapping[str, int]
    has_x32: bool = False


ARCHITECTURES = {
    "x86_64": Architecture(0xC000003E, _X86_64, has_x32=True),
    "aarch64": Architecture(0xC00000B7, _AARCH64),
}


@dataclass(frozen=True, slots=True)
class _Instruction:
    code: int
    value: int
    if_true: int = 0
    if_false: int = 0

    def pack(self) -> bytes:
        """struct sock_filter: u16 code, u8 jt, u8 jf, u32 k."""
        return struct.pack("=HBBI", self.code, self.if_true, self.if_false, self.value)


def _on_number(number: int, verdict: int) -> list[_Instruction]:
    return [_Instruction(_JUMP_EQUAL, number, if_false=1), _Instruction(_RETURN, verdict)]


def _on_argument(number: int, checks: Iterable[_Instruction]) -> list[_Instruction]:
    """For system call `number`: `checks` end in a verdict whatever happens; for others: skipped."""
    body = list(checks)
    return [_Instruction(_JUMP_EQUAL, number, if_false=len(body)), *body]


def _load_argument(position: int) -> _Instruction:
    return _Instruction(_LOAD, _ARGUMENTS + 8 * position)


def _refuse_exec(anonymous_only: bool) -> list[_Instruction]:
    """mmap and mprotect: argument 2 is the protection; argument 3 of mmap the flags."""
    checks = [_load_argument(2), _Instruction(_JUMP_SET, _PROT_EXEC, if_false=1), _Instruction(_RETURN, _KILL)]
    if anonymous_only:
        checks += [_load_argument(3), _Instruction(_JUMP_SET, _MAP_ANONYMOUS, if_true=1)]
        checks += [_Instruction(_RETURN, _REFUSE)]
    return [*checks, _Instruction(_RETURN, _ALLOW)]


def _only_descriptor(descriptor: int) -> list[_Instruction]:
    """read and write: the kernel looks at the low half of argument 0 only, and so does this."""
    return [
        _load_argument(0),
        _Instruction(_JUMP_EQUAL, descriptor, if_true=1),
        _Instruction(_RETURN, _REFUSE),
        _Instruction(_RETURN, _ALLOW),
    ]


def _number_of(architecture: Architecture) -> list[_Instruction]:
    """Load the number of the system call; calls by another table than ours kill the process."""
    code = [
        _Instruction(_LOAD, _ARCHITECTURE),
        _Instruction(_JUMP_EQUAL, architecture.audit, if_true=1),
        _Instruction(_RETURN, _KILL),
        _Instruction(_LOAD, _NUMBER),
    ]
    if architecture.has_x32:
        code += [_Instruction(_JUMP_SET, _X32_BIT, if_false=1), _Instruction(_RETURN, _KILL)]
    return code


def offline_program(architecture: Architecture) -> bytes:
    """A filter that refuses every socket but those within this machine (AF_UNIX), and what could make one otherwise."""
    local = [
        _load_argument(0),
        _Instruction(_JUMP_EQUAL, _AF_UNIX, if_false=1),
        _Instruction(_RETURN, _ALLOW),
        _Instruction(_RETURN, _REFUSE),
    ]
    code = [*_number_of(architecture), *_on_argument(architecture.numbers["socket"], local)]
    for name in ("io_uring_setup", "io_uring_enter", "io_uring_register", "pidfd_getfd"):
        code += _on_number(architecture.numbers[name], _REFUSE)
    code.append(_Instruction(_RETURN, _ALLOW))
    return b"".join(instruction.pack() for instruction in code)


def program(architecture: Architecture, control: int) -> bytes:
    """The filter as an array of struct sock_filter. `control`: the only descriptor that may be read and written."""
    numbers = architecture.numbers
    code = _number_of(architecture)
    for name in ("read", "write"):
        code += _on_argument(numbers[name], _only_descriptor(control))
    code += _on_argument(numbers["mmap"], _refuse_exec(anonymous_only=True))
    code += _on_argument(numbers["mprotect"], _refuse_exec(anonymous_only=False))
    for name in ALLOWED:
        code += _on_number(numbers[name], _ALLOW)
    for name in (*FATAL, "fork", "vfork"):
        if name in numbers:  # aarch64 has no fork and vfork
            code += _on_number(numbers[name], _KILL)
    code.append(_Instruction(_RETURN, _REFUSE))
    return b"".join(instruction.pack() for instruction in code)


def unavailable(machine: str = platform.machine()) -> str | None:
    """Why no filter can be installed here, or None if one can. Installs nothing."""
    if machine not in ARCHITECTURES:
        return f"no system call table for {machine}"
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_GET_SECCOMP, 0, 0, 0, 0) < 0:
        return "the kernel was built without seccomp"
    return None


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def install(control: int) -> None:
    """Put this thread, and so a single-threaded process, behind the filter for good.

    PR_SET_NO_NEW_PRIVS must be set before. Raises SandboxUnavailable when the kernel refuses.
    """
    _install(lambda architecture: program(architecture, control))


def install_offline() -> None:
    """Take the network from this process and all that it starts, for good. As `install`."""
    _install(offline_program)


def _install(made: Callable[[Architecture], bytes]) -> None:
    reason = unavailable()
    if reason is not None:
        raise SandboxUnavailable(f"sandbox: {reason}; run workers on Linux with seccomp on x86_64 or aarch64")
    code = made(ARCHITECTURES[platform.machine()])
    memory = ctypes.create_string_buffer(code, len(code))
    wanted = _Program(len(code) // 8, ctypes.cast(memory, ctypes.c_void_p))
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(wanted), 0, 0) != 0:
        number = ctypes.get_errno()
        raise SandboxUnavailable(f"sandbox: seccomp filter refused by the kernel ({errno.errorcode.get(number)})")
