"""What a sandbox needs to know, and how it travels to the zygote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from crawler.errors import SandboxUnavailable
from crawler.fingerprint.options import DEFAULT_OPTIONS, FingerprintOptions
from crawler.sandbox.confine import Limits

if TYPE_CHECKING:  # the worker need not load the kernels for it; only its zygote does
    from crawler.match.thresholds import Thresholds

MIB = 1_048_576


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """processes: children at work at once; one per core, one more where fetching shares the cores.
    index, index_sha256: the index file and its digest (64 hex digits).
    memory_budget: bytes of address space of a child beyond its warm state.
    image_deadline: seconds from the hand-over to the answer.  recycle_after: images; then a child is replaced.
    max_bytes: longest image that is looked at.  cache_dir: 0700, for compiled kernels; made if missing.
    remembered: answers that one child keeps by digest, so that identical bytes cost a digest only.
    require_seccomp: False runs without the system call filter where the kernel has none.
    """

    processes: int
    index: Path
    index_sha256: str
    cache_dir: Path
    thresholds: Thresholds
    options: FingerprintOptions = DEFAULT_OPTIONS
    memory_budget: int = 512 * MIB
    image_deadline: float = 10.0
    recycle_after: int = 2_000
    max_bytes: int = 32 * MIB
    remembered: int = 4_096
    require_seccomp: bool = True


def to_map(settings: SandboxSettings) -> dict[str, object]:
    """As msgpack can carry it; `from_map` reads it back."""
    return asdict(settings) | {
        "index": str(settings.index.absolute()),
        "cache_dir": str(settings.cache_dir.absolute()),
        "options": asdict(settings.options) | {"formats": sorted(settings.options.formats)},
    }


def limits_of(settings: SandboxSettings) -> Limits:
    """Processor time for `recycle_after` images of a fifth of a second and a few that take all they may."""
    seconds = round(4 * settings.image_deadline + 0.2 * settings.recycle_after) + 1
    return Limits(settings.memory_budget, seconds, settings.require_seccomp)


def from_map(payload: object) -> SandboxSettings:
    """Raises SandboxUnavailable when the map is not one of this version."""
    from crawler.match.thresholds import Thresholds

    try:
        values = dict(cast(Mapping[str, Any], payload))
        values["index"], values["cache_dir"] = Path(values["index"]), Path(values["cache_dir"])
        values["thresholds"] = Thresholds(**values["thresholds"])
        options = dict(values["options"])
        values["options"] = FingerprintOptions(**options | {"formats": frozenset(options["formats"])})
        return SandboxSettings(**values)
    except (TypeError, ValueError, KeyError) as error:
        raise SandboxUnavailable("sandbox: worker and zygote are of different versions; restart the worker") from error
