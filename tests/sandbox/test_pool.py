"""The pool with real processes and real confinement; only what a child does with an image is made up (rogue.py)."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import random
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from crawler.errors import IndexCorrupt, SandboxUnavailable
from crawler.records import Digests, Examination
from crawler.sandbox import handle, launcher, pool, strikes
from crawler.sandbox.buffer import ImageBuffer
from crawler.sandbox.generations import Generations
from crawler.sandbox.pool import MAX_TRIES, Sandbox
from crawler.sandbox.protocol import LONGEST_UPDATE, Update
from crawler.sandbox.settings import SandboxSettings
from crawler.sandbox.waiting import MOST_TOGETHER, Job
from tests.sandbox.rogue import FOUND, NoThresholds

MIB = 1 << 20
ROOT = Path(__file__).parent.parent.parent
LoopFactory = Callable[[], asyncio.AbstractEventLoop]
Start = Callable[..., Awaitable[Sandbox]]


@pytest.fixture(autouse=True)
def rogue_examiner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "MODULE", "tests.sandbox.rogue")


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    made: list[Sandbox] = []

    async def make(**changes: object) -> Sandbox:
        values: dict[str, object] = {
            "processes": 2,
            "index": tmp_path / "index",
            "index_sha256": "0" * 64,
            "cache_dir": tmp_path / "cache",
            "thresholds": NoThresholds(),
            "memory_budget": 64 * MIB,
        }
        made.append(await Sandbox.start(SandboxSettings(**values | changes)))
        return made[-1]

    yield make
    for sandbox in made:
        await sandbox.close(0.0)


def at_work(sandbox: Sandbox) -> list[Job]:
    return [job for child in sandbox._crew.children for job in child.jobs.values()]


def seen(reason: str, found: object = None) -> Examination:
    return Examination(False, reason, found=found)


async def pid_of(sandbox: Sandbox) -> int:
    return int((await sandbox.examine(b"pid")).reason or 0)


def zygote_pid(sandbox: Sandbox) -> int:
    assert sandbox._crew._zygote is not None
    return sandbox._crew._zygote._process.pid


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def vanish(pid: int) -> bool:
    await until(lambda: not is_alive(pid))
    return True


async def until(condition: Callable[[], bool], within: float = 5.0) -> None:
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        await asyncio.sleep(0.005)


def about(pid: int, what: str) -> str:
    return Path(f"/proc/{pid}/{what}").read_text()


def descriptors(pid: int) -> list[str]:
    """What the open descriptors of a process point to."""
    links = list(Path(f"/proc/{pid}/fd").iterdir())
    return [str(link.readlink()) for link in links if link.is_symlink()]


# ---------------------------------------------------------------- the plain way


async def test_answers_come_back_with_their_images(start: Start) -> None:
    sandbox = await start()
    answers = await asyncio.gather(*(sandbox.examine(f"echo number {i}".encode()) for i in range(200)))
    assert answers == [seen(f"number {i}") for i in range(200)]
    assert sandbox.counts.answered == 200
    assert sandbox.waiting == 0


async def test_a_match_comes_out_whole(start: Start) -> None:
    sandbox = await start()
    assert await sandbox.examine(b"found") == Examination(True, found=FOUND)


@pytest.mark.parametrize("length", [1, 150_000, MIB, MIB + 1, 3 * MIB])
async def test_bytes_of_any_length_arrive(start: Start, length: int) -> None:
    sandbox = await start(processes=1, max_bytes=4 * MIB)
    for filler in (b"a", b"b"):
        assert await sandbox.examine(b"size " + filler * length) == seen(f"{length} {length}")
    assert await sandbox.examine(b"") == seen("empty")


async def test_any_bytes_like_body_is_taken(start: Start) -> None:
    sandbox = await start()
    for body in (b"echo x", bytearray(b"echo x"), memoryview(b"..echo x")[2:]):
        assert await sandbox.examine(body) == seen("x")


async def test_too_large_is_an_outcome(start: Start) -> None:
    sandbox = await start(max_bytes=100)
    assert await sandbox.examine(b"size " + b"a" * 95) == seen("95 95")
    assert await sandbox.examine(b"size " + b"a" * 96) == seen("too-large")


async def test_waiting_counts_what_no_child_has_yet(start: Start) -> None:
    sandbox = await start(processes=1)
    tasks = [asyncio.ensure_future(sandbox.examine(b"sleep 0.05")) for _ in range(4)]
    await asyncio.sleep(0.01)
    assert sandbox.waiting == 3
    await asyncio.gather(*tasks)
    assert sandbox.waiting == 0


async def test_images_are_served_in_order_of_arrival(start: Start) -> None:
    sandbox = await start(processes=1)
    finished: list[int] = []

    async def one(number: int) -> None:
        await sandbox.examine(b"sleep 0.001")
        finished.append(number)

    await asyncio.gather(*(one(number) for number in range(20)))
    assert finished == list(range(20))


async def test_children_work_at_the_same_time(start: Start) -> None:
    sandbox = await start(processes=2)
    await until(lambda: len(sandbox._idle) == 2)
    pids = await asyncio.gather(*(pid_of(sandbox) for _ in range(2)))
    assert len(set(pids)) == 2


def test_it_runs_under_uvloop(tmp_path: Path) -> None:
    async def go() -> list[Examination]:
        settings = SandboxSettings(2, tmp_path, "0" * 64, tmp_path / "cache", NoThresholds(), image_deadline=0.3)
        sandbox = await Sandbox.start(settings)
        words = (b"echo a", b"die", b"sleep 5", b"echo b")
        answers = await asyncio.gather(*(sandbox.examine(word) for word in words))
        await sandbox.close()
        return answers

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(go()) == [seen("a"), seen("crashed"), seen("deadline"), seen("b")]


# ---------------------------------------------------------------- images that do harm


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"die", "crashed"),
        (b"exit 3", "crashed"),
        (b"exit 78", "memory"),
        (b"hoard 200", "memory"),
        (b"fork", "violation"),
        (b"kill_zygote", "violation"),
        (b"sleep 30", "deadline"),
        (b"open /etc/passwd", "failed(PermissionError)"),
        (b"no_such_word", "failed(AttributeError)"),
        (b"babble x", "violation"),
        (b"babble " + b"\x02\x0d" + b"\x01" + b"\x00" * 7 + b"\x95\x00\xc3\xc0\xc2\xc3", "violation"),
        (b"babble " + b"\x02\x0d" + b"\x01" + b"\x00" * 7 + b"\x95\x01\xc3\xc0\xc2\xc0", "violation"),
        (b"babble " + b"\x02\x09" + b"\x01" + b"\x00" * 7 + b"\xc2", "violation"),
    ],
)
async def test_a_bad_image_is_an_outcome_and_its_child_is_replaced(start: Start, body: bytes, reason: str) -> None:
    sandbox = await start(processes=1, image_deadline=0.3)
    assert await sandbox.examine(body) == seen(reason)
    assert await sandbox.examine(b"echo next") == seen("next")
    assert await sandbox.examine(b"announced " + body) == seen(reason, FOUND)
    assert await sandbox.examine(b"echo next") == seen("next")
    assert sandbox.counts.zygotes == 1


async def test_a_bad_image_costs_its_neighbours_nothing(start: Start) -> None:
    # No word here waits: one that ended by a deadline, however long, would be seen in the answers. Half a second is
    # less than a busy machine may take to find 200 MiB, which would tell of the machine and not of the sandbox.
    sandbox = await start(processes=2, image_deadline=10.0)
    words = [b"echo fine", b"die", b"hoard 200", b"echo fine", b"fork", b"exit 3"] * 5
    answers = await asyncio.gather(*(sandbox.examine(word) for word in words))
    assert [answer.reason for answer in answers] == ["fine", "crashed", "memory", "fine", "violation", "crashed"] * 5


async def test_memory_below_the_budget_is_granted(start: Start) -> None:
    sandbox = await start(processes=1)
    assert await sandbox.examine(b"hoard 40") == seen("40 MiB")


async def test_nothing_of_the_last_image_is_left_in_the_buffer(start: Start) -> None:
    sandbox = await start(processes=1)
    await sandbox.examine(b"size " + b"secret" * 1000)
    (child,) = sandbox._crew.children
    assert bytes(child._buffer._map).count(0) == child._buffer.size


async def test_what_a_child_keeps_of_images_is_wiped_after_every_order(start: Start) -> None:
    sandbox = await start(processes=1)
    words = (b"wipes", b"clean", b"wipes", b"found", b"wipes")
    assert [(await sandbox.examine(word)).reason for word in words] == ["0", None, "2", None, "4"]


async def test_the_deadline_is_kept(start: Start) -> None:
    sandbox = await start(processes=1, image_deadline=0.2)
    begun = time.monotonic()
    assert await sandbox.examine(b"sleep 30") == seen("deadline")
    assert 0.19 < time.monotonic() - begun < 15.0  # far from what the child would take, however busy the machine is
    assert sandbox.counts.deadline == 1


def stand_still() -> None:
    """The worker's event loop does nothing for longer than an image may take."""
    time.sleep(0.5)


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_worker_that_was_busy_itself_does_not_blame_the_image(tmp_path: Path, factory: LoopFactory) -> None:
    async def go() -> Examination:
        settings = SandboxSettings(1, tmp_path, "0" * 64, tmp_path / "cache", NoThresholds(), image_deadline=0.3)
        sandbox = await Sandbox.start(settings)
        task = asyncio.ensure_future(sandbox.examine(b"announced echo in time"))
        await asyncio.sleep(0)
        stand_still()
        answer = await task
        await sandbox.close()
        return answer

    with asyncio.Runner(loop_factory=factory) as runner:
        assert runner.run(go()) == seen("in time")


