"""Files that end too early, at every tenth, and files damaged in the middle: what is left is seen, and marked."""

from __future__ import annotations

import asyncio
import random

from crawler.records import Examination
from crawler.sandbox.pool import Sandbox
from crawler.sandbox.settings import SandboxSettings
from tests.hostile.images.conftest import running
from tests.hostile.images.mutations import originals
from tests.hostile.images.test_mutations import expected


def places() -> list[tuple[str, int, int]]:
    """Format, number of the file, tenth of it."""
    return [
        (name, number, tenth)
        for name, files in originals().items()
        for number in range(len(files))
        for tenth in range(10)
    ]


def cut(name: str, number: int, tenth: int) -> bytes:
    data = originals()[name][number]
    return data[: len(data) * tenth // 10]


async def asked(sandbox: Sandbox, files: dict[object, bytes]) -> dict[object, Examination]:
    return dict(zip(files, await asyncio.gather(*map(sandbox.examine, files.values())), strict=True))


async def test_files_cut_off_at_every_tenth(settings: SandboxSettings) -> None:
    async with running(settings) as sandbox:
        whole = await asked(sandbox, {(n, k): data for n, files in originals().items() for k, data in enumerate(files)})
        answers = await asked(sandbox, {place: cut(*place) for place in places()})
        counts = sandbox.counts
    assert (counts.crashed, counts.violation, counts.deadline) == (0, 0, 0)
    for key, answer in whole.items():
        assert answer.decoded and not answer.partial and answer.found is not None, key
    for place, answer in answers.items():
        assert expected(answer), place
        # Nothing that is cut off passes for a whole picture.
        assert answer.partial or answer.reason in ("not-an-image", "truncated", "corrupt"), place
    seen = {name: [place for place in answers if place[0] == name and answers[place].partial] for name in originals()}
    for name in ("JPEG", "PNG", "GIF", "BMP"):
        assert len(seen[name]) > 5 * len(originals()[name]), name
    assert seen["WEBP"] == []  # libwebp decodes whole files only
    late = [place for place in answers if place[2] == 9 and place[0] in ("JPEG", "PNG", "GIF")]
    assert all(answers[place].partial for place in late)
    # A tenth that is missing moves a code by 26 bits on average, so that some are found all the same.
    assert any(answers[place].found is not None for place in late)


async def test_damage_in_the_middle(settings: SandboxSettings) -> None:
    """A stretch of zeroes, of noise, or of the file itself, at every tenth."""
    rng = random.Random(9)
    files = {}
    for name, number, tenth in places():
        data = originals()[name][number]
        at, length = len(data) * tenth // 10, max(4, len(data) // 20)
        for kind, patch in (("zero", bytes(length)), ("noise", rng.randbytes(length)), ("again", data[:length])):
            files[name, number, tenth, kind] = data[:at] + patch + data[at + length :]
    async with running(settings) as sandbox:
        answers = await asked(sandbox, files)
        counts = sandbox.counts
    assert (counts.crashed, counts.violation, counts.deadline) == (0, 0, 0)
    assert all(map(expected, answers.values()))
    for name in originals():
        kept = [answers[place].decoded for place in answers if place[0] == name]
        assert sum(kept) > len(kept) / 4, name
