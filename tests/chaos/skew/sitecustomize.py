"""Python imports this at its start where it is on PYTHONPATH: worker processes then live in the wrong hour.

The first worker that starts is an hour ahead, the next one an hour behind, and so on; VANGNET_SKEW names the file that
has a line for each: its process, and by how many seconds it is wrong. The system's clock cannot be another one for one
process alone, so every way in which Python asks it for the time of day is turned. The monotonic clock stays: it has no
hour that could be wrong.
"""

import datetime as dates
import fcntl
import os
import sys
import time
from pathlib import Path

HOUR = 3600


def _wrong() -> int:
    with Path(os.environ["VANGNET_SKEW"]).open("a+") as list_:
        fcntl.flock(list_, fcntl.LOCK_EX)
        list_.seek(0)
        seconds = -HOUR if len(list_.readlines()) % 2 else HOUR
        list_.write(f"{os.getpid()} {seconds}\n")
    return seconds


if "worker" in sys.orig_argv:
    _seconds, _time, _time_ns = _wrong(), time.time, time.time_ns
    time.time = lambda: _time() + _seconds
    time.time_ns = lambda: _time_ns() + _seconds * 1_000_000_000

    class _Skewed(dates.datetime):
        @classmethod
        def now(cls, tz: dates.tzinfo | None = None) -> "_Skewed":
            return super().now(tz) + dates.timedelta(seconds=_seconds)

    vars(dates)["datetime"] = _Skewed
