"""Links that act (logging out, deleting, voting, sharing, searching for a picture elsewhere) and are never followed.

The words and services stand in `acts.toml`. A GET should be safe (RFC 9110, 9.2.1); many servers do not know that.
"""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Final
from urllib.parse import unquote_plus

from crawler.discover.endings import IMAGE_ENDINGS

_JOINERS: Final = str.maketrans("", "", "-_+")
_TOKENS: Final = re.compile(r"[-_+]+")
_FILE_ENDING: Final = re.compile(r"\.[a-z0-9]{1,5}\Z")


@dataclass(frozen=True, slots=True, eq=False)  # compared by identity, so that it is a cheap key
class ActRules:
    """The lists of `acts.toml`. path_hint, query_hint: found in every path and query that any list could concern."""

    words: frozenset[str]
    verbs: frozenset[str]
    last_words: frozenset[str]
    action_names: frozenset[str]
    action_values: tuple[str, ...]
    tokens: frozenset[str]
    services: re.Pattern[str]
    service_hosts: re.Pattern[str]
    path_hint: re.Pattern[str]
    query_hint: re.Pattern[str]


def read_rules(text: str) -> ActRules:
    """The rules of a file in the format of `acts.toml`."""
    data: dict[str, list[str]] = tomllib.loads(text)
    return ActRules(
        words=frozenset(data["words"]),
        verbs=frozenset(data["verbs"]),
        last_words=frozenset(data["last_words"]),
        action_names=frozenset(data["action_names"]),
        action_values=tuple(data["action_values"]),
        tokens=frozenset(data["tokens"]),
        services=re.compile(r"(?:[^/]*\.)?(?:" + "|".join(data["services"]) + ")"),
        service_hosts=re.compile(
            r"(?:.*\.)?(?:" + "|".join(each.partition("/")[0] for each in data["services"]) + r")\Z"
        ),
        path_hint=_hint({*data["words"], *data["verbs"], *data["last_words"]}),
        query_hint=_hint({*data["words"], *data["tokens"], *data["action_names"]}),
    )


def _hint(words: set[str]) -> re.Pattern[str]:
    """Finds any of the words; joiners may stand anywhere in them ("log-out")."""
    return re.compile(rf"[^a-z0-9](?:{_any_of(words)})(?![a-z0-9])")


def _any_of(words: Iterable[str]) -> str:
    """A pattern of words by their letters, so that of a hundred words only those are tried that begin alike."""
    ends: defaultdict[str, set[str]] = defaultdict(set)
    for word in words:
        ends[word[:1]].add(word[1:])
    branches = []
    for letter, rest in sorted(ends.items()):
        longer = f"(?:[-_+]?(?:{_any_of(rest - {''})}))" if rest != {""} else ""
        branches.append(re.escape(letter) + longer + ("?" if longer and "" in rest else ""))
    return "|".join(branches)


RULES: Final = read_rules(resources.files("crawler.discover").joinpath("acts.toml").read_text("utf-8"))


def acts(url: str, page: str, rules: ActRules = RULES) -> bool:
    """Whether following the link `url` (canonical) from `page` (canonical) would do more than show something."""
    text = url.lower()
    host_at = text.index("/") + 2
    path_at = text.index("/", host_at)
    if _is_service(text[host_at:path_at], rules) and rules.services.match(text, host_at):
        return True
    path, question, query = text[path_at:].partition("?")
    if rules.path_hint.search(path) and _path_acts(path, rules):
        return True
    if not question:
        return False
    if rules.query_hint.search("?" + query) and _query_acts(query, rules):
        return True
    return "http" in query and _asks_another_server(url, page)


def is_harmless(path: str, rules: ActRules = RULES) -> bool:
    """Whether no word that acts stands anywhere in a path, absolute or relative; False does not say that one acts."""
    return rules.path_hint.search("/" + path.lower()) is None


@lru_cache(maxsize=4_096)
def _is_service(host: str, rules: ActRules) -> bool:
    return rules.service_hosts.match(host.partition(":")[0]) is not None


def named_image(url: str) -> str | None:
    """The absolute URL of an image file that a parameter of `url` holds, as viewers, proxies and search engines write
    it; None without one. It is what the link is about, and can be asked for where the link itself may not."""
    for value in _url_values(url):
        ending = value.partition("?")[0].partition("#")[0].rpartition(".")[2].lower()
        if ending in IMAGE_ENDINGS:
            return value
    return None


def _path_acts(path: str, rules: ActRules) -> bool:
    segments = [segment for segment in path.split("/") if segment]
    for number, segment in enumerate(segments, 1):
        ending = _FILE_ENDING.search(segment)
        if ending and ending[0][1:] in IMAGE_ENDINGS:
            continue
        stem = segment[: ending.start()] if ending else segment
        word = stem.translate(_JOINERS)
        if word in rules.words or (word in rules.last_words and number == len(segments)):
            return True
        tokens = _TOKENS.split(stem)
        if len(tokens) == 2 and tokens[0] in rules.verbs:
            return True
    return False


def _query_acts(query: str, rules: ActRules) -> bool:
    for pair in re.split("[&;]", query):
        name, _, value = pair.partition("=")
        name = name.translate(_JOINERS)
        if name in rules.words or name in rules.tokens:
            return True
        if name in rules.action_names and value.translate(_JOINERS).startswith(rules.action_values):
            return True
    return False


def _asks_another_server(url: str, page: str) -> bool:
    """Whether the link hands a URL of this server, or of an image, to some other server: a query that it acts on."""
    host, own = _host(url), _host(page)
    if host == own:
        return False
    return any(_host(value) == own for value in _url_values(url)) or named_image(url) is not None


def _url_values(url: str) -> list[str]:
    query = url.partition("?")[2]
    if "http" not in query.lower():
        return []
    values = [unquote_plus(pair.partition("=")[2]) for pair in query.split("&")]
    return [value for value in values if value[:8].lower().startswith(("http://", "https://"))]


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].lower()
