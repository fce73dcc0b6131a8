"""A crawler that knows nothing of ours: it takes every piece of a page for a URL, and keeps those that the lab has.

It calls itself a browser, says where it comes from, and sends back the cookies of each host.
"""

from __future__ import annotations

import html
import re
from http.client import HTTPConnection, HTTPException
from urllib.parse import quote, urljoin, urlsplit

from crawler.lab.process import Lab

PIECES = re.compile(r"""[\s"'<>()=,;]+""")
TRIES = 3
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


def fetch(lab: Lab, url: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
    """One request to the first address of the URL's host. Raises OSError or HTTPException when there is no answer."""
    found = urlsplit(url)
    host, answer = found.hostname or "", lab.plan.names[found.hostname or ""]
    address = (answer.addresses or lab.plan.names[answer.cname or ""].addresses)[0]
    connection = HTTPConnection(address, lab.port, timeout=10)
    try:
        target = found.path + (f"?{found.query}" if found.query else "")
        connection.request("GET", target, headers={"Host": f"{host}:{lab.port}", **(headers or {})})
        with connection.getresponse() as response:
            body = (
                response.read(300_000)
                if "chunked" in response.headers.get("Transfer-Encoding", "")
                else response.read()
            )
            return response.status, {key.lower(): value for key, value in response.getheaders()}, body
    finally:
        connection.close()


def crawl(lab: Lab, wanted: frozenset[str]) -> dict[str, int]:
    """Fetch every URL of `wanted` that can be reached from the seeds: URL -> status, 0 without an answer.

    What was refused is asked for again by the way of every other page that names it.
    """
    found: dict[str, int] = {}
    cookies: dict[str, str] = {}
    queue, ways = [(url, "") for url in lab.plan.seeds], set[tuple[str, str]]()
    while queue:
        url, page = way = queue.pop()
        if way in ways or url not in wanted or found.get(url, 403) != 403:
            continue
        ways.add(way)
        found[url], names = _visit(lab, url, page, cookies)
        queue += [(name, url) for name in names]
    return found


def _visit(lab: Lab, url: str, page: str, cookies: dict[str, str]) -> tuple[int, list[str]]:
    host = urlsplit(url).hostname or ""
    sent = {"User-Agent": BROWSER, "Referer": page, "Cookie": cookies.get(host, "")}
    status = 0
    for _ in range(TRIES):
        try:
            status, headers, body = fetch(lab, url, {name: value for name, value in sent.items() if value})
        except (OSError, HTTPException):
            status = 0
            continue
        if status < 500:
            if "set-cookie" in headers:
                cookies[host] = headers["set-cookie"].partition(";")[0]
            texts = [headers.get("location", "")] if status >= 300 else _texts(headers, body)
            return status, [_absolute(url, piece) for text in texts for piece in _pieces(text)]
    return status, []


def _texts(headers: dict[str, str], body: bytes) -> list[str]:
    if headers.get("content-encoding") == "gzip":
        import gzip

        body = gzip.decompress(body)
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return [body.decode("utf-16")]
    if not body.lstrip().startswith((b"<", b"/*")):
        return []
    return [body.decode("latin-1" if "8859" in headers.get("content-type", "") else "utf-8", "replace")]


def _pieces(text: str) -> list[str]:
    """Quoted values whole and cut at separators, entities resolved."""
    text = html.unescape(text.replace("&quot;", '"'))
    whole = re.findall(r'"([^"<>]*)"', text) + re.findall(r"'([^'<>]*)'", text)
    whole += re.findall(r"url\(([^)]*)\)", text) + re.findall(r"(?:href|src)=([^\s>\"'<]+)", text)
    return [piece.strip("'\" ") for value in whole for piece in (value, *PIECES.split(value), *value.split())] + [text]


def _absolute(base: str, piece: str) -> str:
    try:
        return (
            urljoin(base, quote(piece.rstrip(","), safe="/:?&=%;,+~#!$'()*@[]")).partition("#")[0]
            if len(piece) < 500
            else ""
        )
    except ValueError:
        return ""
