"""What people see of a frontier: counts, and URLs and hosts only as far as they may."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from crawler.frontier.figures import Coverage, DeadLetter, RunCounts
from crawler.store.database import Database
from crawler.urls import masked


def urls_json(counts: RunCounts) -> dict[str, Any]:
    """ "urls", as the summary of a crawl has it."""
    return {
        "discovered": counts.discovered,
        "fetched": counts.fetched,
        "failed": counts.failed,
        "skipped": counts.skipped,
        "pending": counts.pending,
    }


def letters_json(db: Database, letters: Iterable[DeadLetter], *, reveal: bool) -> list[dict[str, Any]]:
    """[{"url", "kind", "reason"}], the newest first. reveal: URLs as they are, else masked.

    letters: the oldest first.  url: None when the record could not be read.
    """
    key = db.sealer.mask_key()
    return [
        {
            "url": letter.url if letter.url is None or reveal else masked(letter.url, key),
            "kind": letter.kind and letter.kind.value,
            "reason": letter.reason,
        }
        for letter in reversed(list(letters))
    ]


def coverage_json(db: Database, hosts: Iterable[Coverage], *, reveal: bool) -> list[dict[str, Any]]:
    """[{"host", "covered", "waiting", "share"}] in the order given. reveal: host names as they are, else masked.

    share: of the URLs known, how much had its turn; 0 to 1.
    """
    key = db.sealer.mask_key()
    return [
        {
            "host": each.host if reveal else _masked_host(each.host, key),
            "covered": each.covered,
            "waiting": each.waiting,
            "share": round(each.covered / max(each.covered + each.waiting, 1), 4),
        }
        for each in hosts
    ]


def _masked_host(host: str, key: bytes) -> str:
    """As `crawler.urls.masked` shows it in a URL, with the tag."""
    shown = masked(f"http://[{host}]/" if ":" in host else f"http://{host}/", key)
    name, _, tag = shown.removeprefix("http://").partition("/")
    return name + tag
