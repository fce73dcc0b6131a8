"""An environment in which processes overwrite the memory that they free; the allocator reads it as they start."""

from __future__ import annotations

from typing import Final

FORGETFUL: Final = {"MALLOC_PERTURB_": "165", "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}
"""For every process that holds bytes of images. glibc then fills what is freed (mallopt(3), M_PERTURB): without that
they lie about until something else happens to be written there. Its per-thread cache takes chunks of up to 1 KiB back
without filling them, so there is none."""
