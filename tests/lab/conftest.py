"""One lab for the tests of this directory, and the pictures of its plan as an independent reader sees them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crawler.lab.process import Lab


@pytest.fixture(scope="package")
def whole_lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture
def lab(whole_lab: Lab) -> Lab:
    whole_lab.clear()
    return whole_lab
