"""Logs: structured lines on stderr. No line names a URL, a digest, a title or a file of a hit."""

from __future__ import annotations

import logging
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, WrappedLogger


class _Patient:
    """A stream whose failures are nobody's: a full disk must not end a process for want of a log line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            return self._stream.write(text)
        return 0

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def _where(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """The frames of an exception in place of its text and its values, which may hold a URL."""
    del logger, method
    if event.pop("exc_info", None):
        kind, _, frames = sys.exc_info()
        event["exception"] = kind.__name__ if kind is not None else None
        event["where"] = [f"{Path(at.filename).name}:{at.lineno}" for at in traceback.extract_tb(frames)]
    return event


def log_to_stderr(verbose: bool) -> None:
    """Configure structlog for this process; libraries' own loggers stay quiet, for they name URLs."""
    logging.disable(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            _where,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", _Patient(sys.stderr))),
    )
