"""Compiled kernels lie apart by version, where nobody else reaches them."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.errors import SandboxUnavailable
from crawler.sandbox import kernels
from crawler.sandbox.kernels import kernel_cache


def test_each_version_has_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"vangnet": "1.0", "numba": "0.68.1"}
    monkeypatch.setattr(kernels, "version", versions.__getitem__)
    first = kernel_cache(tmp_path / "new" / "cache")
    assert first == kernel_cache(tmp_path / "new" / "cache")
    seen = {first}
    for package in versions:
        versions[package] += ".1"
        seen.add(kernel_cache(tmp_path / "new" / "cache"))
    assert len(seen) == 3
    assert {directory.stat().st_mode & 0o777 for directory in seen} == {0o700}


def test_a_directory_that_others_reach_is_refused(tmp_path: Path) -> None:
    cache = kernel_cache(tmp_path / "cache")
    cache.chmod(0o750)
    with pytest.raises(SandboxUnavailable, match="others may reach it"):
        kernel_cache(tmp_path / "cache")
    cache.chmod(0o700)
    (tmp_path / "cache").chmod(0o755)
    with pytest.raises(SandboxUnavailable, match="others may reach it"):
        kernel_cache(tmp_path / "cache")


def test_what_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SandboxUnavailable, match="give a writable cache directory"):
        kernel_cache(tmp_path / "file" / "cache")
