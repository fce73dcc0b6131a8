"""An environment in which processes overwrite the memory that they free; the allocator reads it as they start."""

from __future__ import annotations

from typing import Final

FORGETFUL: Final = {"MALLOC_PERTURB_": "165"}
"""For every process that holds bytes of images. glibc then fills what is freed (mallopt(3), M_PERTURB): without that
they lie about until something else happens to be written there."""
