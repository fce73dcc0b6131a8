"""`vangnet fingerprint`: digests and codes for files that are images, a line for those that are not."""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.running import Run, runner


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(monkeypatch, capsys)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    rows, columns = np.indices((300, 400))
    pixels = ((np.sin(rows / 37) + np.cos(columns / 23 + rows / 91)) * 60 + 120).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    path = tmp_path / "a picture.png"
    path.write_bytes(stream.getvalue())
    return path


def test_one_image(run: Run, picture: Path) -> None:
    (found,) = run("fingerprint", picture, "--json").document()["files"]
    assert found["file"] == str(picture)
    for name in ("md5", "sha1", "sha256"):
        assert found[name] == hashlib.new(name, picture.read_bytes()).hexdigest()
    assert (found["decoded"], found["format"], found["width"], found["height"]) == (True, "PNG", 400, 300)
    assert len(found["phash"]) == 16
    assert {code["transform"] for code in found["codes"]} >= {"none", "mirror"}
    assert all(len(code["value"]) == 64 for code in found["codes"])


def test_orientations_and_text_for_people(run: Run, picture: Path) -> None:
    (found,) = run("fingerprint", picture, "--orientations", "none", "--json").document()["files"]
    assert not any("mirror" in code["transform"] for code in found["codes"])
    shown = run("fingerprint", picture, "--orientations", "none")
    assert shown.code == 0
    assert found["sha256"] in shown.out
    assert found["codes"][0]["value"] in shown.out


def test_what_is_no_image_gets_a_line_and_the_others_are_still_done(run: Run, picture: Path, tmp_path: Path) -> None:
    empty, words, large, fifo = (tmp_path / name for name in ("empty", "words.jpg", "large.png", "fifo"))
    empty.write_bytes(b"")
    words.write_text("no image at all")
    with large.open("wb") as stream:
        stream.truncate(10 * 2**30)
    os.mkfifo(fifo)
    closed = tmp_path / "closed.png"
    closed.write_bytes(picture.read_bytes())
    closed.chmod(0)
    unreadable = [] if os.access(closed, os.R_OK) else [closed]
    absent = tmp_path / "absent"
    bad = [empty, large, fifo, tmp_path, absent, Path("/dev/null"), *unreadable]
    ran = run("fingerprint", *bad, words, picture, "--json")
    assert ran.code == 1
    lines = ran.err.splitlines()
    expected = [
        "is empty",
        "is larger than",
        "is a FIFO",
        "is a directory",
        "cannot be read: No such file",
        "is a device",
    ]
    expected += ["cannot be read: Permission denied"] * len(unreadable)
    assert len(lines) == len(bad) + 1
    for line, path, reason in zip(lines, bad, expected, strict=False):
        assert line.startswith(f"vangnet: {path}: {reason}")
    assert lines[-1] == f"vangnet: {words}: could not be decoded (not-an-image); digests only"
    files = json.loads(ran.out)["files"]
    assert [(each["file"], each["decoded"]) for each in files] == [(str(words), False), (str(picture), True)]
    assert files[0]["sha256"] == hashlib.sha256(b"no image at all").hexdigest()


def test_a_file_name_cannot_steer_the_terminal(run: Run, tmp_path: Path) -> None:
    name = tmp_path / "a\x1b[31m\nb"
    name.write_bytes(b"")
    ran = run("fingerprint", name)
    assert ran.code == 1
    assert "\x1b" not in ran.err
    assert len(ran.err.splitlines()) == 1


def test_without_a_file(run: Run) -> None:
    ran = run("fingerprint")
    assert ran.code == 2
    assert "Traceback" not in ran.err
