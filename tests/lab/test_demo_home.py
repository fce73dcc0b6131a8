from __future__ import annotations

from pathlib import Path

import pytest

from crawler.bus.server import embedded_server
from crawler.errors import HomeUnusable, Unavailable
from crawler.home import open_home
from crawler.lab.demo_home import MARKER, demo_home


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_a_new_demonstration_starts_empty(tmp_path: Path) -> None:
    root = tmp_path / "var" / "demo"
    with demo_home(root) as home:
        home.database.write_text("old")
        (home.keys / "old").write_text("old")
        (home.kernels / "compiled").write_text("kept")
        (root / "tables" / "old.tbl").write_text("old")
        (root / "mine.txt").write_text("not the demonstration's")
    with demo_home(root) as home:
        assert files(root) == {MARKER, "home.json", "kernels/compiled", "mine.txt"}
        assert home.lab


def test_a_second_demonstration_starts_after_the_first_where_the_home_is_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        with demo_home(Path("demo")) as home, embedded_server(home.server):
            pass
    assert (tmp_path / "demo" / "server" / "server.json").exists()


def test_anybody_elses_home_is_left_as_it_is(tmp_path: Path) -> None:
    home = open_home(tmp_path, lab=True)
    home.database.write_text("hits")
    with demo_home(tmp_path):
        pass
    with demo_home(tmp_path):
        assert home.database.read_text() == "hits"
    assert MARKER not in files(tmp_path)


def test_a_production_home_is_refused(tmp_path: Path) -> None:
    open_home(tmp_path, lab=False)
    with pytest.raises(HomeUnusable, match="production"), demo_home(tmp_path):
        pass


def test_one_demonstration_at_a_time(tmp_path: Path) -> None:
    with demo_home(tmp_path / "a"), pytest.raises(Unavailable, match="runs there"), demo_home(tmp_path / "a"):
        pass


def test_a_file_in_the_way_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeUnusable, match="give another --home"), demo_home(tmp_path / "file"):
        pass
