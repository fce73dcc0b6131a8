"""`vangnet fingerprint`: digests and codes for files that are images, a line for those that are not.

Each in a process of its own: the command forks, and that wants a process of one thread. Where nothing is installed for
it and nobody looks at the start, that process is forked from one that has compiled everything.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.fingerprint.plugged import install
from tests.servers.vangnet import COMMAND, Ended
from tests.servers.warm import run_forked

Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def ended(*arguments: object, apart: bool = False, **environment: str) -> Ended:
        words = ["--settings", "settings.lab", "fingerprint", *map(str, arguments)]
        if apart or environment:
            done = subprocess.run(
                [*COMMAND, *words],
                capture_output=True,
                text=True,
                env=os.environ | environment,
                timeout=120,
                check=False,
            )
        else:
            done = run_forked(*words)
        assert "Traceback" not in done.stderr
        return Ended(done.returncode, done.stdout, done.stderr)

    return ended


def files_in(done: Ended) -> list[dict[str, Any]]:
    return list(json.loads(done.stdout)["files"])


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
    done = run(picture, "--json", apart=True)
    (found,) = files_in(done)
    assert (done.returncode, done.stderr) == (0, "")
    assert found["file"] == str(picture)
    for name in ("md5", "sha1", "sha256"):
        assert found[name] == hashlib.new(name, picture.read_bytes()).hexdigest()
    assert (found["decoded"], found["format"], found["width"], found["height"]) == (True, "PNG", 400, 300)
    assert len(found["phash"]) == 16
    assert {code["transform"] for code in found["codes"]} >= {"none", "mirror"}
    assert all(len(code["value"]) == 64 for code in found["codes"])


def test_orientations_and_text_for_people(run: Run, picture: Path) -> None:
    (found,) = files_in(run(picture, "--orientations", "none", "--json"))
    assert not any("mirror" in code["transform"] for code in found["codes"])
    shown = run(picture, "--orientations", "none")
    assert shown.returncode == 0
    assert found["sha256"] in shown.stdout
    assert found["codes"][0]["value"] in shown.stdout


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
    bad = {
        empty: "is empty",
        large: "is larger than 33554432 bytes",
        fifo: "is a FIFO, not a file",
        tmp_path: "is a directory, not a file",
        tmp_path / "absent": "cannot be read: No such file",
        Path("/dev/null"): "is a device",
        Path("/proc/self/mem"): "cannot be read: Input/output error",
    }
    if not os.access(closed, os.R_OK):  # root reads it all the same
        bad[closed] = "cannot be read: Permission denied"
    ran = run(*bad, words, picture, "--json")
    assert ran.returncode == 1
    lines = ran.stderr.splitlines()
    assert len(lines) == len(bad) + 1
    for line, (path, reason) in zip(lines, bad.items(), strict=False):
        assert line.startswith(f"vangnet: {path}: {reason}")
    assert lines[-1] == f"vangnet: {words}: could not be decoded (not-an-image); digests only"
    files = files_in(ran)
    assert [(each["file"], each["decoded"]) for each in files] == [(str(words), False), (str(picture), True)]
    assert files[0]["sha256"] == hashlib.sha256(b"no image at all").hexdigest()


def test_a_file_name_cannot_steer_the_terminal(run: Run, tmp_path: Path) -> None:
    name = tmp_path / "a\x1b[31m\nb"
    name.write_bytes(b"")
    ran = run(name)
    assert ran.returncode == 1
    assert "\x1b" not in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_without_a_file(run: Run) -> None:
    assert run().returncode == 2


def test_a_format_that_is_off_by_default(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.avif"
    Image.linear_gradient("L").save(path, "AVIF")
    refused = run(path, "--json")
    assert (refused.returncode, files_in(refused)[0]["reason"]) == (1, "unsupported(avif)")
    (found,) = files_in(run(path, "--extra", "avif", "--json"))
    assert (found["format"], found["decoded"]) == ("AVIF", True)


def test_codes_of_an_installed_hasher_stand_beside_ours(run: Run, picture: Path, tmp_path: Path) -> None:
    webp = tmp_path / "a.webp"
    Image.linear_gradient("L").save(webp, "WEBP")
    packages = tmp_path / "packages"
    packages.mkdir()
    ran = run(picture, webp, "--json", PYTHONPATH=str(install(packages)))
    first, second = files_in(ran)
    code = bytes(sum(picture.read_bytes()[place::144]) % 256 for place in range(144))
    assert first["codes"][-1] == {
        "algorithm": "photodna",
        "value": code.hex(),
        "quality": None,
        "transform": "none",
    }
    assert second["codes"][-1]["value"] is None
    assert (ran.returncode, ran.stderr) == (1, f"vangnet: {webp}: the hasher photodna failed on it\n")
    assert code.hex() in run(picture, PYTHONPATH=str(packages)).stdout


HOSTILE = """
threshold = 1
distance = max


def code(data):
    word = data.rpartition(b" ")[2]
    if word == b"open":
        open("/etc/passwd").read()
    if word == b"fork":
        __import__("os").fork()
    if word == b"crash":
        __import__("ctypes").string_at(0)
    return b"fine"
"""


def test_a_file_that_takes_over_its_process_harms_no_other(run: Run, picture: Path, tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    install(packages, HOSTILE)
    files = {}
    for word in ("open", "fork", "crash", "fine"):
        files[word] = tmp_path / f"{word}.png"
        files[word].write_bytes(picture.read_bytes() + b" " + word.encode())
    ran = run(*files.values(), "--json", PYTHONPATH=str(packages))
    found = dict(zip(files, files_in(ran), strict=True))
    assert {word: found[word]["reason"] for word in files} == {
        "open": None,
        "fork": "violation",
        "crash": "crashed",
        "fine": None,
    }
    assert found["open"]["codes"][-1]["value"] is None
    assert found["fine"]["codes"][-1]["value"] == b"fine".hex()
    for word, path in files.items():
        assert found[word]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert ran.returncode == 1
    assert len(ran.stderr.splitlines()) == 3


def test_a_hasher_that_cannot_be_loaded_is_one_line(run: Run, picture: Path, tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    ran = run(picture, PYTHONPATH=str(install(packages, "raise RuntimeError")))
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("vangnet: hasher 'photodna' (toy_hasher): cannot be loaded (RuntimeError)")
    assert len(ran.stderr.splitlines()) == 1
