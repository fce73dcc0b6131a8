"""Logs: structured lines on stderr. No line names a URL, a digest, a title or a file of a hit."""

from __future__ import annotations

import logging
import sys

import structlog


def log_to_stderr(verbose: bool) -> None:
    """Configure structlog for this process; libraries' own loggers stay quiet, for they name URLs."""
    logging.disable(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
