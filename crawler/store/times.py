"""Times as they leave the store."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(at: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC with milliseconds: "2026-06-17T08:30:00.000Z"."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_optional(at: float | None) -> str | None:
    """As `iso`; None stays None."""
    return None if at is None else iso(at)
