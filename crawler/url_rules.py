"""The lists of `url_rules.toml`: query parameters that do not decide what a server sends."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib import resources

_COUNTS = re.compile(r"[0-9][0-9._-]*\Z|[0-9a-f]{6,}\Z", re.I)


@dataclass(frozen=True, slots=True)
class Names:
    """Parameter names in lower case, some of them prefixes."""

    exact: frozenset[str]
    prefixes: tuple[str, ...] = ()

    @classmethod
    def of(cls, names: list[str]) -> Names:
        """A trailing * makes a prefix."""
        return cls(
            frozenset(name for name in names if not name.endswith("*")),
            tuple(name[:-1] for name in names if name.endswith("*")),
        )

    def __contains__(self, name: str) -> bool:
        return name in self.exact or name.startswith(self.prefixes)


@dataclass(frozen=True, slots=True)
class Rules:
    """What of a query may be left out; see `url_rules.toml` for what each list is for."""

    tracking: Names
    volatile: Names
    signed: tuple[tuple[frozenset[str], frozenset[str]], ...]
    busters: frozenset[str]
    file_busters: frozenset[str]
    tracking_hint: re.Pattern[str]

    def may_track(self, query: str) -> bool:
        """Quick look: whether any tracking name could stand in the query."""
        return self.tracking_hint.search(query) is not None

    def is_tracking(self, name: str) -> bool:
        return name.lower() in self.tracking

    def without_volatile(self, query: str, *, behind_file: bool) -> str:
        """The query without what servers change by themselves; its order stays."""
        pairs = [(pair, *pair.split("=", 1)) if "=" in pair else (pair, pair, "") for pair in query.split("&")]
        present = {name.lower() for _, name, _ in pairs}
        signed = {name for triggers, names in self.signed if not triggers.isdisjoint(present) for name in names}
        busters = self.busters | self.file_busters if behind_file else self.busters
        return "&".join(
            pair
            for pair, name, value in pairs
            if not (
                name.lower() in signed
                or name.lower() in self.volatile
                or (name.lower() in busters and _COUNTS.match(value))
                or (name.isdigit() and not value and len(name) >= 8)
            )
        )


def read_rules(text: str) -> Rules:
    """The rules of a file in the format of `url_rules.toml`."""
    data = tomllib.loads(text)
    tracking = Names.of(data["tracking"]["names"])
    names = [*map(re.escape, tracking.exact), *map(re.escape, tracking.prefixes)]
    return Rules(
        tracking=tracking,
        volatile=Names.of(data["volatile"]["names"]),
        signed=tuple((frozenset(group["with"]), frozenset(group["names"])) for group in data["signed"]),
        busters=frozenset(data["busters"]["names"]),
        file_busters=frozenset(data["busters"]["file_names"]),
        tracking_hint=re.compile(r"(?:^|&)(?:" + "|".join(sorted(names)) + ")", re.I),
    )


RULES = read_rules(resources.files("crawler").joinpath("url_rules.toml").read_text("utf-8"))