# ---------------------------------------------------------------- images that share an order


async def together(sandbox: Sandbox, *words: bytes) -> list[str | None]:
    """The answers to images that all wait while the one child is busy with another."""
    first = asyncio.ensure_future(sandbox.examine(b"sleep 0.05"))
    await asyncio.sleep(0)
    answers = await asyncio.gather(*(sandbox.examine(word) for word in words))
    await first
    return [answer.reason for answer in answers]


async def test_images_that_wait_share_an_order(start: Start) -> None:
    sandbox = await start(processes=1)
    words = [b"echo %d" % number for number in range(2 * MOST_TOGETHER)]
    assert await together(sandbox, *words, b"clean", b"clean") == [*map(str, range(2 * MOST_TOGETHER)), None, None]
    (child,) = sandbox._crew.children
    assert (child._order, child.served) == (1 + 3, 1 + len(words) + 2)


@pytest.mark.parametrize(
    ("bad", "reason", "count"),
    [
        (b"die", "crashed", "crashed"),
        (b"exit 78", "memory", "memory"),
        (b"hoard 200", "memory", "memory"),
        (b"fork", "violation", "violation"),
        (b"sleep 30", "deadline", "deadline"),
        (b"babble x", "violation", "violation"),
        (b"announced die", "crashed", "crashed"),
    ],
)
async def test_only_the_bad_one_of_an_order_is_blamed(start: Start, bad: bytes, reason: str, count: str) -> None:
    # Only what sleeps is to run out of time; what takes all the memory there is needs some on a busy machine.
    deadline = 0.4 if reason == "deadline" else 30.0
    for place in range(3):
        sandbox = await start(processes=1, image_deadline=deadline)
        words = [b"echo 0", b"clean", b"found"]
        words.insert(place, bad)
        expected: list[str | None] = ["0", None, None]
        expected.insert(place, reason)
        assert await together(sandbox, *words) == expected
        assert getattr(sandbox.counts, count) == 1
        assert sandbox.counts.answered == 5


