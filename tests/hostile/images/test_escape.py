"""Code inside the real sandbox tries to get out, one way after another.

It comes in as a plug-in hasher, which is code that we do not know, and does what the last word of an image file says.
When an attempt succeeds, it gives the code that the index has: then there is a match.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from crawler.match.index import IndexRow, build_index
from crawler.sandbox.pool import Sandbox
from crawler.sandbox.settings import SandboxSettings
from tests.fingerprint.pictures import encoded, scene
from tests.fingerprint.plugged import install
from tests.hostile.images.conftest import running
from tests.hostile.images.test_mutations import RESTART
from tests.hostile.images.watch import Watch
from tests.sandbox.test_confine import FATAL, OTHERWISE, REFUSED

pytestmark = pytest.mark.asyncio(loop_scope="module")

ESCAPED = bytes(range(144))
INTRUDER = """
from tests.sandbox.intruder import ATTEMPTS

threshold = 0


def distance(one, other):
    return int(one != other)


def code(data):
    name = data.rpartition(b"#")[2].decode(errors="replace")
    if name not in ATTEMPTS:
        return None
    ATTEMPTS[name]()
    return bytes(range(144))
"""
PICTURE = encoded(scene(403, 64, 48), "PNG")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox(settings: SandboxSettings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    packages = install(tmp_path_factory.mktemp("packages"), INTRUDER)
    info = build_index([IndexRow(1, "photodna", ESCAPED)], tmp_path_factory.mktemp("index"), ["photodna"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(packages))
        async with running(settings, index=info.path, index_sha256=info.sha256, memory_budget=256 << 20) as started:
            yield started


def attempt(name: str) -> bytes:
    return PICTURE + b"#" + name.encode()


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_refused(sandbox: Sandbox, name: str) -> None:
    answer = await sandbox.examine(attempt(name))
    assert (answer.reason, answer.found) == ("hasher(photodna)", None)


@pytest.mark.parametrize("name", FATAL)
async def test_what_is_fatal(sandbox: Sandbox, name: str) -> None:
    before = sandbox.counts.violation
    async with Watch(sandbox) as watch:
        answer = await sandbox.examine(attempt(name))
    assert (answer.reason, answer.found) == ("violation", None)
    assert sandbox.counts.violation == before + 1
    assert watch.missing < RESTART


@pytest.mark.parametrize("name", OTHERWISE)
async def test_what_is_bounded_and_what_goes_on(sandbox: Sandbox, name: str) -> None:
    answer = await sandbox.examine(attempt(name))
    done = OTHERWISE[name] == "done"
    assert (answer.found is not None) == done
    assert answer.reason == {"MemoryError": "memory"}.get(OTHERWISE[name], None if done else "hasher(photodna)")


async def test_the_others_are_served_all_the_same(sandbox: Sandbox) -> None:
    assert (await sandbox.examine(PICTURE)).decoded
    assert sandbox.counts.zygotes == 1


async def test_the_probe_is_one_that_works_outside(tmp_path: Path) -> None:
    """What the plug-in does, done where nothing stops it."""
    install(tmp_path, INTRUDER)
    program = "import sys; sys.path.insert(0, sys.argv[1]); from toy_hasher import code; print(code(b'#open')[:3])"
    root = Path(__file__).parents[3]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path), cwd=root, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert said == b"b'\\x00\\x01\\x02'\n"
