"""What every benchmark prints, so that scripts can read them all alike.

`.venv/bin/python -m bench.NAME [--quick]` prints one JSON object on stdout:

    {"bench", "rows": [{"what", "ours", "peer", "peer_name", "unit", "ratio", "goal", "met"}], "limited_by", "machine"}

Progress goes to stderr. The exit code is 0 when the measurement was made, whether or not the goals were met.
"""

from __future__ import annotations

import argparse
import inspect
import json
import math
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison.

    ours, peer: measured values in `unit`; peer is None where there is nothing to compare with.
    ratio: how many times better ours is than the peer (or, for a floor, ours / floor): `goal` is about this number,
    or about `ours` when ratio is None.  goal: text such as ">= 10" or "<= 1.3"; None for a row that only informs.
    met: whether the goal was reached; None where there is no goal.
    """

    what: str
    ours: float | None
    unit: str
    peer: float | None = None
    peer_name: str | None = None
    ratio: float | None = None
    goal: str | None = None
    met: bool | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What a benchmark's `run` returns. limited_by: one sentence on what keeps ours from being faster."""

    rows: tuple[Row, ...]
    limited_by: str = ""


def row(
    what: str,
    ours: float | None,
    unit: str,
    *,
    peer: float | None = None,
    peer_name: str | None = None,
    ratio: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Row:
    """A row whose `goal` and `met` follow from `at_least` or `at_most`, applied to `ratio` (to `ours` without one)."""
    subject = ours if ratio is None else ratio
    goal, met = None, None
    if at_least is not None:
        goal, met = f">= {at_least:g}", subject is not None and subject >= at_least
    elif at_most is not None:
        goal, met = f"<= {at_most:g}", subject is not None and subject <= at_most
    return Row(what, rounded(ours), unit, rounded(peer), peer_name, rounded(ratio), goal, met)


def rounded(value: float | None) -> float | None:
    """Four significant digits: more would claim a precision that a shared machine does not give."""
    if value is None or value == 0 or not math.isfinite(value):
        return value
    return round(value, 3 - math.floor(math.log10(abs(value))))


def progress(text: str) -> None:
    """One line on stderr."""
    print(text, file=sys.stderr, flush=True)


def machine() -> dict[str, object]:
    """The machine as far as a reader of the figures needs it: processor, cores, memory (GiB), load, Python."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "load_1min": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "system": platform.system(),
    }


def main(run: Callable[[bool], Result]) -> None:
    """Parse `--quick`, call `run(quick)`, print its result as the JSON object above.

    The benchmark's name is that of the module `run` was written in.
    """
    spec = inspect.getmodule(run)
    name = Path(getattr(spec, "__file__", "bench")).stem
    parser = argparse.ArgumentParser(prog=f"python -m bench.{name}", description=getattr(spec, "__doc__", None))
    parser.add_argument("--quick", action="store_true", help="smaller work, at most 50 seconds")
    quick = bool(parser.parse_args().quick)
    started = time.perf_counter()
    result = run(quick)
    progress(f"{name}: {time.perf_counter() - started:.1f} s")
    report = {
        "bench": name,
        "rows": [asdict(each) for each in result.rows],
        "limited_by": result.limited_by,
        "machine": machine(),
    }
    print(json.dumps(report, indent=2))
