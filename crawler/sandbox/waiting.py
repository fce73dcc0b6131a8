"""What waits for a child, in order of arrival, and which of it goes to one child together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from crawler.errors import VangnetError
from crawler.records import Examination, FoundImage
from crawler.sandbox.protocol import WholeFile

MOST_TOGETHER = 12
"""Images in one order: their codes are searched in one batch, and they share one way there and back."""

TOGETHER_BYTES = 1_048_576
"""Bytes of the images of one order, unless it is one alone; the first of a buffer, which are wiped without giving
their pages back."""


@dataclass(slots=True, eq=False)
class Job:
    """One image on its way, or the digests of a file.

    found: what its digests matched, told before the decoding began by the child that has it.
    tries: hand-overs by itself.
    alone: an order that it shared broke, so that it goes by itself from now on.
    against: the index and the state of the lists that the child knows that has it.
    """

    body: bytes | bytearray | memoryview | WholeFile
    answer: asyncio.Future[Examination]
    found: FoundImage | None = None
    tries: int = 0
    alone: bool = False
    against: str = ""

    @property
    def size(self) -> int:
        """Bytes in the image buffer."""
        return 0 if isinstance(self.body, WholeFile) else len(self.body)

    @property
    def single(self) -> bool:
        """Whether it shares an order with no other."""
        return self.alone or isinstance(self.body, WholeFile)

    def finish(self, examination: Examination) -> None:
        """Without effect when the caller has given up."""
        self.body = b""
        if not self.answer.done():
            self.answer.set_result(examination)

    def fail(self, error: VangnetError) -> None:
        self.body = b""
        if not self.answer.done():
            self.answer.set_exception(error)


class Waiting:
    """The queue in front of the children of one sandbox."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()

    def __len__(self) -> int:
        return len(self._jobs)

    def append(self, job: Job) -> None:
        self._jobs.append(job)

    def put_back(self, jobs: Iterable[Job]) -> None:
        """To the front, in their order."""
        self._jobs.extendleft(reversed(list(jobs)))

    def discard(self, job: Job) -> None:
        """Its caller gave up; without effect when it does not wait here."""
        if job in self._jobs:
            self._jobs.remove(job)

    def take_all(self) -> list[Job]:
        jobs = list(self._jobs)
        self._jobs.clear()
        return jobs

    def next_order(self, children: int) -> list[Job]:
        """The next jobs for one child of so many, out of the queue: a fair share of what waits, in order of arrival.

        Empty when nothing waits. Jobs whose callers have given up are left out.
        """
        share = min(MOST_TOGETHER, -(-len(self._jobs) // max(1, children)))
        jobs: list[Job] = []
        room = TOGETHER_BYTES
        while self._jobs and len(jobs) < max(1, share):
            job = self._jobs[0]
            if not job.answer.done():
                if jobs and (job.single or jobs[0].single or job.size > room):
                    break
                jobs.append(job)
                room -= job.size
            self._jobs.popleft()
        return jobs
