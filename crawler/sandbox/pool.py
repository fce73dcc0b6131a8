"""The way in: bytes of an image go in, an `Examination` comes out, and nothing else does.

sandbox = await Sandbox.start(settings)
examination = await sandbox.examine(body)
await sandbox.close()
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from dataclasses import replace

from crawler.errors import SandboxUnavailable, VangnetError
from crawler.match.names import state_name
from crawler.records import Digests, Examination
from crawler.sandbox.endings import Counts, cause_of, was_killed
from crawler.sandbox.handle import ChildHandle, Job
from crawler.sandbox.launcher import ZygoteHandle
from crawler.sandbox.protocol import LONGEST_UPDATE, Answer, Update, WholeFile
from crawler.sandbox.settings import SandboxSettings

WARM_PATIENCE = 20.0
"""Seconds in which a forked child must have closed itself in, and in which it must have taken a state of the lists."""

MAX_TRIES = 3
"""Hand-overs of one image whose child or zygote was killed from outside; a child that crashes ends it at once."""

STRIKES, STRIKE_WINDOW = 5, 60.0
"""So many restarts of the zygote within so many seconds are borne; one more is a crash loop."""

_EXIT_PATIENCE = 1.0


class Sandbox:
    """A zygote and its children, kept at strength. Made by `start`; belongs to the event loop that started it.

    Images wait in order of arrival; each child has one at a time. A worker that also fetches does well with one child
    more than it has cores to give.
    """

    def __init__(self, settings: SandboxSettings, update: Update | None = None) -> None:
        self.counts = Counts()
        self._settings = settings
        self._update = update
        self._queue: deque[Job] = deque()
        self._idle: list[ChildHandle] = []
        self._children: set[ChildHandle] = set()
        self._jobs: set[asyncio.Future[Examination]] = set()
        self._zygote: ZygoteHandle | None = None
        self._strikes: deque[float] = deque()
        self._failure: VangnetError | None = None
        self._closed = False
        self._short = asyncio.Event()
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
            sandbox._zygote = await sandbox._launch()
            sandbox._short.set()
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
        return len(self._queue)

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
            if job in self._queue:
                self._queue.remove(job)
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
        waiting, self._queue = self._queue, deque()
        for job in waiting:
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
        for child in list(self._children):
            self._drop(child, kill=True)
        if self._zygote is not None:
            await self._zygote.close()
            self._zygote = None

    # ---------------------------------------------------------------- what the handles report

    def ready(self, child: ChildHandle) -> None:
        self._rest(child)

    def updated(self, child: ChildHandle) -> None:
        self._rest(child)

    def answered(self, child: ChildHandle, job: Job, answer: Answer) -> None:
        self.counts.answered += 1
        self.counts.memory += answer.examination.reason == "memory"
        if answer.spent or child.served >= self._settings.recycle_after:
            self.counts.recycled += 1
            self._drop(child)
        else:
            self._rest(child)
        job.finish(_named(answer.examination, job))
        self._dispatch()

    def overdue(self, child: ChildHandle) -> None:
        job, child.job = child.job, None
        self._drop(child, kill=True)
        if job is not None:
            self._end(job, "deadline")
        else:  # it never became warm, and without a pidfd only its zygote can take it along
            self._abandon(SandboxUnavailable("sandbox: a child did not become ready; is the machine overloaded?"))

    def lost(self, child: ChildHandle, error: VangnetError | None) -> None:
        job, child.job = child.job, None
        was_warm, pid, zygote = child.warm, child.pid, child.zygote
        self._drop(child, kill=True)
        if job is not None and child.misspoke:
            self._end(job, "violation")
        elif job is not None:
            self._keep(self._explain(job, zygote, pid))
        elif error is not None:
            self._give_up(error)
        elif not was_warm or child.updating:
            self._keep(self._mourn(zygote, pid))

    # ---------------------------------------------------------------- images

    def _accept(self, job: Job) -> None:
        if self._failure is not None:
            job.fail(self._failure)
            return
        self._jobs.add(job.answer)
        job.answer.add_done_callback(self._jobs.discard)
        self._queue.append(job)
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
        while self._queue and self._idle:
            child = self._idle.pop()
            job = self._queue.popleft()
            if job.answer.done():  # its caller gave up after another generation had handed it on
                self._idle.append(child)
                continue
            job.against = state_name(self._settings.index_sha256, child.state)
            if not child.begin(job, self._settings.image_deadline):
                self._queue.appendleft(job)

    async def _explain(self, job: Job, zygote: ZygoteHandle, pid: int) -> None:
        """Decide what the death of the child means for the image that it had: killed from outside, it gets another."""
        status = None if zygote.gone() else await zygote.ending(pid, _EXIT_PATIENCE)
        if job.answer.done():
            return
        if (was_killed(status) or zygote.gone()) and job.tries < MAX_TRIES:
            self._queue.appendleft(job)
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
        jobs = [*self._queue, *(child.job for child in self._children if child.job is not None)]
        self._queue.clear()
        for job in jobs:
            job.fail(error)
        for answer in list(self._jobs):
            if not answer.done():
                answer.set_exception(error)

    # ---------------------------------------------------------------- strength

    async def _keep_strength(self) -> None:
        """Replace what died or retired, for as long as the sandbox is open."""
        try:
            while True:
                await self._short.wait()
                self._short.clear()
                if self._zygote is None or self._zygote.gone():
                    await self._restart()
                try:
                    self._fill_up()
                except OSError as error:  # descriptors or memory ran out: perhaps not for long
                    await self._strike(f"the system gives no more ({error.strerror})")
                    self._short.set()
        except VangnetError as error:
            self._give_up(error)

    def _fill_up(self) -> None:
        while self._zygote is not None and len(self._children) < self._settings.processes:
            child = ChildHandle(self._zygote, max(self._settings.max_bytes, LONGEST_UPDATE), self)
            child.await_within(WARM_PATIENCE)
            self._children.add(child)

    async def _restart(self) -> None:
        for child in list(self._children):
            self.lost(child, None)
        if self._zygote is not None:
            await self._zygote.close()
            self._zygote = None
        await self._strike("the zygote ends again and again")
        self._zygote = await self._launch()

    async def _strike(self, why: str) -> None:
        """Wait a little before another try, longer each time. Raises SandboxUnavailable when it happens too often."""
        now = self._loop.time()
        while self._strikes and self._strikes[0] < now - STRIKE_WINDOW:
            self._strikes.popleft()
        if len(self._strikes) >= STRIKES:
            raise SandboxUnavailable(f"sandbox: {why}, {STRIKES} times in {STRIKE_WINDOW:.0f} s; see the system's log")
        self._strikes.append(now)
        await asyncio.sleep(0.05 * (2 ** len(self._strikes) - 2))

    async def _launch(self) -> ZygoteHandle:
        self.counts.zygotes += 1
        return await ZygoteHandle.launch(self._settings)

    def _drop(self, child: ChildHandle, kill: bool = False) -> None:
        if kill:
            child.kill()
        child.close()
        self._children.discard(child)
        if child in self._idle:
            self._idle.remove(child)
        self._short.set()

    def _abandon(self, error: VangnetError) -> None:
        """Children of this zygote do not live: before the first one that is final, later a restart may help."""
        if not self._first.is_set():
            self._give_up(error)
        elif self._zygote is not None:
            self._zygote.kill()

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
