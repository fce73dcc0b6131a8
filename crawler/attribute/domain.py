"""Registered domains by the Public Suffix List (https://publicsuffix.org), offline: a loaded list, or tldextract's."""

from __future__ import annotations

import importlib.metadata
import re
from functools import cache, cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

from crawler.attribute.rows import TableInfo

if TYPE_CHECKING:
    from tldextract import TLDExtract

MAX_REMEMBERED: Final = 16_384


LICENCE: Final = "MPL-2.0"


class DomainFinder:
    """path: a list that `formats/suffixes.py` checked, of `info`; None for the one that tldextract ships."""

    def __init__(self, path: Path | None = None, info: TableInfo | None = None) -> None:
        self._info = info
        # Read at once: the file may be gone when it is first needed.
        self._rules = None if path is None else _Rules(path.read_text("utf-8"))
        self._found = lru_cache(MAX_REMEMBERED)(self._find)

    @property
    def info(self) -> TableInfo:
        """Where the list comes from."""
        return self._info or packaged_list()[0]

    def __call__(self, host: str) -> tuple[str, str]:
        """(registered domain, ICANN's registered domain) of a canonical DNS name; never call it with an address.

        The first counts private suffixes such as "github.io" and "co.nl" as suffixes, so that it is the customer's; the
        second is what stands in the registry: for "a.b.co.nl" they are "b.co.nl" and "co.nl". Where a host is itself a
        suffix there is none below it, and the next wider name stands in: the ICANN domain, then the host. A top-level
        domain that the list does not have is a suffix, as its algorithm says.
        """
        return self._found(host)

    def _find(self, host: str) -> tuple[str, str]:
        by_registry = self._below(host, private=False) or host
        return self._below(host, private=True) or by_registry, by_registry

    def _below(self, host: str, *, private: bool) -> str:
        """The registered domain, "" where the host is itself a suffix."""
        if self._rules is not None:
            labels = host.split(".")
            taken = self._rules.labels(labels, private=private) + 1
            return ".".join(labels[-taken:]) if taken <= len(labels) else ""
        found = self._extract.extract_str(host, include_psl_private_domains=private)
        return found.top_domain_under_public_suffix if found.suffix else ".".join(host.split(".")[-2:])

    @cached_property
    def _extract(self) -> TLDExtract:
        # Imports an HTTP client that is never used here; commands that need no domain should not wait for it.
        from tldextract import TLDExtract

        return TLDExtract(suffix_list_urls=(), cache_dir=None)


class _Rules:
    """The rules of a list that was checked when it was loaded; names in IDNA form.

    Source: https://github.com/publicsuffix/list/wiki/Format, "Algorithm".
    """

    def __init__(self, text: str) -> None:
        self._private: dict[str, bool] = {}
        private = False
        for line in text.splitlines():
            private = private or "===BEGIN PRIVATE DOMAINS===" in line
            if line and not line.startswith("//"):
                rule = line.split()[0]
                self._private[rule if rule.isascii() else ".".join(map(_idna, rule.split(".")))] = private

    def labels(self, labels: list[str], *, private: bool) -> int:
        """How many labels the public suffix of a name has. A top-level domain that has no rule is a suffix."""
        found = 1
        for count in range(1, len(labels) + 1):
            name = ".".join(labels[-count:])
            if self._applies(f"!{name}", private):
                return count - 1
            if self._applies(name, private) or self._applies(f"*.{name.partition('.')[2]}", private):
                found = count
        return found

    def _applies(self, rule: str, private: bool) -> bool:
        only_private = self._private.get(rule)
        return only_private is not None and (private or not only_private)


def _idna(label: str) -> str:
    return label if label.isascii() else f"xn--{label.lower().encode('punycode').decode('ascii')}"


@cache
def packaged_list() -> tuple[TableInfo, Path, int, int]:
    """Where the list that tldextract ships comes from, its file, how many rules and bytes it has."""
    path = Path(str(resources.files("tldextract").joinpath(".tld_set_snapshot")))
    text = path.read_text("utf-8")
    day = re.search(r"^// VERSION: (\d{4}-\d{2}-\d{2})", text, re.MULTILINE)
    rules = sum(1 for line in text.splitlines() if line.strip() and not line.startswith("//"))
    source = f"Public Suffix List in tldextract {importlib.metadata.version('tldextract')}"
    return TableInfo(source, day[1] if day else "1970-01-01", LICENCE), path, rules, path.stat().st_size


@cache
def packaged_domains() -> DomainFinder:
    """By the list that tldextract ships."""
    return DomainFinder()


def registered_domains(host: str) -> tuple[str, str]:
    """As `DomainFinder`, by the list that tldextract ships."""
    return packaged_domains()(host)
