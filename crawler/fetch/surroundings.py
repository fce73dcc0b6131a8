"""What of the machine and its network a crawl needs, looked at one by one: pure but for the question itself.

Each function answers with findings and raises nothing: `vangnet worker` says what it finds as it starts.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Final

from crawler.errors import OptionInvalid
from crawler.fetch.proxies import is_proxy_variable

_ROUTED: Final = {"IPv4": (socket.AF_INET, "192.0.2.1"), "IPv6": (socket.AF_INET6, "2001:db8::1")}
_SPARE: Final = 128
"""Descriptors of a worker beside its connections to servers: Redis, sandbox, logs, name resolution."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    name: short and stable.  ok: nothing is to be done.  line: what there is, where, and how to mend it.
    needed: without it no crawl can work; else it works, with less.
    """

    name: str
    ok: bool
    line: str
    needed: bool = False


def proxies(environment: Mapping[str, str]) -> Finding:
    """Proxy variables, which many programs follow and this one does not: a proxy would choose the address itself."""
    names = sorted(name for name in environment if is_proxy_variable(name) and name.lower() != "no_proxy")
    if not names:
        return Finding("proxy", True, "no proxy is set")
    said = f"{', '.join(names)} in the environment: ignored, for connections go to the addresses that were judged"
    return Finding("proxy", False, f"{said}; unset it to be rid of this line")


def most_sockets(lanes: int, sweeps: int) -> int:
    """Connections to servers that a worker has open at the most, over all its runs.

    lanes: requests in flight over both lanes; as many connections may be idle, or wait for servers that say nothing.
    sweeps: swept addresses in flight.
    """
    return 2 * lanes + sweeps


def descriptors_needed(lanes: int, sweeps: int) -> int:
    """Open files that a worker needs; lanes, sweeps as in `most_sockets`."""
    return most_sockets(lanes, sweeps) + _SPARE


def descriptors(limit: int, wanted: int) -> Finding:
    """limit: open files that a process may have (RLIMIT_NOFILE; negative: any number).  wanted: that it needs."""
    if limit < 0 or limit >= wanted:
        return Finding("descriptors", True, f"{limit} open files are allowed, {wanted} are needed", needed=True)
    return Finding(
        "descriptors",
        False,
        f"only {limit} open files are allowed, a worker needs {wanted}; raise the limit (ulimit -n {wanted}, or "
        "LimitNOFILE= of the unit), or lower VANGNET_IMAGE_CONCURRENCY or VANGNET_SWEEP_CONCURRENCY",
        needed=True,
    )


def address_families(routed: Callable[[int, str], bool] | None = None) -> tuple[Finding, ...]:
    """Whether there is a way to the IPv4 and to the IPv6 internet. No packet is sent.

    routed: replaces the question to the kernel.
    """
    found = {name: (routed or _is_routed)(*where) for name, where in _ROUTED.items()}
    return tuple(
        Finding(
            name.lower(),
            there,
            f"{name} has a route"
            if there
            else f"no route to the {name} internet: URLs at {name} addresses fail as unreachable; give this machine "
            f"{name}, or leave its prefixes out of the scope",
            needed=not any(found.values()),
        )
        for name, there in found.items()
    )


def _is_routed(family: int, address: str) -> bool:
    try:
        with closing(socket.socket(family, socket.SOCK_DGRAM)) as probe:
            probe.connect((address, 9))  # of a datagram socket: the kernel looks up the route, and that is all
    except OSError:
        return False
    return True


def certificate_store(roots: Callable[[], Collection[object]] | None = None) -> Finding:
    """The root certificates by which servers' certificates are judged; they are recorded, never refused.

    roots: replaces the question to the system.
    """
    from crawler.fetch.tls import system_roots

    count = len((roots or system_roots)())
    if count:
        return Finding("certificates", True, f"{count} root certificates")
    return Finding(
        "certificates",
        False,
        "no root certificates on this machine: every server's certificate is recorded as not trusted; install "
        "ca-certificates",
    )


async def nameservers(servers: Sequence[str], patience: float = 2.0) -> tuple[Finding, ...]:
    """Whether each nameserver answers a question for the root; any answer will do, also a refusal.

    servers: as a campaign names them; empty: the system's, as one.  patience: seconds for each, two tries.
    """
    return tuple([await _nameserver(server, patience) for server in servers or ("",)])


async def _nameserver(server: str, patience: float) -> Finding:
    # Who asks no nameserver, as the command of a crawl, need not wait for the libraries that do.
    import aiodns
    from aiodns import error as ares

    from crawler.fetch.resolver import nameserver_text

    what = f"nameserver {server}" if server else "the system's nameserver"
    try:
        asked = [nameserver_text(server)] if server else None
    except OptionInvalid as error:
        return Finding("nameserver", False, str(error), needed=True)
    resolver = aiodns.DNSResolver(nameservers=asked, timeout=patience, tries=2)
    try:
        with suppress(UnicodeError):
            await resolver.query_dns(".", "NS")
    except aiodns.error.DNSError as error:
        if error.args[0] in (ares.ARES_ETIMEOUT, ares.ARES_ECONNREFUSED, ares.ARES_ECANCELLED):
            line = f"{what} does not answer: hosts that only it knows fail as dns-timeout or dns-unreachable; "
            mend = "correct network.nameservers of the campaign" if server else "correct /etc/resolv.conf"
            return Finding("nameserver", False, line + mend, needed=True)
    finally:
        await resolver.close()
    return Finding("nameserver", True, f"{what} answers", needed=True)
