"""What is said of the machine and its network: one line each, with how to mend it."""

from __future__ import annotations

import socket

import pytest

from crawler.fetch.surroundings import (
    Finding,
    address_families,
    certificate_store,
    descriptors,
    descriptors_needed,
    most_sockets,
    nameservers,
    proxies,
)
from tests.fetch.test_resolver import nameserver


def bad(finding: Finding, *words: str) -> bool:
    """Whether it is a complaint of one line that has these words."""
    return not finding.ok and "\n" not in finding.line and all(word in finding.line for word in words)


def test_proxies_are_ignored_and_their_values_are_not_shown() -> None:
    found = proxies({"HTTPS_PROXY": "http://user:geheim@proxy:1", "all_proxy": "x", "NO_PROXY": "*", "HOME": "/"})
    assert bad(found, "HTTPS_PROXY, all_proxy", "ignored", "unset")
    assert "geheim" not in found.line
    assert proxies({"HOME": "/", "no_proxy": "*"}).ok


def test_too_few_descriptors() -> None:
    wanted = descriptors_needed(96, 256)
    assert wanted > most_sockets(96, 256) >= 2 * 96 + 256
    assert bad(descriptors(wanted - 1, wanted), f"ulimit -n {wanted}", "VANGNET_IMAGE_CONCURRENCY", "SWEEP_CONCURRENCY")
    assert descriptors(wanted, wanted).ok
    assert descriptors(-1, wanted).ok


def test_an_address_family_that_is_missing() -> None:
    four, six = address_families(lambda family, _: family == socket.AF_INET)
    assert (four.ok, four.needed) == (True, False)
    assert bad(six, "IPv6", "unreachable")
    assert not six.needed
    assert all(each.needed and not each.ok for each in address_families(lambda *_: False))
    assert len(address_families()) == 2


def test_a_certificate_store_that_is_absent() -> None:
    assert bad(certificate_store(lambda: ()), "install ca-certificates")
    assert certificate_store(lambda: ("root",)).ok


async def test_nameservers_that_are_down() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        silent = f"127.0.0.1:{deaf.getsockname()[1]}"
        async with nameserver(lambda name, kind: 5) as refusing:
            first, second, third = await nameservers((refusing.address, silent, "127.0.0.1:99999"), 0.1)
    assert first.ok
    assert set(refusing.asked) == {("", "NS")}
    assert bad(second, silent, "does not answer", "network.nameservers")
    assert bad(third, "127.0.0.1:99999", "no address with a port")


@pytest.mark.parametrize("server", ["127.0.0.1:1", "[::1]:1"])
async def test_a_nameserver_where_nobody_listens(server: str) -> None:
    [found] = await nameservers((server,), 0.1)
    assert bad(found, server, "does not answer")
