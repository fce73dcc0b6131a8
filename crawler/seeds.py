"""Seeds as people write them: a URL or a domain name, in the campaign file or one a line in a seed file.

Seed files are UTF-8 text; empty lines and lines that start with "#" are skipped. They are read line by line, so their
length does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from crawler.errors import CampaignInvalid
from crawler.records import Rejected
from crawler.urls import canonical, parts

MAX_LINE = 8_192
"""Longest line of a seed file, in bytes."""


_PLAIN_NAME: Final = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}\Z")


def seed_urls(text: str) -> tuple[str, ...] | Rejected:
    """The canonical URLs that a seed stands for: itself, or for a name the root over https and over http.

    The Rejected's detail says what is wrong with it.
    """
    if "/" in text or text.lower().startswith(("http:", "https:")):
        url = canonical(text)
        return Rejected(url.reason, _explain(url.reason)) if isinstance(url, Rejected) else (url,)
    name = domain_name(text)
    return name if isinstance(name, Rejected) else (f"https://{name}/", f"http://{name}/")


def domain_name(text: str) -> str | Rejected:
    """A DNS name in the form in which it is resolved and compared: lower case, IDNA, without a trailing dot."""
    if _PLAIN_NAME.match(text) and "xn--" not in text:
        return text  # as most lines of most lists are, of which there are millions
    url = canonical(f"http://{text}/") if not set(text) & set("/?#@:\\ ") else Rejected("host")
    if isinstance(url, Rejected):
        return Rejected("domain", "is not a domain name")
    found = parts(url)
    return Rejected("domain", "is an address, not a domain name") if found.is_address else found.host


def seed_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(line number from 1, seed) for every seed of a file.

    Raises CampaignInvalid for a file that cannot be read and for a line that is too long or no UTF-8.
    """
    try:
        if not path.is_file():
            raise CampaignInvalid(f"{path}: seeds.files: {'is no regular file' if path.exists() else 'does not exist'}")
        with path.open("rb") as stream:
            number = 0
            while line := stream.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    raise CampaignInvalid(f"{path}: line {number}: longer than {MAX_LINE} bytes")
                seed = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                if seed and not seed.startswith("#"):
                    yield number, seed
    except UnicodeDecodeError as error:
        raise CampaignInvalid(f"{path}: line {number}: is not UTF-8 text") from error
    except OSError as error:
        raise CampaignInvalid(f"{path}: seeds.files: cannot be read: {error.strerror}") from error


def _explain(reason: str) -> str:
    return {
        "control-characters": "holds control characters",
        "credentials": "holds a user name or password",
        "host": "has no valid host",
        "idna": "has a host name that is no valid IDNA",
        "port": "has a port that is no number from 1 to 65535",
        "relative": "is not absolute; begin with https:// or http://",
        "scheme": "is not http or https",
        "too-long": "is too long",
    }.get(reason, reason)
