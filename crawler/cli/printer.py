"""Fingerprints of files that somebody names: each computed in a process that has closed itself in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crawler.cli.context import Globals
from crawler.fingerprint import hashers
from crawler.fingerprint.hashers import Hasher
from crawler.fingerprint.options import DEFAULT_FORMATS, FingerprintOptions
from crawler.options import Options
from crawler.records import Rejected
from crawler.sandbox.confine import Limits
from crawler.sandbox.kernels import kernel_cache


@dataclass(frozen=True, slots=True)
class Printer:
    """Made by `make`.

    options: what is computed.  plugins: what others compute.  limits, deadline (seconds): those of the pipeline.
    """

    options: FingerprintOptions
    plugins: tuple[Hasher, ...]
    limits: Limits
    deadline: float

    @classmethod
    def make(cls, given: Globals, *, orientations: Any, full: bool, extras: Sequence[str]) -> Printer:
        """Load or compile everything. Raises SandboxUnavailable, OptionInvalid."""
        options = given.options()
        use_kernels(given, options)
        from crawler.fingerprint import compute

        compute.warm()
        formats = DEFAULT_FORMATS | {name.upper() for name in extras}
        return cls(
            FingerprintOptions(orientations=orientations, full_decode=full, formats=formats),
            hashers.load(),
            Limits(options.sandbox_memory_mib << 20, round(options.image_deadline) + 1),
            options.image_deadline,
        )

    def describe(self, content: bytes) -> dict[str, Any]:
        """As `fingerprint.describe` says; a file that brings the process down is not decoded, for that reason.

        Raises SandboxUnavailable when no process can be closed in.
        """
        from crawler.fingerprint.compute import Undecodable, fingerprint
        from crawler.fingerprint.describe import describe, read_back
        from crawler.fingerprint.exact import digests
        from crawler.sandbox.once import confined

        known = digests(content)

        def work() -> object:
            found = fingerprint(content, self.options, known)
            if isinstance(found, Undecodable):
                return describe(found)
            plugged = {plugin.name: plugin.code(content) for plugin in self.plugins}
            failed = {name: None for name, code in plugged.items() if isinstance(code, Rejected)}
            codes = {name: code for name, code in plugged.items() if isinstance(code, bytes)}
            return describe(found, {**codes, **failed})

        answer = confined(work, self.limits, self.deadline)
        found = answer if isinstance(answer, Rejected) else read_back(answer, known)
        return describe(Undecodable(known, found.reason)) if isinstance(found, Rejected) else found


def use_kernels(given: Globals, options: Options) -> None:
    """Have compiled kernels kept where those of the sandbox are, if that place is there: no home is made for this."""
    home = (given.home or Path("var")) / "kernels"
    if options.kernels or home.is_dir():
        os.environ["NUMBA_CACHE_DIR"] = str(kernel_cache(Path(options.kernels) if options.kernels else home))
