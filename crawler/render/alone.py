"""A second filter in the kernel for the browser's processes: they speak to each other, and to no other program.

The first one (`sandbox/seccomp.py`, `install_offline`) leaves sockets of the machine itself, by which Chromium's
processes speak. Those are pairs, which come connected; so nothing is ever to be connected to, and no socket is needed
that takes an address with each message.

Sources: Linux `include/uapi/linux/{filter,seccomp}.h`, unix(7), socket(2).
"""

from __future__ import annotations

import ctypes
import errno
import platform
import socket
import struct
from typing import Final

from crawler.errors import SandboxUnavailable
from crawler.sandbox.seccomp import ARCHITECTURES

# Classic BPF: load a word, keep some bits, jump if equal, return.
_LOAD, _AND, _JUMP_EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
_NUMBER, _SECOND_ARGUMENT = 0, 24  # offsets in struct seccomp_data
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_TYPE_BITS: Final = 0xF  # of a socket's type; flags are above
_LAST: Final = _RETURN, 0, 0, _ALLOW
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2


class _Program(ctypes.Structure):
    """struct sock_fprog"""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def program(connect: int, creating: tuple[int, ...]) -> bytes:
    """The filter, as struct sock_filter. connect: its system call number.  creating: of calls whose second argument is
    a socket's type."""
    code = [(_LOAD, 0, 0, _NUMBER), (_JUMP_EQUAL, 0, 1, connect), (_RETURN, 0, 0, _REFUSE | errno.ECONNREFUSED)]
    for number in creating:
        code += [
            (_JUMP_EQUAL, 0, 6, number),
            (_LOAD, 0, 0, _SECOND_ARGUMENT),
            (_AND, 0, 0, _TYPE_BITS),
            # With a connection no message takes an address.
            (_JUMP_EQUAL, 2, 0, socket.SOCK_STREAM),
            (_JUMP_EQUAL, 1, 0, socket.SOCK_SEQPACKET),
            (_RETURN, 0, 0, _REFUSE | errno.EPERM),
            (_RETURN, 0, 0, _ALLOW),
        ]
    return b"".join(struct.pack("=HBBI", word, true, false, value) for word, true, false, value in (*code, _LAST))


def install() -> None:
    """For this process and all that it starts, for good, on top of `install_offline`, which knows the machine.

    Raises SandboxUnavailable when the kernel refuses.
    """
    numbers = ARCHITECTURES[platform.machine()].numbers
    code = program(numbers["connect"], (numbers["socket"], numbers["socketpair"]))
    memory = ctypes.create_string_buffer(code, len(code))
    wanted = _Program(len(code) // 8, ctypes.cast(memory, ctypes.c_void_p))
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(wanted), 0, 0) != 0:
        name = errno.errorcode.get(ctypes.get_errno())
        raise SandboxUnavailable(
            f"render: seccomp filter refused by the kernel ({name}); run workers on Linux with seccomp"
        )
