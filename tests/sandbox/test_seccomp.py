"""The filter program, run by a small interpreter of the classic BPF subset that it uses, for both architectures."""

from __future__ import annotations

import struct

import pytest

from crawler.sandbox.seccomp import ALLOWED, ARCHITECTURES, FATAL, program, unavailable

KILL, ALLOW, REFUSE = 0x80000000, 0x7FFF0000, 0x00050001
CONTROL = 3


def verdict(code: bytes, audit: int, number: int, arguments: tuple[int, ...] = ()) -> int:
    """What the kernel would decide: the return value of the filter for this struct seccomp_data."""
    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    data = struct.pack("=iIQ6Q", number if number < 2**31 else number - 2**32, audit, 0, *padded)
    instructions = [struct.unpack_from("=HBBI", code, 8 * i) for i in range(len(code) // 8)]
    accumulator = position = 0
    while True:
        operation, if_true, if_false, value = instructions[position]
        position += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, value)
        elif operation == 0x15:
            position += if_true if accumulator == value else if_false
        elif operation == 0x45:
            position += if_true if accumulator & value else if_false
        else:
            assert operation == 0x06
            return value


@pytest.fixture(params=sorted(ARCHITECTURES))
def machine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def decide(machine: str, name: str, *arguments: int) -> int:
    architecture = ARCHITECTURES[machine]
    return verdict(program(architecture, CONTROL), architecture.audit, architecture.numbers[name], arguments)


def test_each_name_has_a_number_and_each_number_one_name(machine: str) -> None:
    numbers = ARCHITECTURES[machine].numbers
    assert {*ALLOWED, *FATAL, "read", "write", "mmap", "mprotect"} <= numbers.keys()
    assert len(set(numbers.values())) == len(numbers)


@pytest.mark.parametrize("name", ALLOWED)
def test_what_decoding_needs_is_allowed(machine: str, name: str) -> None:
    assert decide(machine, name) == ALLOW


@pytest.mark.parametrize("name", FATAL)
def test_what_only_an_attacker_needs_kills(machine: str, name: str) -> None:
    assert decide(machine, name) == KILL


def test_forks_of_old_kill(machine: str) -> None:
    for name in ("fork", "vfork"):
        assert name not in ARCHITECTURES[machine].numbers or decide(machine, name) == KILL


@pytest.mark.parametrize("name", ["read", "write"])
def test_only_the_control_socket_may_be_read_and_written(machine: str, name: str) -> None:
    assert decide(machine, name, CONTROL) == ALLOW
    for other in (0, 1, 2, 4, 255, 0xFFFFFFFF):
        assert decide(machine, name, other) == REFUSE


def test_memory_is_anonymous_and_never_executable(machine: str) -> None:
    read_write, private, anonymous, executable = 0x3, 0x2, 0x20, 0x4
    assert decide(machine, "mmap", 0, 4096, read_write, private | anonymous) == ALLOW
    assert decide(machine, "mmap", 0, 4096, read_write, private) == REFUSE
    assert decide(machine, "mmap", 0, 4096, executable, private | anonymous) == KILL
    assert decide(machine, "mprotect", 0, 4096, read_write) == ALLOW
    assert decide(machine, "mprotect", 0, 4096, read_write | executable) == KILL


def test_every_other_call_is_refused(machine: str) -> None:
    architecture = ARCHITECTURES[machine]
    code = program(architecture, CONTROL)
    named = set(architecture.numbers.values())
    others = [number for number in range(600) if number not in named]
    assert {verdict(code, architecture.audit, number) for number in others} == {REFUSE}


def test_another_architecture_and_x32_kill() -> None:
    i386 = 0x40000003
    for architecture in ARCHITECTURES.values():
        code = program(architecture, CONTROL)
        assert verdict(code, i386, architecture.numbers["getpid"]) == KILL
    x86_64 = ARCHITECTURES["x86_64"]
    code = program(x86_64, CONTROL)
    assert verdict(code, x86_64.audit, x86_64.numbers["getpid"] | 0x40000000) == KILL
    assert verdict(code, x86_64.audit, 0xFFFFFFFF) == KILL


def test_the_program_is_short_enough_for_the_kernel(machine: str) -> None:
    assert len(program(ARCHITECTURES[machine], CONTROL)) // 8 < 4096


def test_a_machine_without_a_table_is_named() -> None:
    assert unavailable("riscv64") == "no system call table for riscv64"