async def test_an_order_that_takes_long_is_no_fault_of_its_images(start: Start) -> None:
    sandbox = await start(processes=1, image_deadline=0.5)
    assert await together(sandbox, *[b"sleep 0.2"] * MOST_TOGETHER) == ["slept"] * MOST_TOGETHER
    assert sandbox.counts.deadline == 0


async def test_what_was_answered_of_an_order_that_broke_stands(start: Start) -> None:
    sandbox = await start(processes=1)
    pid = int((await together(sandbox, b"pid", b"die"))[0] or 0)
    assert pid != await pid_of(sandbox)
    assert sandbox.counts.crashed == 1


async def test_a_killed_child_costs_images_of_a_shared_order_no_try(start: Start) -> None:
    sandbox = await start(processes=1)
    first = asyncio.ensure_future(sandbox.examine(b"sleep 0.02"))
    await asyncio.sleep(0)
    tasks = [asyncio.ensure_future(sandbox.examine(b"sleep 0.1")) for _ in range(MOST_TOGETHER)]
    await until(lambda: len(at_work(sandbox)) == MOST_TOGETHER)
    os.kill(next(iter(sandbox._crew.children)).pid, signal.SIGKILL)
    await until(lambda: len(at_work(sandbox)) == 1)
    (alone,) = at_work(sandbox)
    assert (alone.alone, alone.tries) == (True, 1)
    assert await asyncio.gather(first, *tasks) == [seen("slept")] * (1 + MOST_TOGETHER)
    assert sandbox.counts.crashed == 0


