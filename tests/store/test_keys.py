from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crawler.errors import HomeUnusable
from crawler.store.keys import key_file, open_keys
from tests.store.factories import home_at


def test_made_once_and_kept(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    first = open_keys(home, make=True, environment={})
    again = open_keys(home, make=False, environment={})
    assert (first.seals, first.blind, first.audit) == (again.seals, again.blind, again.audit)
    assert len({first.seals[1], first.blind, first.audit}) == 3
    assert stat.S_IMODE((home.keys / "seal-1").stat().st_mode) == 0o600


def test_racing_makers_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: key_file(tmp_path, "worker"), range(32)))
    assert len(set(made)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["worker"]


def test_nothing_is_made_where_it_may_not_be(tmp_path: Path) -> None:
    with pytest.raises(HomeUnusable, match="restore it"):
        open_keys(home_at(tmp_path), make=False, environment={})


def test_keys_do_not_print(tmp_path: Path) -> None:
    keys = open_keys(home_at(tmp_path), make=True, environment={})
    shown = repr(keys) + str(keys)
    assert not any(key.hex() in shown or repr(key) in shown for key in (*keys.seals.values(), keys.blind, keys.audit))


def test_the_highest_number_seals(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    open_keys(home, make=True, environment={})
    key_file(home.keys, "seal-2")
    keys = open_keys(home, make=False, environment={})
    assert keys.current == 2
    assert set(keys.seals) == {1, 2}


def test_credentials_of_systemd_win(tmp_path: Path) -> None:
    home, given = home_at(tmp_path), tmp_path / "credentials"
    given.mkdir()
    for number, name in enumerate(("seal-3", "blind", "audit")):
        (given / f"vangnet-{name}").write_text(f"{number:02x}" * 32)
        (given / f"vangnet-{name}").chmod(0o440)
    keys = open_keys(home, make=True, environment={"CREDENTIALS_DIRECTORY": str(given)})
    assert dict(keys.seals) == {3: bytes(32)}
    assert keys.blind == b"\x01" * 32
    assert not list(home.keys.iterdir())


def test_credentials_must_be_complete(tmp_path: Path) -> None:
    (tmp_path / "vangnet-blind").write_text("00" * 32)
    with pytest.raises(HomeUnusable, match="vangnet-seal-1"):
        open_keys(home_at(tmp_path), make=True, environment={"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_other_credentials_are_not_ours(tmp_path: Path) -> None:
    (tmp_path / "smtp-password").write_text("x")
    assert open_keys(home_at(tmp_path), make=True, environment={"CREDENTIALS_DIRECTORY": str(tmp_path)}).current == 1


@pytest.mark.parametrize("text", ["", "00" * 31, "zz" * 32, "\udcff" * 64])
def test_damaged_key_files(tmp_path: Path, text: str) -> None:
    path = tmp_path / "worker"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    path.chmod(0o600)
    with pytest.raises(HomeUnusable, match="worker"):
        key_file(tmp_path, "worker")


def test_a_key_file_open_to_others_is_refused(tmp_path: Path) -> None:
    key_file(tmp_path, "worker")
    (tmp_path / "worker").chmod(0o640)
    with pytest.raises(HomeUnusable, match="chmod 600"):
        key_file(tmp_path, "worker")
