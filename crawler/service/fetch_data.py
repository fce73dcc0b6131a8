"""Fetches address data from where it is published, into files; nothing is believed yet."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from crawler.errors import HomeUnusable

_RIPE: Final = "https://ftp.ripe.net/ripe"
SOURCES: Final = (
    "https://ftp.ripe.net/pub/stats/ripencc/delegated-ripencc-extended-latest",
    f"{_RIPE}/dbase/split/ripe.db.inetnum.gz",
    f"{_RIPE}/dbase/split/ripe.db.inet6num.gz",
    f"{_RIPE}/dbase/split/ripe.db.aut-num.gz",
    f"{_RIPE}/dbase/split/ripe.db.organisation.gz",
    f"{_RIPE}/dbase/split/ripe.db.role.gz",
    "https://www.ris.ripe.net/dumps/riswhoisdump.IPv4.gz",
    "https://www.ris.ripe.net/dumps/riswhoisdump.IPv6.gz",
    f"{_RIPE}/asnames/asn.txt",
    "https://www.cloudflare.com/ips-v4",
    "https://www.cloudflare.com/ips-v6",
    "https://api.fastly.com/public-ip-list",
    "https://ip-ranges.amazonaws.com/ip-ranges.json",
    "https://www.gstatic.com/ipranges/goog.json",
    "https://www.gstatic.com/ipranges/cloud.json",
    "https://publicsuffix.org/list/public_suffix_list.dat",
)
"""Where the data is published that anybody may fetch."""

MAX_FILE: Final = 4_294_967_296
_TIMES: Final = aiohttp.ClientTimeout(total=1_800, connect=20, sock_read=60)
_AT_ONCE: Final = 4
_HEADERS: Final = {"User-Agent": "Vangnet data update", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Fetched:
    """One address. shown: it without query and user, which may hold a licence key.  problem: why it was not fetched, ""
    when it was.  reached: whether a server answered."""

    shown: str
    path: Path
    problem: str = ""
    reached: bool = True


def download(addresses: Sequence[str], place: Path) -> list[Fetched]:
    """Fetch all, a few at a time, in their order. Redirects are followed; HTTPS never by way of plain HTTP.

    Raises HomeUnusable when `place` cannot hold what comes.
    """
    return asyncio.run(_download(addresses, place))


async def _download(addresses: Sequence[str], place: Path) -> list[Fetched]:
    slots = asyncio.Semaphore(_AT_ONCE)
    async with aiohttp.ClientSession(
        timeout=_TIMES, headers=_HEADERS, trust_env=True, auto_decompress=False
    ) as session:

        async def one(number: int, url: str) -> Fetched:
            async with slots:
                return await _fetch(session, url, place / f"{number}")

        return list(await asyncio.gather(*(one(number, url) for number, url in enumerate(addresses))))


async def _fetch(session: aiohttp.ClientSession, url: str, path: Path) -> Fetched:
    shown, reached = _shown(url), False
    try:
        async with session.get(url) as answer:
            return Fetched(shown, path, await _taken(answer, url, path))
    except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
        problem, reached = f"cannot be reached safely ({_certificate(error)})", True
    except aiohttp.ClientConnectorError as error:
        problem = f"cannot be reached ({error.os_error.strerror or 'no connection'})"
    except TimeoutError:
        problem = "no answer in time"
    except aiohttp.ClientPayloadError:
        problem, reached = "the answer broke off", True
    except aiohttp.TooManyRedirects:
        problem, reached = "redirects in a circle", True
    except aiohttp.RedirectClientError:
        problem, reached = "redirects to what is no address of the web", True
    except aiohttp.ClientResponseError:
        problem, reached = "the answer is not as HTTP has it", True
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
        problem = "is no address of the web"
    except (aiohttp.ClientError, ValueError) as error:
        problem = f"cannot be fetched ({type(error).__name__})"
    except OSError as error:
        raise HomeUnusable(f"{path.parent}: cannot hold what is fetched: {error.strerror}; make room") from error
    return Fetched(shown, path, problem, reached)


async def _taken(answer: aiohttp.ClientResponse, url: str, path: Path) -> str:
    """Write the answer to a file; what is wrong with it, "" for nothing."""
    if url.lower().startswith("https:") and any(each.url.scheme != "https" for each in (*answer.history, answer)):
        return "redirects from HTTPS to HTTP"
    if answer.status != 200:
        return f"HTTP status {answer.status}"
    size = await _store(answer, path)
    if size is None:
        return f"longer than {MAX_FILE} bytes"
    said = answer.content_length
    return "" if said in (None, size) else f"{size} bytes came, {said} were announced"


async def _store(answer: aiohttp.ClientResponse, path: Path) -> int | None:
    """The bytes that were written, None when there were too many."""
    size = 0
    with path.open("wb") as stream:
        async for block in answer.content.iter_chunked(1 << 20):
            size += len(block)
            if size > MAX_FILE:
                return None
            await asyncio.to_thread(stream.write, block)
    return size


def _shown(url: str) -> str:
    try:
        parts = urlsplit(url)
        if parts.scheme and parts.hostname:
            return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
    except ValueError:
        pass
    return "an address that is no URL"


def _certificate(error: aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError) -> str:
    """What is wrong with a certificate, without the parts of OpenSSL's message that speak of its source code."""
    found: BaseException = error
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        found = error.certificate_error
    return getattr(found, "verify_message", "") or "no TLS"
