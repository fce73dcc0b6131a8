"""Open directory listings, as nginx, Apache, lighttpd, Caddy, Python's http.server, IIS and Tomcat write them."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from crawler.discover.collect import Collector
from crawler.discover.endings import looks_like_image
from crawler.discover.references import Naming
from crawler.discover.xmltext import elements
from crawler.urls import canonical

_TITLE: Final = re.compile(
    r"<(?:(?:title|h1)[^>]{0,200}>\s{0,50}"
    r"(?:index of|directory listing (?:for|of|--)|listing directory|folder listing|directory:)\s"
    r"|pre><a\s[^>]{1,500}>(?:\.\./|\[to parent directory\]))",
    re.I,
)
_CADDY: Final = re.compile(r"class=\"?listing\b|aria-describedby=\"?summary\b", re.I)
# Apache: "?C=N;O=D"; lighttpd and Caddy: "?sort=name&order=asc"; fancyindex: "?C=M&O=A"; h5ai and others: "?order=…".
_SORTING: Final = re.compile(r"[^?]*\?(?:C=[NMSD]|O=[AD]|sort=|order=|layout=|limit=|offset=|filter=)", re.I)


def is_listing(text: str) -> bool:
    """Whether an HTML text reads like a directory listing."""
    if _TITLE.search(text, 0, 8_192):
        return True
    return "caddyserver.com" in text and _CADDY.search(text) is not None


def naming(collector: Collector) -> Naming:
    """How the links of a listing are named: files, directories below, and the rest; None for links that only sort."""
    directory = collector.url.partition("?")[0].rpartition("/")[0] + "/"

    def name(href: str) -> str | None:
        if _SORTING.match(href[:2_048]):
            return None
        url = canonical(href, collector.base)
        if not isinstance(url, str) or not url.startswith(directory) or url == directory:
            return "a"
        if url.endswith("/"):
            return "directory"
        return "listing" if looks_like_image(url) else "listing-other"

    return name


def from_json(value: object, collector: Collector) -> bool:
    """A listing as nginx (`autoindex_format json`) and Caddy write it. False when the parsed JSON `value` is none."""
    if not isinstance(value, list) or not value:
        return False
    entries = [each for each in value if isinstance(each, dict) and isinstance(each.get("name"), str)]
    if len(entries) != len(value) or not any("mtime" in each or "mod_time" in each for each in entries):
        return False
    for each in entries:
        _entry(each["name"], each.get("type") == "directory" or each.get("is_dir") is True, collector)
    return True


def from_xml(text: str, collector: Collector) -> None:
    """A listing as nginx writes it with `autoindex_format xml`."""
    for element in elements(text):
        if not element.is_end and element.name in ("file", "directory"):
            _entry(element.text, element.name == "directory", collector)


def _entry(name: str, is_directory: bool, collector: Collector) -> None:
    if name.strip("/") in ("", ".", ".."):
        return
    href = "./" + quote(name.strip("/"), safe="", errors="replace") + ("/" if is_directory else "")
    collector.add(href, "directory" if is_directory else "listing" if looks_like_image(href) else "listing-other")
