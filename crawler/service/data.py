"""Acts on the data that scope and attribution rest on: look at it, load files, fetch new ones."""

from __future__ import annotations

import datetime
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from crawler.attribute.book import home_book
from crawler.attribute.load import Incoming, Outcome, Record, Stated, load_files
from crawler.attribute.shelf import Entry
from crawler.attribute.table_status import OLD_DAYS, status, suffix_status
from crawler.errors import AddressDataInvalid, Unavailable
from crawler.home import Home
from crawler.service.actors import require
from crawler.service.fetch_data import SOURCES, Fetched, download
from crawler.service.session import Session
from crawler.store import audit

_MEND: Final = "load current data"
_MENDS: Final = {"hosters": "look it over, and keep your own in tables/hosters.txt of the home"}
_FETCHED: Final = ".fetched-"


def data_status(home: Home, *, today: datetime.date) -> dict[str, Any]:
    """The data that verdicts and attributions rest on: {"tables": [...], "suffixes": {"source", "version"},
    "warnings": [...]}, address tables in their order of precedence, then the others."""
    book = home_book(home)
    rows = [asdict(row) for row in status(book, today)]
    warnings = [
        f"{row['name']} is {row['age_days']} days old (more than {OLD_DAYS}); {_MENDS.get(row['kind'], _MEND)}"
        for row in rows
        if row["old"]
    ]
    if not book.tables.tables:
        warnings.append(f"no address table in {home.root / 'tables'}; only prefixes can admit an address")
    return {"tables": rows, "suffixes": suffix_status(book), "warnings": warnings}


def load(at: Session, paths: Sequence[Path], stated: Stated) -> dict[str, Any]:
    """Load files, all or none: {"loaded": [...], "refused": {}}.

    Raises AddressDataInvalid naming file, line and reason; NotAuthorised, HomeUnusable, StoreUnavailable, Unavailable.
    """
    require(at.db, at.actor, "data.load")
    files = [Incoming(path, str(path)) for path in paths]
    outcome = load_files(_tables(at), files, stated, now=_now(), record=_recording(at, "data.load"))
    return _shown(outcome, {})


def update(at: Session, addresses: Sequence[str], stated: Stated) -> dict[str, Any]:
    """Fetch the data from where it is published and load what came: {"loaded": [...], "refused": {address: reason}}.

    addresses: URLs; none: those of `fetch_data.SOURCES`. What cannot be fetched or is refused keeps its old data.
    Raises Unavailable when nothing could be fetched, as without a network; otherwise as `load`.
    """
    require(at.db, at.actor, "data.update")
    tables = _tables(at)
    tables.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _fetching(tables) as place:
        fetched = download(addresses or SOURCES, Path(place))
        refused = {each.shown: each.problem for each in fetched if each.problem}
        files = [Incoming(each.path, each.shown) for each in fetched if not each.problem]
        if not files:
            raise Unavailable(_no_network(fetched))
        record = _recording(at, "data.update", len(refused))
        outcome = load_files(tables, files, stated, now=_now(), all_or_none=False, wait=True, record=record)
    return _shown(outcome, refused)


@contextmanager
def _fetching(tables: Path) -> Iterator[str]:
    """A directory for what is fetched. What an update left that was killed is removed; one that is at work holds a lock
    on its own."""
    with ExitStack() as held:
        # Nobody sweeps between the making of a directory and its lock.
        with _locked(tables, wait=True):
            for left in tables.glob(f"{_FETCHED}*"):
                with suppress(OSError), _locked(left):
                    shutil.rmtree(left, ignore_errors=True)
            place = held.enter_context(tempfile.TemporaryDirectory(dir=tables, prefix=_FETCHED))
            held.enter_context(_locked(Path(place)))
        yield place


@contextmanager
def _locked(directory: Path, *, wait: bool = False) -> Iterator[None]:
    """wait: for who has the lock, instead of raising OSError."""
    opened = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(opened)


def _tables(at: Session) -> Path:
    return at.db.home.root / "tables"


def _recording(at: Session, act: str, unfetched: int = 0) -> Record:
    """Writes the audit event, as the last thing before the tables are in use: what cannot be recorded is not done."""

    def record(fresh: Sequence[Entry], refused: Mapping[str, AddressDataInvalid]) -> None:
        kept = [{"name": row.name, "date": row.date, "rows": row.rows, "sha256": row.sha256} for row in fresh]
        with at.db.write():
            detail = {"tables": kept, "refused": unfetched + len(refused)}
            audit.append(at.db, at.actor, act, "tables", detail=detail)

    return record


def _shown(outcome: Outcome, unfetched: Mapping[str, str]) -> dict[str, Any]:
    refused = {name: str(error) for name, error in outcome.refused.items()}
    return {"loaded": [asdict(entry) for entry in outcome.fresh], "refused": {**unfetched, **refused}}


def _no_network(fetched: Sequence[Fetched]) -> str:
    first = f"{fetched[0].shown}: {fetched[0].problem}"
    more = f" and {len(fetched) - 1} more" if len(fetched) > 1 else ""
    hint = "is there a network? `vangnet data load FILE...` takes files that came another way"
    if any(each.reached for each in fetched):
        hint = "check the addresses (VANGNET_DATA_SOURCES)"
    return f"nothing could be fetched ({first}{more}); {hint}; the data in use stays"


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
