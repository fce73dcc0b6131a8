"""A quicker start: processes of a crawl begin often, and most of what a short command takes are its imports."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import cast


@contextmanager
def without(*modules: str) -> Iterator[None]:
    """In it, these are not found, unless they are there already: for what a library looks for and nothing of ours uses.

    modules: by their whole names.
    """
    hidden = [name for name in modules if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = cast("ModuleType", None)  # the interpreter's own way to say so
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
