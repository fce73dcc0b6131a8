"""Checks for the values of a campaign file that are more than text and numbers: prefixes, names, URLs, nameservers."""

from __future__ import annotations

import re
from ipaddress import ip_network

from crawler.ranges import Network, parse_address, parse_prefix, special_overlap, special_prefix, subnet_of
from crawler.records import Rejected
from crawler.sections import refuse, text
from crawler.seeds import domain_name, seed_urls

_ADDRESS_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]{1,5})\Z")
_plain_text = text(longest=4_096)


def prefix(value: object) -> str | Rejected:
    """A prefix as canonical CIDR text; an address alone is the prefix of itself."""
    found = _plain_text(value)
    if isinstance(found, Rejected):
        return found
    network = parse_prefix(found)
    return refuse(f"{found[:80]!r} {network.detail}") if isinstance(network, Rejected) else str(network)


def address_text(value: object) -> str | Rejected:
    """An IP address in its canonical text."""
    found = _plain_text(value)
    if isinstance(found, Rejected):
        return found
    address = parse_address(found)
    return refuse(f"{found[:80]!r} is not an IP address") if isinstance(address, Rejected) else str(address)


def domain(value: object) -> str | Rejected:
    """A DNS name, lower case and IDNA-encoded. A leading "*." or "." is taken as the name behind it."""
    found = _plain_text(value)
    if isinstance(found, Rejected):
        return found
    name = domain_name(found.removeprefix("*").removeprefix("."))
    return refuse(f"{found[:80]!r} {name.detail}") if isinstance(name, Rejected) else name


def url(value: object) -> str | Rejected:
    """One absolute http or https URL, canonical."""
    found = _plain_text(value)
    if isinstance(found, Rejected):
        return found
    urls = seed_urls(found)
    if isinstance(urls, Rejected):
        return refuse(urls.detail)
    return urls[0] if len(urls) == 1 else refuse("is not absolute; names belong in seeds.domains")


def nameserver(value: object) -> str | Rejected:
    """ "ADDRESS:PORT" ("[IPv6]:PORT"), or an address alone for port 53. No names: who would resolve them?"""
    found = _plain_text(value)
    if isinstance(found, Rejected):
        return found
    match = _ADDRESS_PORT.match(found)
    host, port = (match[1] or match[2], int(match[3])) if match else (found, 53)
    address = parse_address(host)
    if isinstance(address, Rejected) or not 0 < port < 65_536 or (match and (address.version == 6) != bool(match[1])):
        return refuse(f"{found[:80]!r} is not a nameserver such as 127.0.0.1:5353 or [::1]:53")
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def prefix_objection(prefixes: tuple[str, ...], *, allow_private: bool) -> Rejected | None:
    """Why one of scope.prefixes can admit nothing. Rejected has its position as reason."""
    for position, network in enumerate(map(ip_network, prefixes)):
        special = special_prefix(network)
        if special is not None and not (allow_private and special.lab):
            why = "network.allow_private is off" if special.lab else "nothing there is on the internet"
            return Rejected(f"[{position}]", f"{network} is a {special.name} range and {why}")
    return None


def sweep_objection(
    sweep: str, admitted: list[Network], excluded: list[Network], *, tables: bool, allow_private: bool
) -> str | None:
    """Why not every address of a prefix to sweep can be in scope, in words; None when it can."""
    network = ip_network(sweep)
    if network.version == 6 and network.prefixlen < 112:
        return f"{network} is too large to sweep; IPv6 prefixes are at least /112"
    special = special_overlap(network)
    if special is not None and not (allow_private and special.lab):
        return f"{network} overlaps the {special.name} range {special.network}"
    overlapping = next((row for row in excluded if row.overlaps(network)), None)
    if overlapping is not None:
        return f"{network} overlaps {overlapping} of scope.exclude_prefixes"
    within = any(subnet_of(network, row) for row in admitted)
    return None if tables or within else f"{network} is in none of scope.prefixes"
