"""The sandbox as it runs: real children that fingerprint and match real files, hostile ones among them."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from crawler.fingerprint.compute import reference_code
from crawler.fingerprint.options import DEFAULT_OPTIONS
from crawler.match.index import IndexRow, build_index, open_index
from crawler.match.matcher import Matcher, Thresholds
from crawler.records import Code, Examination
from crawler.sandbox.examine import Examiner
from crawler.sandbox.pool import Sandbox
from crawler.sandbox.settings import MIB, SandboxSettings
from tests.sandbox.pictures import encoded, every_kind, picture

pytestmark = pytest.mark.asyncio(loop_scope="module")

BUDGET = 512 * MIB


@pytest.fixture(scope="module")
def kinds() -> dict[str, bytes]:
    return every_kind()


@pytest.fixture(scope="module")
def settings(kinds: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> SandboxSettings:
    """Compiled kernels are kept from run to run: making them takes longer than all these tests."""
    kernels = Path(os.environ["VANGNET_KERNELS"])
    near = reference_code(kinds["webp"], "none")
    assert isinstance(near, Code)
    rng = random.Random(5)
    rows = [IndexRow(1, "pdq", near.value), IndexRow(2, "sha256", hashlib.sha256(kinds["html"]).digest())]
    rows += [IndexRow(3 + number, "pdq", rng.randbytes(32)) for number in range(5_000)]
    info = build_index(rows, tmp_path_factory.mktemp("index"))
    return SandboxSettings(2, info.path, info.sha256, kernels, Thresholds(), memory_budget=BUDGET, image_deadline=5.0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox(settings: SandboxSettings) -> AsyncIterator[Sandbox]:
    started = await Sandbox.start(settings)
    yield started
    await started.close(0.0)


@pytest.fixture(scope="module")
def outside(settings: SandboxSettings) -> Examiner:
    return Examiner(Matcher(open_index(settings.index, settings.index_sha256), Thresholds()), DEFAULT_OPTIONS)


def losses(sandbox: Sandbox) -> tuple[int, int, int]:
    """Images that brought their child down."""
    return sandbox.counts.crashed, sandbox.counts.violation, sandbox.counts.deadline


async def test_inside_and_outside_agree_on_every_kind(
    sandbox: Sandbox, outside: Examiner, kinds: dict[str, bytes]
) -> None:
    before = losses(sandbox)
    answers = dict(zip(kinds, await asyncio.gather(*map(sandbox.examine, kinds.values())), strict=True))
    assert answers == {name: outside.examine(memoryview(data)) for name, data in kinds.items()}
    assert answers["webp"].found is not None
    assert answers["webp"].found.matches[0].entry == 1
    assert answers["jpeg"].found is not None
    assert answers["html"].found is not None
    assert not answers["html"].decoded
    assert answers["svg"] == Examination(False, "unsupported(svg)")
    decoded = {name for name, answer in answers.items() if answer.decoded and "cut" not in name}
    assert decoded == {name for name in kinds if name.split()[0] in ("jpeg", "png", "gif", "webp", "bmp")} - {
        name for name in kinds if "cut" in name
    }
    assert losses(sandbox) == before


async def test_damaged_files_never_bring_a_child_down(
    sandbox: Sandbox, outside: Examiner, kinds: dict[str, bytes]
) -> None:
    """Bytes changed, cut out, doubled: what is said inside is what is said outside."""
    rng = random.Random(20)
    small = [encoded(picture(9, 90, 70), kind) for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP")]
    files = []
    for _ in range(300):
        data = bytearray(rng.choice(small))
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(data))
            match rng.randrange(4):
                case 0:
                    data[at] = rng.randrange(256)
                case 1:
                    data[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"])
                case 2:
                    del data[at : at + rng.randint(1, 40)]
                case 3:
                    data[at:at] = data[at : at + rng.randint(1, 40)]
        files.append(bytes(data))
    before = losses(sandbox)
    answers = await asyncio.gather(*map(sandbox.examine, files))
    assert answers == [outside.examine(memoryview(data)) for data in files]
    assert losses(sandbox) == before


async def test_identical_bytes_are_answered_faster(sandbox: Sandbox) -> None:
    loop = asyncio.get_running_loop()
    data = encoded(picture(30, 1200, 900), "PNG")

    async def seconds() -> float:
        begun = loop.time()
        await sandbox.examine(data)
        return loop.time() - begun

    first = await seconds()
    await seconds()  # the other child may have had it
    assert min([await seconds() for _ in range(5)]) < first / 2


async def test_a_missing_index_says_so(settings: SandboxSettings, tmp_path: Path) -> None:
    from dataclasses import replace

    from crawler.errors import IndexCorrupt

    with pytest.raises(IndexCorrupt, match=r"missing\.vgx"):
        await Sandbox.start(replace(settings, index=tmp_path / "missing.vgx", index_sha256="missing"))
