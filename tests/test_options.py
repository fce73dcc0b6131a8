"""Options: documented, typed, and not to be talked into lab mode by the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crawler.errors import OptionInvalid
from crawler.options import MODULE_ONLY, Options, load_options, option_rows, options_from, options_markdown
from crawler.parts import frontier_of

DOCS = Path(__file__).resolve().parents[1] / "docs"


def test_the_page_is_the_one_that_is_made_from_the_code() -> None:
    assert (DOCS / "options.md").read_text() == options_markdown()


def test_every_option_says_what_it_is() -> None:
    assert all(row.metadata["help"].endswith(".") for row in option_rows())


def test_the_environment_wins_over_the_settings_module() -> None:
    found = options_from({"VANGNET_ATTEMPTS": 7, "VANGNET_SEND_WINDOW": 1}, {"VANGNET_ATTEMPTS": "9"})
    assert (found.attempts, found.send_window) == (9, 1.0)
    assert isinstance(found.send_window, float)


@pytest.mark.parametrize("name", sorted(MODULE_ONLY))
def test_the_environment_opens_neither_loopback_nor_skips_an_approval(name: str) -> None:
    flipped = "0" if getattr(Options(), name) else "1"
    assert options_from({}, {f"VANGNET_{name.upper()}": flipped}) == Options()


@pytest.mark.parametrize(
    ("settings", "environment"),
    [
        ({"VANGNET_ATTEMPTS": "many"}, {}),
        ({"VANGNET_ATTEMPTS": True}, {}),
        ({"VANGNET_LAB": 1}, {}),
        ({"VANGNET_WORKER_ENROLMENT": "ajar"}, {}),
        ({}, {"VANGNET_ATTEMPTS": "4.5"}),
        ({}, {"VANGNET_SEND_WINDOW": "soon"}),
        ({}, {"VANGNET_METRICS_PORT": "65536"}),
        ({"VANGNET_SMTP_PORT": 99_999}, {}),
    ],
)
def test_a_value_of_the_wrong_type_is_named(settings: dict[str, object], environment: dict[str, str]) -> None:
    with pytest.raises(OptionInvalid, match="VANGNET_"):
        options_from(settings, environment)


def test_the_settings_modules_differ_in_what_they_permit() -> None:
    production, lab = load_options("settings.production"), load_options("settings.lab")
    assert (production.lab, production.require_campaign_approval) == (False, True)
    assert (lab.lab, lab.require_campaign_approval) == (True, False)
    with pytest.raises(OptionInvalid, match="cannot be imported"):
        load_options("settings.nowhere")


def test_rules_of_robots_txt_are_believed_for_a_day_at_most() -> None:
    client: Any = None
    assert frontier_of(client, Options(robots_ttl=1e6))._settings.robots_ttl == 86_400.0
    assert frontier_of(client, Options(robots_ttl=60.0))._settings.robots_ttl == 60.0
