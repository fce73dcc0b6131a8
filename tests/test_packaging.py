"""The wheel works in a clean environment outside the checkout, and ships what it needs and nothing else."""

from __future__ import annotations

import json
import os
import shutil
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


def instructions() -> list[list[str]]:
    """The Containerfile, an instruction a row; continued lines are one."""
    text = (CHECKOUT / "deploy" / "Containerfile").read_text().replace("\\\n", " ")
    return [line.split() for line in text.splitlines() if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the Containerfile copies, and nothing else: if something were missing, nothing could be built of it."""
    root = tmp_path_factory.mktemp("context")
    for word, *operands in instructions():
        if word == "COPY" and not operands[0].startswith("--from"):
            *sources, target = operands
            for source in sources:
                there = CHECKOUT / source
                if there.is_dir():
                    shutil.copytree(there, root / target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(there, root / target)
    return root


@pytest.fixture(scope="module")
def wheel(context: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run(*UV, "build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", out, context, cwd=out)
    [path] = out.glob("vangnet-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of an environment that has the wheel and what it asks for."""
    root = tmp_path_factory.mktemp("clean")
    run(*UV, "venv", "--python", sys.executable, root / "venv", cwd=root)
    run(*UV, "pip", "install", "--python", root / "venv" / "bin" / "python", wheel, cwd=root)
    return root / "venv" / "bin" / "vangnet"


def test_the_container_is_built_as_the_lock_file_says(context: Path) -> None:
    """Without an engine for containers: its one build command, tried and not carried out; its command and its home."""
    (build,) = (" ".join(rest) for word, *rest in instructions() if word == "RUN" and "uv sync" in " ".join(rest))
    wanted = build[build.index("uv sync") :].split()[1:]
    run(*UV, *wanted, "--dry-run", "--offline", "--python", sys.executable, cwd=context)
    environment = dict(pair.split("=", 1) for word, *rest in instructions() if word == "ENV" for pair in rest)
    assert environment["SCRAPY_SETTINGS_MODULE"] == "settings.production"
    (volume,) = (rest[0] for word, *rest in instructions() if word == "VOLUME")
    assert environment["VANGNET_HOME"].startswith(f"{volume}/")
    assert ["ENTRYPOINT", '["vangnet"]'] in instructions()
    users = [rest[0] for word, *rest in instructions() if word == "USER"]
    assert users and "root" not in users


def test_it_ships_code_scripts_templates_and_data(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"crawler", "spiders", "settings"}
    for needed in ("crawler/frontier/claim.lua", "crawler/url_rules.toml", "spiders/crawl.py", "settings/lab.py"):
        assert needed in names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".sqlite")]


def test_the_command_line_runs_from_a_clean_environment(installed: Path, tmp_path: Path) -> None:
    vangnet = installed
    assert "vangnet, version" in run(vangnet, "--version", cwd=tmp_path)
    assert "crawl" in run(vangnet, "--help", cwd=tmp_path)
    listed = run(
        vangnet, "--home", tmp_path / "home", "--settings", "settings.lab", "hashes", "lists", "--json", cwd=tmp_path
    )
    assert listed.strip() == "[]"


@pytest.mark.long
def test_the_demonstration_runs_from_a_clean_environment(installed: Path, tmp_path: Path) -> None:
    """In an empty folder, with the kernels compiled there."""
    found = json.loads(run(installed, "demo", "--no-web", "--json", cwd=tmp_path))
    assert (found["missed"], found["false"], found["out_of_scope_requests"]) == ([], [], 0)
    assert found["found"] == found["planted"] > 60
    assert found["notices"] > 0 and found["removed"] > 0 and found["still_up"] > 0


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
