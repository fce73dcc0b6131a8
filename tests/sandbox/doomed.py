"""A worker that only waits to be killed, in the middle of an image. Prints the ids of its zygote and children.

`python -m tests.sandbox.doomed DIRECTORY`
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from crawler.sandbox import launcher
from crawler.sandbox.pool import Sandbox
from crawler.sandbox.settings import SandboxSettings
from tests.sandbox.rogue import NoThresholds

launcher.MODULE = "tests.sandbox.rogue"


async def main(directory: Path) -> None:
    sandbox = await Sandbox.start(SandboxSettings(2, directory, "0" * 64, directory / "cache", NoThresholds()))
    tasks = [asyncio.ensure_future(sandbox.examine(b"sleep 60")) for _ in range(2)]
    for _ in range(1000):
        if len(sandbox._crew.children) == 2 and all(child.busy for child in sandbox._crew.children):
            break
        await asyncio.sleep(0.01)
    assert sandbox._crew._zygote is not None
    print(sandbox._crew._zygote._process.pid, *(child.pid for child in sandbox._crew.children), flush=True)
    await asyncio.gather(*tasks)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
