"""Registered domains, and what a hit says of hoster and CDN."""

from __future__ import annotations

import socket

import pytest

from crawler.attribute.chain import attribute, cdn_json, hoster_json
from crawler.attribute.domain import registered_domains
from crawler.errors import InvalidInput
from crawler.records import AddressFacts, Evidence

DOMAINS = [
    ("www.example.nl", "example.nl", "example.nl"),
    ("example.nl", "example.nl", "example.nl"),
    ("a.b.co.nl", "b.co.nl", "co.nl"),
    ("user.github.io", "user.github.io", "github.io"),
    ("github.io", "github.io", "github.io"),
    ("shop.example.co.uk", "example.co.uk", "example.co.uk"),
    ("co.uk", "co.uk", "co.uk"),
    ("gallery.polder.example", "polder.example", "polder.example"),
    ("a.b.test", "b.test", "b.test"),
    ("localhost", "localhost", "localhost"),
    ("www.ck", "www.ck", "www.ck"),
    ("x.xn--mnster-3ya.nl", "xn--mnster-3ya.nl", "xn--mnster-3ya.nl"),
]


@pytest.mark.parametrize(("host", "domain", "icann"), DOMAINS)
def test_registered_domains(host: str, domain: str, icann: str) -> None:
    assert registered_domains(host) == (domain, icann)


def test_the_suffix_list_is_never_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", forbidden)
    assert registered_domains("never.asked.before.co.nl") == ("before.co.nl", "co.nl")


class Table:
    """Knows one address."""

    def lookup(self, address: str) -> AddressFacts:
        if address != "192.0.2.1":
            return AddressFacts()
        fact = Evidence("country NL", "test", "2026-06-17", "192.0.2.0/24")
        return AddressFacts("NL", "192.0.2.0/24", 64496, "Polder", None, "Polder B.V.", None, "Edge", (fact,))


def test_a_hit_behind_a_cdn() -> None:
    found = attribute("https://a.b.co.nl/x", "192.0.2.1", Table())
    assert (found.domain, found.icann_domain, found.address) == ("b.co.nl", "co.nl", "192.0.2.1")
    assert cdn_json(found) == {"name": "Edge", "origin": "unknown"}
    hoster = hoster_json(found)
    domain = hoster["evidence"].pop()
    assert domain["fact"] == "registered domain b.co.nl, in the registry co.nl"
    assert domain["source"].startswith("Public Suffix List in tldextract")
    assert hoster == {
        "asn": 64496,
        "as_name": "Polder",
        "network": "192.0.2.0/24",
        "holder": "Polder B.V.",
        "abuse_contact": None,
        "country": "NL",
        "evidence": [{"fact": "country NL", "source": "test", "date": "2026-06-17", "prefix": "192.0.2.0/24"}],
    }


def test_an_unknown_address_has_every_key() -> None:
    found = attribute("http://198.51.100.1:8080/", "198.51.100.1", Table())
    assert (found.domain, found.icann_domain) == (None, None)
    assert cdn_json(found) is None
    hoster = hoster_json(found)
    assert hoster.pop("evidence") == []
    assert set(hoster) == {"asn", "as_name", "network", "holder", "abuse_contact", "country"}
    assert set(hoster.values()) == {None}


def test_only_canonical_urls() -> None:
    with pytest.raises(InvalidInput):
        attribute("HTTP://A.NL", "192.0.2.1", Table())
