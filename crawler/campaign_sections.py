"""The sections of a campaign file, one frozen type each; `docs/campaign.md` describes their keys."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Annotated, Literal

from crawler.campaign_checks import address_text, domain, nameserver, prefix, url
from crawler.sections import choice, day, each, flag, integer, number, section, text

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


@dataclass(frozen=True, slots=True)
class About:
    """[campaign]. valid_until: the last day on which it may start.  decision: reference of the mandate, or ""."""

    name: Annotated[str, text(pattern=_NAME, form="a name of letters, digits, dots and dashes (at most 64)")]
    purpose: Annotated[str, text()]
    legal_basis: Annotated[str, text()]
    authorised_by: Annotated[str, text()]
    valid_until: Annotated[datetime.date, day]
    decision: Annotated[str, text(empty=True)] = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """[identity]: who we are to the servers that we visit.

    source_addresses: empty means the system's choice.  second_user_agent: for a second look at what was refused to the
    first, or ""; robots.txt is obeyed under both names.
    """

    user_agent: Annotated[str, text(pattern=r"[ -~]+", form="printable ASCII")] = "Vangnet (test in a lab)"
    contact: Annotated[str, text(pattern=r"[ -~]+", form="printable ASCII")] = "postmaster@lab.example"
    source_addresses: Annotated[tuple[str, ...], each(address_text, longest=256)] = ()
    second_user_agent: Annotated[str, text(pattern=r"[ -~]*", form="printable ASCII", empty=True)] = ""


@dataclass(frozen=True, slots=True)
class ScopeRules:
    """[scope]. Prefixes are canonical CIDR text, countries upper case. ports: empty means any that a link names."""

    countries: Annotated[tuple[str, ...], each(text(pattern="[A-Z]{2}", form="a two-letter code such as NL"))] = ()
    prefixes: Annotated[tuple[str, ...], each(prefix)] = ()
    asns: Annotated[tuple[int, ...], each(integer(1, 4_294_967_295))] = ()
    exclude_prefixes: Annotated[tuple[str, ...], each(prefix)] = ()
    exclude_domains: Annotated[tuple[str, ...], each(domain)] = ()
    ports: Annotated[tuple[int, ...], each(integer(1, 65_535))] = ()
    pointers: Annotated[Literal["none", "pages"], choice("none", "pages")] = "none"


@dataclass(frozen=True, slots=True)
class Seeds:
    """[seeds]. urls, pointers: canonical.  domains: IDNA names.  files: absolute once loaded from a file."""

    urls: Annotated[tuple[str, ...], each(url)] = ()
    domains: Annotated[tuple[str, ...], each(domain)] = ()
    files: Annotated[tuple[str, ...], each(text(longest=4096), longest=100)] = ()
    pointers: Annotated[tuple[str, ...], each(url)] = ()
    sweep: Annotated[tuple[str, ...], each(prefix)] = ()
    sweep_ports: Annotated[tuple[int, ...], each(integer(1, 65_535), longest=64)] = (80, 443)


@dataclass(frozen=True, slots=True)
class AddressLimit:
    """[[limits.address]]: other limits for the addresses of one prefix, at most /64 long in IPv6."""

    prefix: Annotated[str, prefix]
    requests_per_second: Annotated[float, number(0.001, 10_000)]
    concurrency: Annotated[int, integer(1, 1_024)]


@dataclass(frozen=True, slots=True)
class Limits:
    """[limits]. requests_per_second, concurrency: per IP address (an IPv6 /64 is one), over all workers.

    max_depth: links followed from a seed; 0 fetches the seeds and the images on them.  max_urls_per_host,
    max_urls_per_domain: in one run; a domain is a registered one, as in "example.nl".  max_image_bytes: after
    decompression.  digest_only: videos, archives and PDF files are asked for, hashed whole and looked up by their
    digests; max_digest_bytes: of one of them.  sweep_rate: addresses of one /24 (in IPv6, /120) that a sweep begins
    with in a second.  address: overrides, in the file's order.
    """

    requests_per_second: Annotated[float, number(0.001, 1_000)] = 4.0
    concurrency: Annotated[int, integer(1, 256)] = 2
    max_depth: Annotated[int, integer(0, 1_000)] = 8
    max_urls_per_host: Annotated[int, integer(1, 1_000_000_000)] = 50_000
    max_urls_per_domain: Annotated[int, integer(1, 1_000_000_000)] = 500_000
    max_image_bytes: Annotated[int, integer(1_024, 1_073_741_824)] = 33_554_432
    digest_only: Annotated[bool, flag] = False
    max_digest_bytes: Annotated[int, integer(1_024, 1_099_511_627_776)] = 268_435_456
    robots: Annotated[Literal["obey", "record"], choice("obey", "record")] = "obey"
    robots_basis: Annotated[str, text(empty=True)] = ""
    render: Annotated[Literal["never", "auto", "always"], choice("never", "auto", "always")] = "auto"
    session: Annotated[Literal["none", "host"], choice("none", "host")] = "host"
    sweep_rate: Annotated[float, number(0.001, 10_000)] = 2.0
    address: Annotated[tuple[AddressLimit, ...], each(section(AddressLimit), longest=10_000)] = ()


@dataclass(frozen=True, slots=True)
class MatchRules:
    """[match]. lists: empty means all that are enabled.  Distances are bits, quality is PDQ's 0 to 100."""

    lists: Annotated[tuple[str, ...], each(text(longest=200))] = ()
    pdq_distance: Annotated[int, integer(0, 31)] = 31
    phash_distance: Annotated[int, integer(0, 8)] = 4
    min_quality: Annotated[int, integer(0, 100)] = 50
    orientations: Annotated[Literal["none", "mirror", "all"], choice("none", "mirror", "all")] = "mirror"


@dataclass(frozen=True, slots=True)
class Network:
    """[network]. nameservers: "ADDRESS:PORT", empty means the system's.  allow_private: lab settings only."""

    nameservers: Annotated[tuple[str, ...], each(nameserver, longest=64)] = ()
    allow_private: Annotated[bool, flag] = False
