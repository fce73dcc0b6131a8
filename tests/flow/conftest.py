"""What the crawls of this directory share: compiled kernels, and homes that use them."""

from __future__ import annotations

from pathlib import Path

import pytest

SETTINGS = "settings.lab"


@pytest.fixture(scope="session")
def kernels(pytestconfig: pytest.Config) -> Path:
    """Where compiled kernels stay between test runs: compiling them takes longer than a crawl."""
    assert pytestconfig.cache is not None
    directory = pytestconfig.cache.mkdir("kernels")
    directory.chmod(0o700)
    return directory


def new_root(parent: Path, kernels: Path) -> Path:
    """A directory for a home that uses those kernels."""
    root = parent / "home"
    root.mkdir()
    (root / "kernels").symlink_to(kernels)
    return root
