"""What tests of rendering share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def kernels(pytestconfig: pytest.Config) -> Path:
    """Where compiled kernels stay between test runs: compiling them takes longer than a crawl."""
    if "VANGNET_KERNELS" in os.environ:
        return Path(os.environ["VANGNET_KERNELS"])
    assert pytestconfig.cache is not None
    directory = pytestconfig.cache.mkdir("kernels")
    directory.chmod(0o700)
    return directory