async def test_digests_do_not_share_an_order(start: Start) -> None:
    sandbox = await start(processes=1)
    first = asyncio.ensure_future(sandbox.examine(b"sleep 0.05"))
    await asyncio.sleep(0)
    file = sandbox.look_up(Digests(b"m" * 16, b"s" * 20, b"S" * 32), 7)
    answers = await asyncio.gather(sandbox.examine(b"clean"), file, sandbox.examine(b"clean"))
    assert answers == [Examination(True), Examination(True, found=FOUND), Examination(True)]
    await first


# ---------------------------------------------------------------- children that have been taken over


async def test_announcing_without_end_does_not_keep_the_worker_from_the_deadline(start: Start) -> None:
    sandbox = await start(processes=1, image_deadline=0.3)
    begun = time.monotonic()
    assert (await sandbox.examine(b"flood 60")).reason == "deadline"
    assert time.monotonic() - begun < 30
    assert await sandbox.examine(b"echo next") == seen("next")


async def test_a_child_that_reads_no_orders_is_replaced(start: Start) -> None:
    """It says of each order that it is done, until no more orders fit between the two."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    fitting = 0
    with ours, theirs, suppress(BlockingIOError):
        while ours.send(bytes(16)):
            fitting += 1
    sandbox = await start(processes=1)
    words = [b"deaf %d" % (1 + fitting), *[b"echo x"] * (MOST_TOGETHER * fitting + 1)]
    answers = await asyncio.wait_for(asyncio.gather(*(sandbox.examine(word) for word in words)), 5)
    assert answers[-1] == seen("x")


async def test_a_child_that_answers_twice_is_believed_in_nothing(start: Start) -> None:
    sandbox = await start(processes=1)
    assert await sandbox.examine(b"twice 1 0") == seen("violation")
    assert await together(sandbox, b"echo 0", b"echo 1", b"twice 2 1") == ["0", "1", "violation"]


@pytest.mark.parametrize("word", [b"refuse", b"die", b"sleep"])
async def test_a_child_that_has_seen_images_says_nothing_about_a_state(
    start: Start, monkeypatch: pytest.MonkeyPatch, word: bytes
) -> None:
    monkeypatch.setattr(pool, "WARM_PATIENCE", 0.3)
    sandbox = await start(processes=1)
    assert await sandbox.examine(b"rebel " + word) == seen("rebelled")
    sandbox.update(update(1))
    assert await matched_against(sandbox) == ("1", "0" * 64 + "+1")
    assert sandbox.counts.zygotes == 1


async def test_what_matched_in_another_state_is_not_told_of_this_one(start: Start) -> None:
    sandbox = await start(processes=1)
    task = asyncio.ensure_future(sandbox.examine(b"announced sleep 30"))
    await until(lambda: any(job.found for job in at_work(sandbox)))
    sandbox.update(update(1, "forget"))
    for tries in range(1, MAX_TRIES + 1):
        await until(lambda tries=tries: any(job.tries == tries for job in at_work(sandbox)))
        os.kill(next(iter(sandbox._crew.children)).pid, signal.SIGKILL)
        await until(lambda: not any(child.busy for child in sandbox._crew.children))
    assert await asyncio.wait_for(task, 5) == seen("crashed")


# ---------------------------------------------------------------- processes that end


async def test_a_child_killed_in_the_middle_is_replaced(start: Start) -> None:
    sandbox = await start(processes=1)
    pid = await pid_of(sandbox)
    task = asyncio.ensure_future(sandbox.examine(b"announced sleep 0.2"))
    await asyncio.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    assert await asyncio.wait_for(task, 3) == seen("slept")
    assert await pid_of(sandbox) != pid
    assert sandbox.counts.crashed == 0


async def test_an_image_whose_children_are_always_killed_is_given_up(start: Start) -> None:
    sandbox = await start(processes=1)
    task = asyncio.ensure_future(sandbox.examine(b"announced sleep 30"))
    for tries in range(1, MAX_TRIES + 1):
        await until(lambda tries=tries: any(job.tries == tries and job.found for job in at_work(sandbox)))
        os.kill(next(iter(sandbox._crew.children)).pid, signal.SIGKILL)
        await until(lambda: not any(child.busy for child in sandbox._crew.children))
    assert await asyncio.wait_for(task, 5) == seen("crashed", FOUND)


async def test_an_idle_child_that_is_killed_is_replaced(start: Start) -> None:
    sandbox = await start(processes=1)
    pid = await pid_of(sandbox)
    os.kill(pid, signal.SIGKILL)
    answers = await asyncio.gather(*(sandbox.examine(b"echo on") for _ in range(3)))
    assert [answer.reason for answer in answers] == ["on"] * 3
    assert await pid_of(sandbox) != pid


async def test_images_survive_the_death_of_the_zygote(start: Start) -> None:
    sandbox = await start(processes=2)
    tasks = [asyncio.ensure_future(sandbox.examine(b"sleep 0.2")) for _ in range(4)]
    await asyncio.sleep(0.05)
    os.kill(zygote_pid(sandbox), signal.SIGKILL)
    assert await asyncio.gather(*tasks) == [seen("slept")] * 4
    assert sandbox.counts.zygotes == 2
    assert sandbox.counts.crashed == 0


async def test_children_die_with_their_zygote(start: Start) -> None:
    sandbox = await start(processes=1)
    pid = await pid_of(sandbox)
    os.kill(zygote_pid(sandbox), signal.SIGKILL)
    assert await vanish(pid)
    assert await pid_of(sandbox) != pid


async def test_a_zygote_that_ends_again_and_again_is_given_up(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strikes, "STRIKES", 2)
    sandbox = await start(processes=1)
    task = asyncio.ensure_future(sandbox.examine(b"sleep 30"))
    for zygotes in (1, 2, 3):
        await until(lambda zygotes=zygotes: sandbox.counts.zygotes == zygotes and bool(sandbox._crew.children))
        await asyncio.sleep(0.05)
        os.kill(zygote_pid(sandbox), signal.SIGKILL)
    with pytest.raises(SandboxUnavailable, match="again and again, 2 times in 60 s"):
        await asyncio.wait_for(task, 5)
    with pytest.raises(SandboxUnavailable, match="again and again"):
        await sandbox.examine(b"echo x")


async def test_an_image_does_not_take_down_one_zygote_after_the_other(start: Start) -> None:
    sandbox = await start(processes=1)
    task = asyncio.ensure_future(sandbox.examine(b"sleep 30"))
    for zygotes in range(1, MAX_TRIES + 1):
        await until(
            lambda zygotes=zygotes: sandbox.counts.zygotes == zygotes and any(c.busy for c in sandbox._crew.children)
        )
        os.kill(zygote_pid(sandbox), signal.SIGKILL)
    assert await asyncio.wait_for(task, 5) == seen("crashed")
    assert await sandbox.examine(b"echo on") == seen("on")


async def test_random_kills_lose_no_image(start: Start) -> None:
    sandbox = await start(processes=2)
    rng = random.Random(7)
    found = asyncio.gather(*(sandbox.examine(f"match {number}".encode()) for number in range(1500)))
    for _ in range(12):
        await asyncio.sleep(0.03)
        victim = rng.choice([child.pid for child in sandbox._crew.children if child.pid] or [zygote_pid(sandbox)])
        os.kill(victim, signal.SIGKILL)
    answers = await asyncio.wait_for(found, 20)
    sizes = [answer.found.size if answer.found else None for answer in answers]
    assert sizes == list(range(1500))
    assert sandbox.counts.crashed == 0


async def test_a_zygote_that_ends_while_it_is_asked_for_children_is_replaced(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = await start(processes=1)
    made: list[int] = []

    def dying(size: int) -> ImageBuffer:
        made.append(size)
        if len(made) == 1:
            os.kill(zygote_pid(sandbox), signal.SIGKILL)
            os.waitid(os.P_PID, zygote_pid(sandbox), os.WEXITED | os.WNOWAIT)
        return ImageBuffer(size)

    monkeypatch.setattr(handle, "ImageBuffer", dying)
    os.kill(await pid_of(sandbox), signal.SIGKILL)
    assert await asyncio.wait_for(sandbox.examine(b"echo on"), 10) == seen("on")
    assert sandbox.counts.zygotes == 2


async def test_a_zygote_that_cannot_be_replaced_for_want_of_descriptors_is_an_error(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(name: str, flags: int) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    sandbox = await start(processes=1)
    task = asyncio.ensure_future(sandbox.examine(b"sleep 30"))
    await until(lambda: bool(at_work(sandbox)))
    before = len(descriptors(os.getpid()))
    monkeypatch.setattr(os, "memfd_create", short)
    os.kill(zygote_pid(sandbox), signal.SIGKILL)
    with pytest.raises(SandboxUnavailable, match=r"no process could be started \(Too many open files\)"):
        await asyncio.wait_for(task, 5)
    assert len(descriptors(os.getpid())) < before


async def test_everything_ends_with_the_sandbox(start: Start) -> None:
    sandbox = await start(processes=1)
    zygote, child = zygote_pid(sandbox), await pid_of(sandbox)
    await sandbox.close()
    assert await vanish(zygote)
    assert await vanish(child)


async def test_everything_dies_with_a_worker_that_is_killed(tmp_path: Path) -> None:
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.sandbox.doomed", str(tmp_path), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert worker.stdout is not None
    pids = [int(word) for word in (await worker.stdout.readline()).split()]
    assert len(pids) == 3
    assert all(is_alive(pid) for pid in pids)
    worker.kill()
    await worker.wait()
    for pid in pids:
        assert await vanish(pid)


async def test_polite_signals_leave_it_alone(start: Start) -> None:
    sandbox = await start(processes=1)
    zygote, child = zygote_pid(sandbox), await pid_of(sandbox)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(zygote, number)
        os.kill(child, number)
    await asyncio.sleep(0.05)
    assert await pid_of(sandbox) == child
    assert zygote_pid(sandbox) == zygote


# ---------------------------------------------------------------- recycling, cancelling, closing


async def test_children_are_recycled(start: Start) -> None:
    sandbox = await start(processes=1, recycle_after=3)
    pids = [await pid_of(sandbox) for _ in range(7)]
    assert pids[0] == pids[1] == pids[2]
    assert pids[3] == pids[4] == pids[5]
    assert len({pids[0], pids[3], pids[6]}) == 3
    assert sandbox.counts.recycled == 2
    assert await vanish(pids[0])


async def test_a_cancelled_image_does_not_shift_the_answers(start: Start) -> None:
    sandbox = await start(processes=1)
    running = asyncio.ensure_future(sandbox.examine(b"sleep 0.1"))
    queued = asyncio.ensure_future(sandbox.examine(b"echo never"))
    last = asyncio.ensure_future(sandbox.examine(b"echo last"))
    await asyncio.sleep(0.02)
    running.cancel()
    queued.cancel()
    assert await last == seen("last")
    assert running.cancelled()
    assert queued.cancelled()
    assert sandbox.counts.answered == 2
    assert sandbox.waiting == 0


async def test_random_cancelling_never_mixes_answers_up(start: Start) -> None:
    sandbox = await start(processes=2)

    async def one(number: int) -> None:
        try:
            answer = await asyncio.wait_for(sandbox.examine(f"echo {number}".encode()), (number * 7 % 13) / 2000)
        except TimeoutError:
            return
        assert answer == seen(str(number))

    for _ in range(5):
        await asyncio.gather(*(one(number) for number in range(60)))
    assert await sandbox.examine(b"echo end") == seen("end")


async def test_closing_waits_for_what_was_accepted(start: Start) -> None:
    sandbox = await start(processes=1)
    tasks = [asyncio.ensure_future(sandbox.examine(b"sleep 0.05")) for _ in range(3)]
    await asyncio.sleep(0)
    await sandbox.close()
    assert await asyncio.gather(*tasks) == [seen("slept")] * 3
    with pytest.raises(SandboxUnavailable, match="closed"):
        await sandbox.examine(b"echo x")


async def test_closing_without_patience_gives_the_images_back(start: Start) -> None:
    sandbox = await start(processes=1)
    tasks = [asyncio.ensure_future(sandbox.examine(b"sleep 30")) for _ in range(3)]
    await asyncio.sleep(0.02)
    await sandbox.close(0.0)
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer) for answer in answers] == [SandboxUnavailable] * 3


async def test_no_descriptor_or_process_is_left_behind(start: Start) -> None:
    gc.collect()
    before = descriptors(os.getpid())
    sandbox = await start(processes=2, recycle_after=2, image_deadline=0.2)
    for word in (b"echo x", b"die", b"sleep 9", b"pid", b"pid", b"pid", b"hoard 200"):
        await sandbox.examine(word)
    zygote = zygote_pid(sandbox)
    await sandbox.close()
    await sandbox.close()
    assert len(descriptors(os.getpid())) == len(before)
    assert not is_alive(zygote)


# ---------------------------------------------------------------- starting


async def test_a_warm_up_that_fails_says_why(start: Start, tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailable, match="RuntimeError: explode"):
        await start(index=tmp_path / "explode")


async def test_an_error_of_ours_keeps_its_class(start: Start, tmp_path: Path) -> None:
    from crawler.errors import IndexCorrupt

    with pytest.raises(IndexCorrupt, match="damaged"):
        await start(index=tmp_path / "corrupt")


async def test_a_warm_up_that_leaves_threads_is_refused(start: Start, tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailable, match="2 threads"):
        await start(index=tmp_path / "threads")


async def test_a_child_that_cannot_close_itself_in_is_final(start: Start, tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailable, match="no seccomp here"):
        await start(index=tmp_path / "no-seccomp")
    sandbox = await start(index=tmp_path / "no-seccomp", require_seccomp=False)
    assert await sandbox.examine(b"echo on") == seen("on")


async def test_a_child_that_forgot_how_to_decode_is_final(start: Start, tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailable, match="forgot everything"):
        await start(index=tmp_path / "forgetful")


async def test_children_that_end_at_once_are_final(start: Start, tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailable, match="before they are ready"):
        await start(index=tmp_path / "stillborn")


async def test_a_cache_that_others_reach_is_refused(start: Start, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(0o755)
    with pytest.raises(SandboxUnavailable, match="others may reach it"):
        await start()
    cache.chmod(0o700)
    sandbox = await start()
    assert await sandbox.examine(b"echo on") == seen("on")


async def test_a_cache_that_cannot_be_made_is_refused(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SandboxUnavailable, match="give a writable cache directory"):
        await start(cache_dir=tmp_path / "file" / "cache")


async def test_a_zygote_that_does_not_start_is_an_error(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "MODULE", "tests.sandbox.no_such_module")
    with pytest.raises(SandboxUnavailable, match="no_such_module"):
        await start()


async def test_a_zygote_that_is_never_warm_is_an_error(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "START_PATIENCE", 0.3)
    with pytest.raises(SandboxUnavailable, match="not warm"):
        await start(index=tmp_path / "slow")


async def test_a_start_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    before = len(descriptors(os.getpid()))
    settings = SandboxSettings(1, tmp_path / "slow", "0" * 64, tmp_path / "cache", NoThresholds())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(Sandbox.start(settings), 0.3)
    assert len(descriptors(os.getpid())) == before


async def test_the_zygote_inherits_no_secrets(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:password@127.0.0.1/")
    sandbox = await start(processes=1)
    environment = about(zygote_pid(sandbox), "environ")
    assert "NUMBA_NUM_THREADS=1" in environment
    assert "password" not in environment


async def test_a_real_child_is_behind_the_filter(start: Start) -> None:
    sandbox = await start(processes=1)
    status = about(await pid_of(sandbox), "status")
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert (lines["Seccomp"], lines["NoNewPrivs"], int(lines["CapEff"], 16)) == ("2", "1", 0)
    assert lines["Threads"] == "1"


async def test_the_zygote_keeps_nothing_of_its_children(start: Start) -> None:
    sandbox = await start(processes=2)
    await until(lambda: len(sandbox._idle) == 2)
    await sandbox.examine(b"size secret")
    links = descriptors(zygote_pid(sandbox))
    assert sum(link.startswith("socket:") for link in links) == 1
    assert not [link for link in links if "memfd:image" in link]


async def test_digests_are_looked_up_among_images(start: Start) -> None:
    sandbox = await start(processes=1)
    digests = Digests(b"m" * 16, b"1" * 20, b"s" * 32)
    answers = await asyncio.gather(
        sandbox.examine(b"clean"), sandbox.look_up(digests, 7), sandbox.look_up(digests, 8), sandbox.examine(b"clean")
    )
    assert answers == [Examination(True), Examination(True, found=FOUND), Examination(True), Examination(True)]
    await sandbox.close()
    with pytest.raises(SandboxUnavailable):
        await sandbox.look_up(digests, 7)


# ---------------------------------------------------------------- the hash lists change


def update(number: int, what: str = "keep", kept: str = "") -> Update:
    return Update(number, f"{what} {kept or number}".encode())


async def matched_against(sandbox: Sandbox | Generations) -> tuple[str | None, str | None]:
    """What the child that looked at an image took last, and what the pool says that it was matched against."""
    examination = await sandbox.examine(b"state")
    return examination.reason, examination.against


async def test_children_take_over_a_state_before_their_next_image(start: Start) -> None:
    sandbox = await start(processes=2)
    assert await matched_against(sandbox) == ("none", "0" * 64)
    busy = asyncio.ensure_future(sandbox.examine(b"sleep 0.3"))
    await asyncio.sleep(0.1)
    sandbox.update(update(1))
    sandbox.update(update(2))
    said = await asyncio.gather(*(matched_against(sandbox) for _ in range(6)))
    assert {reason for reason, _ in said} == {"2"}
    assert {against for _, against in said} == {"0" * 64 + "+2"}
    await busy
    assert await matched_against(sandbox) == ("2", "0" * 64 + "+2")


async def test_children_that_come_later_are_in_the_same_state(start: Start) -> None:
    sandbox = await start(processes=1, recycle_after=1)
    sandbox.update(update(4))
    before = await pid_of(sandbox)
    assert await matched_against(sandbox) == ("4", "0" * 64 + "+4")
    os.kill(zygote_pid(sandbox), signal.SIGKILL)
    assert await matched_against(sandbox) == ("4", "0" * 64 + "+4")
    assert await pid_of(sandbox) != before


async def test_a_state_that_children_refuse_ends_the_sandbox(start: Start) -> None:
    sandbox = await start()
    sandbox.update(update(1, "refuse"))
    with pytest.raises(SandboxUnavailable, match="will not"):
        await sandbox.examine(b"state")


async def test_children_that_die_of_a_state_do_not_go_on_doing_so(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strikes, "STRIKES", 2)
    sandbox = await start(processes=1)
    sandbox.update(update(1, "die"))
    with pytest.raises(SandboxUnavailable, match="ends again and again, 2 times"):
        await asyncio.wait_for(sandbox.examine(b"state"), 30)


async def test_a_state_that_has_no_room_is_refused(start: Start) -> None:
    sandbox = await start(processes=1)
    with pytest.raises(ValueError, match="longer"):
        sandbox.update(Update(1, bytes(LONGEST_UPDATE + 1)))
    sandbox.update(Update(2, b"keep " + b"x" * 60 + bytes(LONGEST_UPDATE - 65)))
    assert (await matched_against(sandbox))[1] == "0" * 64 + "+2"


async def test_a_new_generation_takes_over_without_losing_or_doubling_an_image(tmp_path: Path) -> None:
    settings = SandboxSettings(2, tmp_path / "index", "a" * 64, tmp_path / "cache", NoThresholds())
    sandbox = await Generations.start(settings, update(1))
    try:
        images = [asyncio.ensure_future(sandbox.examine(f"sleep 0.0{n % 9}".encode())) for n in range(60)]
        waiting = [asyncio.ensure_future(matched_against(sandbox)) for _ in range(20)]
        await sandbox.renew(replace(settings, index_sha256="b" * 64), update(2))
        assert (sandbox.index, sandbox.number) == ("b" * 64, 2)
        assert await matched_against(sandbox) == ("2", "b" * 64 + "+2")
        assert len(await asyncio.wait_for(asyncio.gather(*images), 30)) == 60
        sides = set(await asyncio.gather(*waiting))
        assert sides <= {("1", "a" * 64 + "+1"), ("2", "b" * 64 + "+2")}
        await until(lambda: not sandbox._retiring)
    finally:
        await sandbox.close(0.0)


async def test_closing_right_after_a_new_generation_leaves_nobody_waiting(tmp_path: Path) -> None:
    settings = SandboxSettings(1, tmp_path / "index", "a" * 64, tmp_path / "cache", NoThresholds())
    sandbox = await Generations.start(settings)
    images = [asyncio.ensure_future(sandbox.examine(b"sleep 1")) for _ in range(3)]
    await asyncio.sleep(0)
    await sandbox.renew(replace(settings, index_sha256="b" * 64))
    await sandbox.close(0.0)
    answers = await asyncio.wait_for(asyncio.gather(*images, return_exceptions=True), 5)
    assert {type(answer) for answer in answers} <= {SandboxUnavailable, Examination}


async def test_files_are_looked_up_in_the_state_of_the_lists_too(tmp_path: Path) -> None:
    settings = SandboxSettings(1, tmp_path / "index", "a" * 64, tmp_path / "cache", NoThresholds())
    sandbox = await Generations.start(settings, update(1))
    digests = Digests(b"m" * 16, b"1" * 20, b"s" * 32)
    try:
        assert (await sandbox.look_up(digests, 7)).against == "a" * 64 + "+1"
        sandbox.update(update(2))
        found, clean = await asyncio.gather(sandbox.look_up(digests, 7), sandbox.look_up(digests, 8))
        assert (found.found, found.against, clean.found) == (FOUND, "a" * 64 + "+2", None)
        assert await matched_against(sandbox) == ("2", "a" * 64 + "+2")
    finally:
        await sandbox.close(0.0)


async def test_a_generation_that_does_not_come_about_leaves_the_present_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = SandboxSettings(1, tmp_path / "index", "a" * 64, tmp_path / "cache", NoThresholds())
    sandbox = await Generations.start(settings)
    try:
        with pytest.raises(IndexCorrupt):
            await sandbox.renew(replace(settings, index=tmp_path / "corrupt"))
        assert await matched_against(sandbox) == ("none", "a" * 64)
    finally:
        await sandbox.close(0.0)
