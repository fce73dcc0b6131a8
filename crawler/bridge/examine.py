"""Image bytes to what may be known of them: the sandbox's answer as counters and sealed reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b, md5, sha1, sha256
from time import time

from crawler.bridge.runs import ServedRun
from crawler.fetch.sniff import sniff
from crawler.records import Digests, Examination, Fetched, HitReport, Lease


@dataclass(frozen=True, slots=True)
class Findings:
    """results: sealed reports, empty when nothing matched.  tally: counters.  failure: why it could not be decoded."""

    results: tuple[bytes, ...] = ()
    tally: dict[str, int] = field(default_factory=dict)
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class _Where:
    """page_url: the page that shows it, None when there is none."""

    image_url: str = field(repr=False)
    page_url: str | None = field(repr=False)


async def examine(served: ServedRun, lease: Lease, body: bytes, image_url: str, page_url: str | None) -> Findings:
    """Look at one image in the sandbox. Raises SandboxUnavailable: it was not looked at."""
    answer = await served.sandbox.examine(body)
    tally = {"images": 1}
    if answer.partial:
        tally["partial"] = 1
    return _findings(served, lease, answer, tally, _Where(image_url, page_url))


async def look_up(served: ServedRun, lease: Lease, digests: Digests, size: int) -> Findings:
    """Have the sandbox look up what a lease's own URL answered with, by its digests. Raises SandboxUnavailable.

    The bytes were hashed as they came in: a digest is no parser, and a film that is handed over piece by piece would
    keep a child from its images for a minute. The lists, and what agrees with them, are in the sandbox alone.
    """
    answer = await served.sandbox.look_up(digests, size)
    return _findings(served, lease, answer, {"digested": 1}, _Where(lease.item.url, lease.item.referrer))


def drawn(fetched: Fetched) -> Digests | None:
    """The digests of a drawing that is read like a page for the images in it: the file itself may be on a list too."""
    body = fetched.body
    if fetched.kind != "html" or sniff(body, fetched.header("Content-Type")) != "image":
        return None
    weak, old = md5(body, usedforsecurity=False), sha1(body, usedforsecurity=False)
    return Digests(weak.digest(), old.digest(), sha256(body).digest())


def _findings(served: ServedRun, lease: Lease, answer: Examination, tally: dict[str, int], where: _Where) -> Findings:
    results: tuple[bytes, ...] = ()
    if answer.found is not None:
        tally["hits"] = 1
        results = (served.sealer.seal(_report(served, lease, answer, where)),)
    if not answer.decoded:
        tally["undecodable"] = 1
        return Findings(results, tally, f"undecodable({answer.reason})")
    return Findings(results, tally)


def _serial(lease: Lease, image_url: str, sha256: bytes) -> str:
    """The same image at the same URL in the same run is one sighting, however often it was delivered.

    A server that lost its last second hands a URL out again whose hit is recorded already.
    """
    return blake2b(f"{lease.item.run}\0{image_url}".encode() + sha256, digest_size=16).hexdigest()


def _report(served: ServedRun, lease: Lease, answer: Examination, where: _Where) -> HitReport:
    assert answer.found is not None
    return HitReport(
        serial=_serial(lease, where.image_url, answer.found.sha256),
        run=lease.item.run,
        image_url=where.image_url,
        page_url=where.page_url,
        redirects=lease.item.via,
        found_at=time(),
        address=lease.item.address,
        index=answer.against or served.control.index,
        found=answer.found,
    )
