"""Thousands of files made wrong on purpose: every one has an outcome, and the sandbox stands.

HOSTILE_FILES=100000 HOSTILE_SEED=1 makes more of them, and others.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator

from crawler.records import Examination
from crawler.sandbox.pool import Sandbox
from crawler.sandbox.settings import SandboxSettings
from tests.hostile.images.conftest import MOST_RESIDENT, running
from tests.hostile.images.mutations import mutated, originals
from tests.hostile.images.watch import Watch

FILES = int(os.environ.get("HOSTILE_FILES", "10000"))
FIRST = int(os.environ.get("HOSTILE_SEED", "0")) * 10_000_000
AT_ONCE = 8

REASONS = {"not-an-image", "bomb", "truncated", "corrupt", "memory"}
RESTART = 5.0
"""Seconds: a new child takes 0.1, on a machine that has other things to do some more."""


def expected(answer: Examination) -> bool:
    """Whether this is an outcome that a damaged file may have."""
    if answer.decoded:
        return answer.reason is None
    return answer.reason in REASONS or str(answer.reason).startswith("unsupported(")


async def outcomes(sandbox: Sandbox) -> dict[str, Counter[str]]:
    """Format -> how often which outcome came of its mutated files."""
    found: dict[str, Counter[str]] = {name: Counter() for name in originals()}
    numbers = iter(range(FIRST, FIRST + FILES))

    async def feed(numbers: Iterator[int]) -> None:
        for number in numbers:
            name, data = mutated(number)
            answer = await sandbox.examine(data)
            assert expected(answer), (number, answer)
            found[name][answer.reason or "decoded"] += 1
            found[name]["found"] += answer.found is not None
            found[name]["partial"] += answer.partial

    await asyncio.gather(*(feed(numbers) for _ in range(AT_ONCE)))
    return found


async def test_every_mutated_file_has_an_outcome_and_the_sandbox_stands(settings: SandboxSettings) -> None:
    async with running(settings) as sandbox, Watch(sandbox) as watch:
        found = await outcomes(sandbox)
        counts = sandbox.counts
    assert counts.answered == FILES
    assert (counts.crashed, counts.violation, counts.deadline, counts.zygotes) == (0, 0, 0, 1)
    assert watch.missing < RESTART
    assert watch.address_space <= 1.0
    assert 0 < watch.resident < MOST_RESIDENT
    # The mutations reach into the decoders, and do not just spoil the first bytes.
    for name, seen in found.items():
        total = sum(seen[reason] for reason in seen if reason not in ("found", "partial"))
        assert seen["decoded"] > total / 5, (name, seen)
        assert seen["corrupt"] + seen["truncated"] > total / 20, (name, seen)
        assert seen["found"] > total / 50, (name, seen)
        if name != "WEBP":  # libwebp decodes nothing of a damaged file
            assert seen["partial"] > total / 200, (name, seen)
