from __future__ import annotations

import sys

import pytest

from crawler.errors import SandboxUnavailable
from crawler.fingerprint import hashers
from crawler.fingerprint.hashers import LONGEST_CODE, Hasher
from crawler.records import Rejected
from tests.fingerprint.plugged import install


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("toy_hasher", None)


def test_without_a_plug_in_there_is_none():
    assert hashers.installed() == ()
    assert hashers.load() == ()


def test_a_package_brings_a_hasher(path):
    install(path)
    assert hashers.installed() == ("photodna",)
    assert "toy_hasher" not in sys.modules
    (toy,) = hashers.load()
    assert (toy.name, toy.threshold) == ("photodna", 10)
    one, other = toy.code(b"some bytes"), toy.code(memoryview(b"some byteS"))
    assert isinstance(one, bytes)
    assert isinstance(other, bytes)
    assert len(one) == 144
    assert toy.distance(one, other) == ord("s") - ord("S")
    assert toy.code(b"GIF89a") is None
    assert toy.code(b"RIFF") == Rejected("hasher(photodna)", "ValueError")


@pytest.mark.parametrize(
    ("source", "name", "value"),
    [
        ("raise RuntimeError", "photodna", "toy_hasher"),
        ("import nothing_of_this_name", "photodna", "toy_hasher"),
        ("threshold = 1", "photodna", "toy_hasher"),
        ("threshold = 'far'\ncode = distance = len", "photodna", "toy_hasher"),
        ("", "photodna", "toy_hasher:missing"),
        ("threshold = 1\ncode = distance = len", "pdq", "toy_hasher"),
        ("threshold = 1\ncode = distance = len", "Photo.DNA", "toy_hasher"),
    ],
)
def test_what_is_no_hasher_is_named_and_not_left_out(path, source, name, value):
    install(path, source, name, value)
    with pytest.raises(SandboxUnavailable, match=rf"hasher '{name}' \({value}\): .*uninstall it"):
        hashers.load()


@pytest.mark.parametrize("found", ["text", 7, b"", bytes(LONGEST_CODE + 1)])
def test_what_is_no_code_is_rejected(found):
    odd = Hasher("odd", 1, lambda _: found, lambda *_: 0)
    assert odd.code(b"bytes") == Rejected("hasher(odd)", "no code")


def test_lack_of_memory_is_for_the_sandbox_to_see():
    def hoard(_):
        raise MemoryError

    with pytest.raises(MemoryError):
        Hasher("greedy", 1, hoard, lambda *_: 0).code(b"bytes")
