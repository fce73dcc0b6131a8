"""Loads that fail at the last step, and updates that meet: what the record says is what was done."""

from __future__ import annotations

import errno
import gc
import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest

from crawler.attribute import shelf
from crawler.attribute.load import Stated
from crawler.attribute.shelf import current
from crawler.errors import AddressDataInvalid, HomeUnusable, StoreUnavailable
from crawler.service import data
from crawler.service.session import Session
from crawler.store import audit
from crawler.store.database import Database
from tests.attribute.test_load import DELEGATED, STAMP, file
from tests.store.factories import ANNA


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = file(tmp_path, DELEGATED)
    os.utime(path, (STAMP, STAMP))
    return path


@pytest.mark.parametrize("step", ["_to_disk", "record"])
def test_a_load_that_fails_is_not_on_record_as_done(
    db: Database, table: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: object, **__: object) -> None:
        if step == "record":
            raise StoreUnavailable("locked")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(*((audit, "append") if step == "record" else (shelf, step)), full)
    with pytest.raises((HomeUnusable, StoreUnavailable)):
        data.load(Session(db, ANNA), [table], Stated())
    monkeypatch.undo()
    assert list(audit.events(db)) == []
    assert current(db.home.root / "tables").entries == {}
    assert [path.name for path in (db.home.root / "tables" / "loaded").iterdir()] == [".lock"]
    data.load(Session(db, ANNA), [table], Stated())
    assert [event["act"] for event in audit.events(db)] == ["data.load"]


@pytest.mark.parametrize("damage", ["manifest", "directory"])
def test_what_the_error_of_damaged_tables_advises_works(db: Database, table: Path, damage: str) -> None:
    at, link = Session(db, ANNA), db.home.root / "tables" / "loaded" / "current"
    data.load(at, [table], Stated())
    if damage == "manifest":
        (link / "manifest.json").write_text("{")
    else:
        shutil.rmtree(link.resolve())
    with pytest.raises(AddressDataInvalid, match="remove it and load all tables again"):
        data.load(at, [table], Stated())
    link.unlink()
    data.load(at, [table], Stated())
    assert list(current(db.home.root / "tables").entries) == ["country-ripencc"]


def ended(process: int, seconds: float) -> int:
    """With which status a process ended. Raises TimeoutError while it goes on."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return status
        time.sleep(0.02)
    raise TimeoutError


def test_an_update_does_not_sweep_away_what_another_one_just_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others: list[int] = []

    class Made(tempfile.TemporaryDirectory[str]):
        def __enter__(self) -> str:
            place = super().__enter__()
            if not others and not (other := os.fork()):
                try:
                    # A lock that this process holds would be the other one's as well.
                    gc.disable()  # what it would find closes descriptors by number, which are others by then
                    os.closerange(3, 1024)
                    others.append(0)
                    with data._fetching(tmp_path):
                        os._exit(0)
                finally:
                    os._exit(1)
            elif not others:
                others.append(other)
                with pytest.raises(TimeoutError):
                    ended(other, 0.3)
            return place

    monkeypatch.setattr(tempfile, "TemporaryDirectory", Made)
    with data._fetching(tmp_path) as place:
        monkeypatch.undo()
        assert ended(others[0], 10.0) == 0
        assert Path(place).is_dir()
