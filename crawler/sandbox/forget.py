"""An environment in which processes overwrite the memory that they free; the allocator reads it as they start."""

from __future__ import annotations

import os
import sys
from typing import Final

FORGETFUL: Final = {"MALLOC_PERTURB_": "165", "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}
"""For every process that holds bytes of images. glibc then fills what is freed (mallopt(3), M_PERTURB): without that
they lie about until something else happens to be written there. Its per-thread cache takes chunks of up to 1 KiB back
without filling them, so there is none."""


def relaunch_forgetful() -> None:
    """Start this process anew with that environment, under the same process id, unless it has it. Call it early."""
    if any(os.environ.get(name) != value for name, value in FORGETFUL.items()):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | FORGETFUL)  # noqa: S606
