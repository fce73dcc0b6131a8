"""The wheel works in a clean environment outside the checkout, and ships what it needs and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
UV = (sys.executable, "-m", "uv", "--quiet")


def run(*command: object, cwd: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("VANGNET", "SCRAPY", "PYTHON", "VIRTUAL"))}
    environment["UV_SYSTEM_CERTS"] = "1"  # as in the Makefile: the machine decides whom it trusts
    done = subprocess.run(
        [str(c) for c in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run(
        *UV, "build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", out, CHECKOUT, cwd=out
    )
    [path] = out.glob("vangnet-*.whl")
    return path


def test_it_ships_code_scripts_templates_and_data(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"crawler", "spiders", "settings"}
    for needed in ("crawler/frontier/claim.lua", "crawler/url_rules.toml", "spiders/crawl.py", "settings/lab.py"):
        assert needed in names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".sqlite")]


def test_the_command_line_runs_from_a_clean_environment(wheel: Path, tmp_path: Path) -> None:
    run(*UV, "venv", "--python", sys.executable, tmp_path / "venv", cwd=tmp_path)
    run(*UV, "pip", "install", "--python", tmp_path / "venv" / "bin" / "python", wheel, cwd=tmp_path)
    vangnet = tmp_path / "venv" / "bin" / "vangnet"
    assert "vangnet, version" in run(vangnet, "--version", cwd=tmp_path)
    assert "crawl" in run(vangnet, "--help", cwd=tmp_path)
    listed = run(
        vangnet, "--home", tmp_path / "home", "--settings", "settings.lab", "hashes", "lists", "--json", cwd=tmp_path
    )
    assert listed.strip() == "[]"


def test_a_foreign_settings_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings" / "__init__.py").write_text("")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "crawler", "hashes", "lists"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "hides Vangnet's own" in done.stderr
