"""The way in: bytes of an image go in, an `Examination` comes out, and nothing else does.

sandbox = await Sandbox.start(settings)
examination = await sandbox.examine(body)
await sandbox.close()
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Iterable
from dataclasses import replace

from crawler.errors import SandboxUnavailable, VangnetError
from crawler.match.names import state_name
from crawler.records import Digests, Examination
from crawler.sandbox.crew import WARM_PATIENCE, Crew
from crawler.sandbox.endings import Counts, cause_of, was_killed
from crawler.sandbox.handle import ChildHandle
from crawler.sandbox.launcher import ZygoteHandle
from crawler.sandbox.protocol import LONGEST_UPDATE, Update, WholeFile
from crawler.sandbox.settings import SandboxSettings
from crawler.sandbox.waiting import Job, Waiting

MAX_TRIES = 3
"""Hand-overs of one image by itself whose child or zygote was killed from outside; a child that crashes ends it at
once."""

_EXIT_PATIENCE = 1.0


class Sandbox:
    """A zygote and its children, kept at strength. Made by `start`; belongs to the event loop that started it.

    Images wait in order of arrival; a child gets a few of those that wait together, as one order. When an order of
    several comes to nothing (a crash, a deadline, a violation), each of its images is given again by itself: only so is
    it known which one it was. A worker that also fetches does well with one child more than it has cores to give.
    """

    def __init__(self, settings: SandboxSettings, update: Update | None = None) -> None:
        self.counts = Counts()
        self._settings = settings
        self._update = update
        self._waiting = Waiting()
        self._idle: list[ChildHandle] = []
        self._jobs: set[asyncio.Future[Examination]] = set()
        self._crew = Crew(settings, self, self.counts)
        self._failure: VangnetError | None = None
        self._closed = False
        self._first = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def start(cls, settings: SandboxSettings, update: Update | None = None) -> Sandbox:
        """Warm up and return when the first child has closed itself in. update: the state of the lists to begin with.

        Raises SandboxUnavailable when that cannot be had, IndexCorrupt when the index file is not the expected one.
        """
        sandbox = cls(settings, update)
        try:
            await sandbox._crew.launch()
            sandbox._keep(sandbox._keep_strength())
            await sandbox._first.wait()
            if sandbox._failure is not None:
                raise sandbox._failure
        except BaseException:
            await sandbox.close(0.0)
            raise
        return sandbox

    @property
    def waiting(self) -> int:
        """Images queued for a child."""
        return len(self._waiting)

    async def examine(self, body: bytes | bytearray | memoryview) -> Examination:
        """Digests, codes and matches of one image; only matches come out.

        A failure of the image is an outcome: reason "deadline", "crashed", "memory", "violation", "too-large" or what
        the decoder says. `body` must not change until this returns; cancelling is free. Raises SandboxUnavailable when
        the sandbox is closed or cannot be kept alive: the image was not looked at and may be given back.
        """
        self._check_open()
        if len(body) > self._settings.max_bytes:
            return Examination(False, "too-large")
        return await self._answer_to(body)

    async def look_up(self, digests: Digests, size: int) -> Examination:
        """Matches of the digests of a file that was hashed as it passed by; size: its bytes. Raises as `examine`."""
        self._check_open()
        return await self._answer_to(WholeFile(digests, size))

    def _check_open(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise SandboxUnavailable("sandbox: closed")

    async def _answer_to(self, body: bytes | bytearray | memoryview | WholeFile) -> Examination:
        job = Job(body, self._loop.create_future())
        self._accept(job)
        try:
            return await job.answer
        except asyncio.CancelledError:
            self._waiting.discard(job)
            raise

    def update(self, update: Update) -> None:
        """Let every child take over a state of the lists before its next image. Raises ValueError for one too long."""
        if len(update.packed) > LONGEST_UPDATE:
            raise ValueError("a state of the lists is longer than the children's buffers")
        self._update = update
        idle, self._idle = self._idle, []
        for child in idle:
            self._rest(child)

    async def retire(self, successor: Sandbox) -> None:
        """Give `successor` what waits here, let end what the children have, then close."""
        self._closed = True
        for job in self._waiting.take_all():
            self._jobs.discard(job.answer)
            successor._accept(job)
        try:
            while self._jobs:
                await asyncio.wait(set(self._jobs))
        finally:
            await self.close(0.0)

    async def close(self, patience: float | None = None) -> None:
        """Take no more images, wait `patience` seconds (None: one deadline) for those accepted, end everything."""
        self._closed = True
        if self._jobs and self._failure is None:
            limit = self._settings.image_deadline if patience is None else patience
            await asyncio.wait(set(self._jobs), timeout=limit)
        self._fail_all(SandboxUnavailable("sandbox: closed"))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._crew.close()

    # ---------------------------------------------------------------- what the handles report

    def ready(self, child: ChildHandle) -> None:
        self._rest(child)

    def updated(self, child: ChildHandle) -> None:
        self._rest(child)

    def answered(self, child: ChildHandle, spent: bool) -> None:
        answers, _ = child.hand_back()
        if spent or child.served >= self._settings.recycle_after:
            self.counts.recycled += 1
            self._drop(child)
        else:
            self._rest(child)
        self._pass_on(answers)

    def overdue(self, child: ChildHandle) -> None:
        was_busy, (answers, jobs) = child.busy, child.hand_back()
        self._drop(child, kill=True)
        self._pass_on(answers)
        if not was_busy and not child.served:  # never warm; without a pidfd only its zygote can take it along
            self._abandon(SandboxUnavailable("sandbox: a child did not become ready; is the machine overloaded?"))
        elif len(jobs) == 1 and not answers:
            self._end(jobs[0], "deadline")
        else:
            self._one_by_one(jobs)

    def lost(self, child: ChildHandle, error: VangnetError | None) -> None:
        answers, jobs = child.hand_back()
        if child.misspoke:
            answers, jobs = [], [*(job for job, _ in answers), *jobs]
        was_warm, pid, zygote = child.warm, child.pid, child.zygote
        self._drop(child, kill=True)
        self._pass_on(answers)
        if len(jobs) + len(answers) > 1:
            self._one_by_one(jobs)
        elif jobs and child.misspoke:
            self._end(jobs[0], "violation")
        elif jobs:
            self._keep(self._explain(jobs[0], zygote, pid))
        elif child.served:
            return  # images may have taken it over: what it says or does about itself counts for nothing
        elif error is not None:
            self._give_up(error)
        elif not was_warm or child.updating:
            self._keep(self._mourn(zygote, pid))

    # ---------------------------------------------------------------- images

    def _accept(self, job: Job) -> None:
        if self._failure is not None or self._closed:
            job.fail(self._failure or SandboxUnavailable("sandbox: closed"))
            return
        self._jobs.add(job.answer)
        job.answer.add_done_callback(self._jobs.discard)
        self._waiting.append(job)
        self._dispatch()

    def _rest(self, child: ChildHandle) -> None:
        """What a child does that has nothing to do: take over the latest state of the lists, or wait for an image."""
        if self._update is not None and child.state != self._update.number:
            child.update(self._update.number, self._update.packed, WARM_PATIENCE)
            return
        self._first.set()
        self._idle.append(child)
        self._dispatch()

    def _dispatch(self) -> None:
        while self._idle and (jobs := self._waiting.next_order(len(self._crew.children))):
            child = self._idle.pop()
            for job in jobs:
                job.against, job.found = state_name(self._settings.index_sha256, child.state), None
            if not child.begin(jobs, self._settings.image_deadline):
                self._waiting.put_back(jobs)
            elif len(jobs) == 1:
                jobs[0].tries += 1

    def _pass_on(self, answers: Iterable[tuple[Job, Examination]]) -> None:
        for job, examination in answers:
            self.counts.answered += 1
            self.counts.memory += examination.reason == "memory"
            job.finish(_named(examination, job))

    def _one_by_one(self, jobs: Collection[Job]) -> None:
        for job in jobs:
            job.alone = True
        self._waiting.put_back(jobs)
        self._dispatch()

    async def _explain(self, job: Job, zygote: ZygoteHandle, pid: int) -> None:
        """Decide what the death of the child means for the image that it had: killed from outside, it gets another."""
        status = None if zygote.gone() else await zygote.ending(pid, _EXIT_PATIENCE)
        if job.answer.done():
            return
        if (was_killed(status) or zygote.gone()) and job.tries < MAX_TRIES:
            self._waiting.put_back([job])
            self._dispatch()
            return
        self._end(job, cause_of(status))

    async def _mourn(self, zygote: ZygoteHandle, pid: int) -> None:
        """A child ended before it was ready, or while it was updated: killed from outside it is just replaced."""
        status = await zygote.ending(pid, _EXIT_PATIENCE)
        if not was_killed(status) and not zygote.gone():
            self._abandon(SandboxUnavailable("sandbox: children end before they are ready; see the system's log"))

    def _end(self, job: Job, reason: str) -> None:
        self.counts.answered += 1
        setattr(self.counts, reason, getattr(self.counts, reason) + 1)
        job.finish(_named(Examination(False, reason, found=job.found), job))

    def _fail_all(self, error: VangnetError) -> None:
        for job in [*self._waiting.take_all(), *(job for child in self._crew.children for job in child.hand_back()[1])]:
            job.fail(error)
        for answer in list(self._jobs):
            if not answer.done():
                answer.set_exception(error)

    # ---------------------------------------------------------------- strength

    async def _keep_strength(self) -> None:
        try:
            await self._crew.keep_strength()
        except VangnetError as error:
            self._give_up(error)

    def _drop(self, child: ChildHandle, *, kill: bool = False) -> None:
        if child in self._idle:
            self._idle.remove(child)
        self._crew.drop(child, kill=kill)

    def _abandon(self, error: VangnetError) -> None:
        """Children of this zygote do not live: before the first one that is final, later a restart may help."""
        if not self._first.is_set():
            self._give_up(error)
        else:
            self._crew.kill_zygote()

    def _give_up(self, error: VangnetError) -> None:
        self._failure = error
        self._first.set()
        self._fail_all(error)

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _named(examination: Examination, job: Job) -> Examination:
    """With what the image was matched against, which a hit has to say."""
    return examination if examination.found is None else replace(examination, against=job.against)
