"""A process that holds images overwrites what it frees, however it was started."""

from __future__ import annotations

import os
import subprocess
import sys

from crawler.sandbox.forget import FORGETFUL

PROGRAM = """
import os
from crawler.sandbox.forget import FORGETFUL, relaunch_forgetful
began = os.environ.setdefault("BEGAN", str(os.getpid()))
relaunch_forgetful()
print(int(began) == os.getpid(), all(os.environ.get(name) == value for name, value in FORGETFUL.items()))
"""


def test_a_process_relaunches_itself_once() -> None:
    plain = {name: value for name, value in os.environ.items() if name not in FORGETFUL}
    for environment in (plain, plain | FORGETFUL, plain | {"MALLOC_PERTURB_": "1"}):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=60, check=True
        )
        assert done.stdout == "True True\n"
