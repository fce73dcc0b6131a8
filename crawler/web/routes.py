"""Every route of the desk. A family of pages is a module with its `WAYS`; a new one is added here, and to
`templates/base.html` when people shall find it."""

from __future__ import annotations

from crawler.web import audit, campaigns, entrance, items, notices
from crawler.web.ways import Way

WAYS: tuple[Way, ...] = (*entrance.WAYS, *items.WAYS, *notices.WAYS, *campaigns.WAYS, *audit.WAYS)
