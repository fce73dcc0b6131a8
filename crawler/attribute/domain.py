"""Registered domains by the Public Suffix List (https://publicsuffix.org), offline: a loaded list, or tldextract's."""

from __future__ import annotations

from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tldextract import TLDExtract

MAX_REMEMBERED: Final = 16_384


class DomainFinder:
    """path: a list that `formats/suffixes.py` checked; None for the one that tldextract ships."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._found = lru_cache(MAX_REMEMBERED)(self._find)

    def __call__(self, host: str) -> tuple[str, str]:
        """(registered domain, ICANN's registered domain) of a canonical DNS name; never call it with an address.

        The first counts private suffixes such as "github.io" and "co.nl" as suffixes, so that it is the customer's; the
        second is what stands in the registry: for "a.b.co.nl" they are "b.co.nl" and "co.nl". Where a host is itself a
        suffix there is none below it, and the next wider name stands in: the ICANN domain, then the host. A top-level
        domain that the list does not have is a suffix, as its algorithm says.
        """
        return self._found(host)

    def _find(self, host: str) -> tuple[str, str]:
        by_registry = self._below_suffix(host, private=False) or host
        return self._below_suffix(host, private=True) or by_registry, by_registry

    def _below_suffix(self, host: str, *, private: bool) -> str:
        found = self._extract.extract_str(host, include_psl_private_domains=private)
        if found.suffix:
            return found.top_domain_under_public_suffix
        return ".".join(host.split(".")[-2:])

    @cached_property
    def _extract(self) -> TLDExtract:
        # Imports an HTTP client that is never used here; commands that need no domain should not wait for it.
        from tldextract import TLDExtract

        if self._path is None:
            return TLDExtract(suffix_list_urls=(), cache_dir=None)
        made = TLDExtract(suffix_list_urls=(self._path.as_uri(),), cache_dir=None, fallback_to_snapshot=False)
        # Read at once: the file may be gone when it is first needed.
        made("vangnet.example")
        return made


@cache
def packaged_domains() -> DomainFinder:
    """By the list that tldextract ships."""
    return DomainFinder()


def registered_domains(host: str) -> tuple[str, str]:
    """As `DomainFinder`, by the list that tldextract ships."""
    return packaged_domains()(host)
