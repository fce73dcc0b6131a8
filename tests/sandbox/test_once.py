"""Work that runs closed in, once. In a process of its own each: a fork wants a process of one thread."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
CASES = {
    "plain": ("{'a': [1, None, 'b', b'c', True]}", "{'a': [1, None, 'b', b'c', True]}"),
    "large": ("b'x' * 3_000_000", None),
    "too large": ("b'x' * 5_000_000", "Rejected(reason='crashed', detail='it said more than an answer')"),
    "open": ("open('/etc/passwd').read()", "Rejected(reason='crashed', detail='')"),
    "fork": ("os.fork()", "Rejected(reason='violation', detail='')"),
    "socket": ("socket.socket()", "Rejected(reason='violation', detail='')"),
    "segfault": ("ctypes.string_at(0)", "Rejected(reason='crashed', detail='')"),
    "hoard": ("bytes(200 << 20)", "Rejected(reason='memory', detail='')"),
    "spin": ("sum(0 for _ in iter(int, 1))", "Rejected(reason='deadline', detail='')"),
    "exit": ("os._exit(0)", "Rejected(reason='crashed', detail='')"),
    "babble": ("os.write(3, b'\\xc1' * 10)", "Rejected(reason='crashed', detail='')"),
    "no seccomp": ("None", "SandboxUnavailable('sandbox: no seccomp here"),
}
PROGRAM = """
import ctypes, os, socket, sys, time
from crawler.sandbox import seccomp
from crawler.sandbox.confine import Limits
from crawler.sandbox.once import confined
if sys.argv[1] == "no seccomp":
    seccomp.unavailable = lambda: "no seccomp here"
try:
    print(repr(confined(lambda: eval(sys.argv[2]), Limits(100 << 20, 5), 1.0)))
except Exception as error:
    print(repr(error))
print(len(os.listdir("/proc/self/fd")))
"""


@pytest.mark.parametrize("case", CASES)
def test_what_comes_of_it(case: str) -> None:
    code, expected = CASES[case]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, case, code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    said, descriptors = done.stdout.splitlines()
    if expected is None:
        assert said == repr(b"x" * 3_000_000)
    else:
        assert said.startswith(expected)
    assert int(descriptors) <= 5
    assert done.stderr == ""
