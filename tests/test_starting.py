"""What is left out as a process starts."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest

from crawler.starting import without


def test_what_is_left_out_is_there_again_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with without("this", "sys"):
        with pytest.raises(ImportError):
            import_module("this")
        assert import_module("sys") is sys
    assert "this" not in sys.modules
