"""A real sandbox with real children, and an index in which the originals of the hostile files stand: so that what is
left of them is screened, looked at again and computed a second time on a full decode."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from crawler.fingerprint.compute import reference_code, reference_phash
from crawler.match.index import IndexRow, build_index
from crawler.match.matcher import Thresholds
from crawler.records import Code
from crawler.sandbox.pool import Sandbox
from crawler.sandbox.settings import MIB, SandboxSettings
from tests.hostile.images.mutations import originals

BUDGET = 512 * MIB
MOST_RESIDENT = BUDGET + 256 * MIB
"""Bytes. What the zygote had at the fork counts too: about a hundred MiB."""

DEADLINE = 30.0
"""Seconds: the slowest mutated file takes one of a quiet core."""


def rows_of(files: Iterable[bytes]) -> list[IndexRow]:
    rows: list[IndexRow] = []
    for number, data in enumerate(files):
        code, phash = reference_code(data, "none"), reference_phash(data)
        if isinstance(code, Code) and isinstance(phash, bytes):
            rows += [IndexRow(2 * number + 1, "pdq", code.value), IndexRow(2 * number + 2, "phash", phash)]
    return rows


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> SandboxSettings:
    """min_quality 0: small pictures are poor ones, and shall go all the way too."""
    info = build_index(
        rows_of(data for files in originals().values() for data in files), tmp_path_factory.mktemp("index")
    )
    return SandboxSettings(
        processes=2,
        index=info.path,
        index_sha256=info.sha256,
        cache_dir=Path(os.environ["VANGNET_KERNELS"]),
        thresholds=Thresholds(min_quality=0),
        memory_budget=BUDGET,
        image_deadline=DEADLINE,
    )


@asynccontextmanager
async def running(settings: SandboxSettings, **changes: object) -> AsyncIterator[Sandbox]:
    sandbox = await Sandbox.start(replace(settings, **changes))
    try:
        yield sandbox
    finally:
        await sandbox.close(0.0)
