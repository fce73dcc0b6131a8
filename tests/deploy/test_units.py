from __future__ import annotations

from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from crawler.cli.main import COMMANDS, vangnet
from crawler.options import environment_name, option_rows

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())


def unit(path: Path) -> ConfigParser:
    read = ConfigParser(strict=False, interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    read.optionxform = str
    read.read_string(path.read_text())
    return read


def services() -> Iterator[Path]:
    return (path for path in UNITS if path.suffix == ".service")


@pytest.mark.parametrize("path", list(services()), ids=lambda path: path.name)
def test_a_service_starts_a_command_that_exists_and_is_closed_in(path: Path) -> None:
    service = unit(path)["Service"]
    program, *words = service["ExecStart"].split()
    assert program == "/opt/vangnet/bin/vangnet"
    assert words[0] in COMMANDS
    asked = CliRunner().invoke(vangnet, [*words, "--help"])
    assert asked.exit_code == 0, asked.output
    for name, value in {
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "CapabilityBoundingSet": "",
        "PrivateTmp": "yes",
        "UMask": "0077",
        "LimitCORE": "0",
    }.items():
        assert service[name] == value
    assert service["SystemCallFilter"].startswith("@system-service")
    assert service["User"] != "root"
    assert "SMTP_PASSWORD" not in path.read_text()


@pytest.mark.parametrize("path", [path for path in UNITS if path.suffix == ".timer"], ids=lambda path: path.name)
def test_a_timer_starts_a_unit_that_is_there(path: Path) -> None:
    timer = unit(path)["Timer"]
    assert (path.parent / timer["Unit"]).is_file()
    assert timer["Persistent"] == "yes"


def test_what_units_set_are_options() -> None:
    known = {environment_name(row.name) for row in option_rows()} | {"VANGNET_HOME", "SCRAPY_SETTINGS_MODULE"}
    for path in services():
        for pair in unit(path)["Service"]["Environment"].split():
            assert pair.partition("=")[0] in known


def test_the_image_runs_as_nobody_special() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    assert "\nUSER vangnet\n" in text
    assert "--frozen" in text


def test_the_image_is_built_from_what_it_copies_and_nothing_else() -> None:
    copied = [line.split()[1:-1] for line in (DEPLOY / "Containerfile").read_text().splitlines() if "COPY" in line[:4]]
    needed = {name for names in copied if not names[0].startswith("--from") for name in names}
    everything, *others = [
        line for line in (DEPLOY.parent / ".dockerignore").read_text().splitlines() if line[:1] != "#"
    ]
    assert (everything, {line[1:] for line in others if line.startswith("!")}) == ("*", needed)
