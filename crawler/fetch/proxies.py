"""Proxy variables of the environment, which are ignored: a proxy would choose the address that is connected to."""

from __future__ import annotations

from typing import Final

PROXY_VARIABLES: Final = frozenset(("http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "no_proxy"))
"""In lower case; upper case is as common."""


def is_proxy_variable(name: str) -> bool:
    """Whether programs take an environment variable of this name for a proxy's address."""
    return name.lower() in PROXY_VARIABLES
