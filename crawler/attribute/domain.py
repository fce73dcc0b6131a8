"""Registered domains by the Public Suffix List (https://publicsuffix.org), offline: the list that tldextract ships."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tldextract import TLDExtract

MAX_REMEMBERED: Final = 16_384


@lru_cache(maxsize=MAX_REMEMBERED)
def registered_domains(host: str) -> tuple[str, str]:
    """(registered domain, ICANN's registered domain) of a canonical DNS name; never call it with an address.

    The first counts private suffixes such as "github.io" and "co.nl" as suffixes, so that it is the customer's; the
    second is what stands in the registry: for "a.b.co.nl" they are "b.co.nl" and "co.nl". Where a host is itself a
    suffix there is none below it, and the next wider name stands in: the ICANN domain, then the host. A top-level
    domain that the list does not have is a suffix, as its algorithm says.
    """
    by_registry = _below_suffix(host, private=False) or host
    return _below_suffix(host, private=True) or by_registry, by_registry


def _below_suffix(host: str, *, private: bool) -> str:
    found = _extract().extract_str(host, include_psl_private_domains=private)
    if found.suffix:
        return found.top_domain_under_public_suffix
    return ".".join(host.split(".")[-2:])


@cache
def _extract() -> TLDExtract:
    # Imports an HTTP client that is never used here; commands that need no domain should not wait for it.
    from tldextract import TLDExtract

    return TLDExtract(suffix_list_urls=(), cache_dir=None)
