"""What of a hit may leave in a notice: the terms of every list that knows the image, together.

Digests, codes, the names of lists and distances help whoever wants to stay below a threshold or to find out what a list
holds. So nothing of them leaves, unless the manifests of all lists that matched permit it: a notice that gives one
list's distance beside another list's silence would tell on both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from crawler.records import Disclosure

NOTHING = Disclosure()


def permitted(terms: Iterable[Disclosure | None]) -> Disclosure:
    """What all of these lists permit. None: a list without terms, which permits nothing; no list at all as well."""
    known = [each or NOTHING for each in terms]
    if not known:
        return NOTHING
    return Disclosure(**{name: all(getattr(each, name) for each in known) for name in Disclosure.__slots__})


def disclosed(hit: Mapping[str, Any], terms: Mapping[str, Disclosure]) -> dict[str, Any]:
    """What may leave of a hit's digests and matches: {"sha256", "md5", "matches": [{"list", "entry", "algorithm",
    "distance", "threshold", "category"}]}, with None for what may not, and no match of which nothing may.

    hit: as `hits show --json` prints it.  terms: name of a list -> what its owner permits.
    """
    allowed = permitted(terms.get(match["list"]) for match in hit["matches"])
    names = {
        "list": allowed.list_name,
        "entry": allowed.list_name,
        "category": allowed.list_name,
        "algorithm": allowed.distance,
        "distance": allowed.distance,
        "threshold": allowed.distance,
    }
    shown = [{name: match[name] if may else None for name, may in names.items()} for match in hit["matches"]]
    return {
        "sha256": hit["sha256"] if allowed.digest else None,
        "md5": hit["md5"] if allowed.digest else None,
        "matches": shown if allowed.list_name or allowed.distance else [],
    }
