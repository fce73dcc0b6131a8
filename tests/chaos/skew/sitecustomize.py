"""Python imports this at its start where it is on PYTHONPATH: worker processes then live in the wrong hour.

The first worker that starts is an hour ahead, the next one an hour behind, and so on; VANGNET_SKEW names the file that
counts them. The system's clock cannot be another one for one process alone, so every way in which Python asks it for
the time of day is turned. The monotonic clock stays: it has no hour that could be wrong.
"""

import datetime as dates
import os
import sys
import time
from pathlib import Path

HOUR = 3600


def _wrong() -> int:
    with Path(os.environ["VANGNET_SKEW"]).open("ab") as count:
        count.write(b"x")
        return HOUR if count.tell() % 2 else -HOUR


if "worker" in sys.orig_argv:
    _seconds, _time, _time_ns = _wrong(), time.time, time.time_ns
    time.time = lambda: _time() + _seconds
    time.time_ns = lambda: _time_ns() + _seconds * 1_000_000_000

    class _Skewed(dates.datetime):
        @classmethod
        def now(cls, tz: dates.tzinfo | None = None) -> "_Skewed":
            return super().now(tz) + dates.timedelta(seconds=_seconds)

    vars(dates)["datetime"] = _Skewed
