"""Wrong input gets one clear line and the design's exit code; never a traceback, never a half-done thing."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from tests.servers.vangnet import Vangnet

A_DIGEST = f"md5 {hashlib.md5(b'a benign thing').hexdigest()}"
GOOD = """
[campaign]
name = "c"
purpose = "p"
legal_basis = "l"
authorised_by = "a"
valid_until = 2099-01-01
[scope]
prefixes = ["127.0.0.0/8"]
[seeds]
urls = ["http://127.0.0.1:9/"]
[network]
allow_private = true
"""


@pytest.fixture
def vangnet(tmp_path: Path) -> Vangnet:
    return Vangnet(tmp_path / "home")


def one_line(text: str) -> str:
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    assert "Traceback" not in text
    return lines[0]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (("[campaign]", "[campaign]\ncolour = 1"), r"campaign\.colour"),
        (('purpose = "p"', "purpose = 7"), r"campaign\.purpose"),
        (('prefixes = ["127.0.0.0/8"]', ""), "scope"),
        (('legal_basis = "l"', ""), r"campaign\.legal_basis"),
        (('authorised_by = "a"', ""), r"campaign\.authorised_by"),
        (("http://127.0.0.1:9/", "http://192.0.2.1/"), r"seeds\.urls"),
        (("[scope]", "[scope"), "line"),
        # What a file quotes does not steer the terminal.
        (("[campaign]", '[campaign]\n"\\u001b[2J\\u202e" = 1'), r"campaign\.\S*\[2J[^\x1b\u202e]*$"),
    ],
)
def test_a_wrong_campaign_file_is_named_by_file_key_and_reason(
    vangnet: Vangnet, tmp_path: Path, change: tuple[str, str], names: str
) -> None:
    file = tmp_path / "c.toml"
    file.write_text(GOOD.replace(*change))
    done = vangnet.run("crawl", file)
    assert done.returncode == 2
    assert re.search(names, line := one_line(done.stderr)), line
    assert "c.toml" in line


def test_a_campaign_past_its_date_is_refused(vangnet: Vangnet, tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text(GOOD.replace("2099", "2001"))
    done = vangnet.run("crawl", file)
    assert (done.returncode, "valid_until" in one_line(done.stderr)) == (3, True)


def test_without_a_hash_list_a_campaign_is_refused(vangnet: Vangnet, tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text(GOOD)
    done = vangnet.run("crawl", file)
    assert (done.returncode, "hashes import" in one_line(done.stderr)) == (3, True)


def test_lab_campaigns_do_not_run_in_production(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text(GOOD)
    done = Vangnet(tmp_path / "home", settings="settings.production").run("crawl", file)
    assert (done.returncode, "lab settings" in one_line(done.stderr)) == (2, True)


def test_a_file_that_is_not_there(vangnet: Vangnet, tmp_path: Path) -> None:
    done = vangnet.run("crawl", tmp_path / "none.toml")
    assert (done.returncode, "none.toml" in one_line(done.stderr)) == (2, True)


def test_a_hash_list_with_malformed_lines_is_not_imported_at_all(vangnet: Vangnet, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"{A_DIGEST}\nmd5 123\nsha256 zz\n# fine\n")
    done = vangnet.run("hashes", "import", path, "--list", "l")
    assert done.returncode == 2
    assert re.search(r"line 2\b", line := one_line(done.stderr)), line
    assert vangnet.json("hashes", "lists") == []
    skipped = vangnet.json("hashes", "import", path, "--list", "l", "--skip-invalid")
    assert sum(skipped["skipped"].values()) == 2
    assert vangnet.json("hashes", "lists")[0]["entries"] == 1


def test_digests_of_nothing_are_refused(vangnet: Vangnet, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"md5 d41d8cd98f00b204e9800998ecf8427e\npdq {'0' * 64}\n")
    assert vangnet.run("hashes", "import", path, "--list", "l").returncode == 2


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = Vangnet(tmp_path / "file" / "home").run("hashes", "lists")
    assert (done.returncode, "home" in one_line(done.stderr)) == (1, True)


def test_a_home_of_the_lab_is_not_opened_in_production(vangnet: Vangnet) -> None:
    assert vangnet.run("hashes", "lists").returncode == 0
    done = Vangnet(vangnet.home, settings="settings.production").run("hashes", "lists")
    assert (done.returncode, "lab settings" in one_line(done.stderr)) == (1, True)


@pytest.mark.parametrize(
    ("url", "code", "says"),
    [
        ("redis://127.0.0.1:1/0", 1, "REDIS_URL"),
        ("unix:///nowhere/at/all.sock", 1, "REDIS_URL"),
        ("http://127.0.0.1/", 2, "REDIS_URL"),
    ],
)
def test_an_unreachable_server(vangnet: Vangnet, tmp_path: Path, url: str, code: int, says: str) -> None:
    vangnet.hash_list(A_DIGEST)
    file = tmp_path / "c.toml"
    file.write_text(GOOD)
    with_server = Vangnet(vangnet.home, environment={"REDIS_URL": url})
    for command in (("crawl", file), ("worker",)):
        done = with_server.run(*command)
        assert done.returncode == code, done.stderr
        assert says in done.stderr.strip().splitlines()[-1]
        assert "Traceback" not in done.stderr


def test_a_worker_without_a_server_says_what_it_needs(vangnet: Vangnet) -> None:
    done = vangnet.run("worker")
    assert (done.returncode, "REDIS_URL" in one_line(done.stderr)) == (2, True)


def test_wrong_usage_is_exit_code_2(vangnet: Vangnet) -> None:
    assert vangnet.run("crawl").returncode == 2
    assert vangnet.run("no-such-command").returncode == 2
    assert vangnet.run("crawl", "x.toml", "--workers", "0").returncode == 2


def test_another_file_under_the_same_name_needs_replace(vangnet: Vangnet, tmp_path: Path) -> None:
    vangnet.hash_list(A_DIGEST)
    file = tmp_path / "c.toml"
    file.write_text(GOOD)
    assert vangnet.run("campaign", "create", file).returncode == 0
    file.write_text(GOOD.replace('purpose = "p"', 'purpose = "q"'))
    done = vangnet.run("crawl", file)
    assert (done.returncode, "--replace" in one_line(done.stderr)) == (2, True)
    assert vangnet.run("crawl", file, "--replace").returncode == 0
