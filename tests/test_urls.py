"""Canonical URLs, and the keys made of them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crawler.errors import InvalidInput
from crawler.records import Rejected
from crawler.url_rules import read_rules
from crawler.urls import MAX_URL, canonical, host_key, masked, parts, resource_key, url_number

KEY = b"k" * 16

# Text that looks like URLs often enough to get past the first check.
URLISH = st.text("htps:/.@%[]?#&=\\ax0127-_~;,é\u0000\u202eА١ \t", max_size=40)
PREFIXED = st.builds(str.__add__, st.sampled_from(["http://", "https://", "http://h/", "//", "http://xn--"]), URLISH)


def ok(url: str, base: str | None = None) -> str:
    result = canonical(url, base)
    assert isinstance(result, str), result
    return result


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTP://Example.NL:80/a/./b/../c#x", "http://example.nl/a/c"),
        ("https://example.nl:443", "https://example.nl/"),
        ("https://example.nl:8443/", "https://example.nl:8443/"),
        ("http://example.nl./x", "http://example.nl/x"),
        ("http://example.nl?", "http://example.nl/"),
        (" \n http://exa\tmple.nl/a\nb \r\n", "http://example.nl/ab"),
        ("http:\\\\example.nl\\a", "http://example.nl/a"),
        ("http://example.nl/a b\u00e9", "http://example.nl/a%20b%C3%A9"),
        ("http://m\u00fcnchen.example/", "http://xn--mnchen-3ya.example/"),
        ("http://ex\u00adample.nl/", "http://example.nl/"),
        ("http://example.nl/?b=2&a=1&b=1", "http://example.nl/?b=2&a=1&b=1"),
        ("http://example.nl/%2e%2e/x", "http://example.nl/x"),
        ("http://my_host.example.nl/", "http://my_host.example.nl/"),
    ],
)
def test_canonical_form(url: str, expected: str) -> None:
    assert ok(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "http://0x7f.1/",
        "http://2130706433/",
        "http://017700000001/",
        "http://127.1/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[0:0:0:0:0:ffff:7f00:0001]/",
        "http://\uff11\uff12\uff17.0.0.1/",
        "http://127\u30020\u30020\u30021/",
        "http://%31%32%37.0.0.1/",
        "http://127.0.0.1./",
    ],
)
def test_every_notation_of_an_address_ends_as_one(url: str) -> None:
    assert ok(url) == "http://127.0.0.1/"


def test_ipv6_in_its_short_form() -> None:
    assert ok("http://[2001:DB8:0:0::0001]:8080/") == "http://[2001:db8::1]:8080/"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://example.nl/", "scheme"),
        ("javascript:void(0)", "scheme"),
        ("mailto:a@example.nl", "scheme"),
        ("data:image/png;base64," + "A" * 100_000, "scheme"),
        ("data:text/plain,\x00", "scheme"),
        ("http://user@example.nl/", "credentials"),
        ("http://user:secret@example.nl/", "credentials"),
        ("http://a@b@[/", "credentials"),
        ("http://example.nl/\x00", "control-characters"),
        ("http://example.nl/%00.jpg", "control-characters"),
        ("http://example.nl/\u202egpj.exe", "control-characters"),
        ("http://example.nl/\u2066x", "control-characters"),
        ("http://example.nl/\x7f", "control-characters"),
        ("http://example.nl/\x85", "control-characters"),
        ("http://example.nl/\ud800", "control-characters"),
        ("http://example.nl/" + "a" * MAX_URL, "too-long"),
        ("http://example.nl/" + "\u00e9" * 400, "too-long"),
        ("http://example.nl/" + "a" * 1_000_000, "too-long"),
        ("http://example.nl:0/", "port"),
        ("http://example.nl:65536/", "port"),
        ("http://example.nl:x/", "port"),
        ("http://", "host"),
        ("http:///", "host"),
        ("http://./", "host"),
        ("http://a..b/", "host"),
        ("http://a b/", "host"),
        ("http://" + "a" * 64 + ".nl/", "host"),
        ("http://" + "a." * 130 + "nl/", "host"),
        ("http://[::1/", "host"),
        ("http://xn--/", "idna"),
        ("http://xn--\u00e9.nl/", "idna"),
        ("http://\u2488com.nl/", "idna"),
        ("http://a%00b.nl/", "control-characters"),
        ("http://a%2fb.nl/", "idna"),
        ("", "relative"),
        ("a/b.jpg", "relative"),
        ("//example.nl/", "relative"),
    ],
)
def test_what_is_refused_says_why(url: str, reason: str) -> None:
    assert canonical(url) == Rejected(reason)


def test_a_url_of_exactly_the_longest_length_is_taken() -> None:
    url = "http://example.nl/" + "a" * (MAX_URL - 18)
    assert ok(url) == url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("b.jpg", "http://example.nl/a/b.jpg"),
        ("/b.jpg", "http://example.nl/b.jpg"),
        ("//img.example.nl/b.jpg", "http://img.example.nl/b.jpg"),
        ("?p=2", "http://example.nl/a/c.html?p=2"),
        ("#top", "http://example.nl/a/c.html?q=1"),
        ("", "http://example.nl/a/c.html?q=1"),
        ("../../../x", "http://example.nl/x"),
        ("https://other.example/", "https://other.example/"),
        ("http:d.jpg", "http://example.nl/a/d.jpg"),
    ],
)
def test_relative_to_a_base(url: str, expected: str) -> None:
    assert ok(url, "http://example.nl/a/c.html?q=1") == expected


def test_an_unusable_base_does_not_spoil_an_absolute_url() -> None:
    assert ok("http://example.nl/x", "nonsense") == "http://example.nl/x"
    assert canonical("x", "nonsense") == Rejected("relative")


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("?utm_source=a&id=3&UTM_Medium=b", "?id=3"),
        ("?fbclid=abc", ""),
        ("?gclid=1&", ""),
        ("?id=3&gclid=1&p=2", "?id=3&p=2"),
        ("?xutm_source=a&my_gclid=1", "?xutm_source=a&my_gclid=1"),
        ("?gclidx=1", "?gclidx=1"),
        ("?q=utm_source", "?q=utm_source"),
    ],
)
def test_tracking_parameters_go_and_others_stay(query: str, left: str) -> None:
    assert ok("http://example.nl/a" + query) == "http://example.nl/a" + left


@given(st.one_of(st.text(), URLISH, PREFIXED), st.one_of(st.none(), PREFIXED, st.just("http://example.nl/a/b")))
@example("http://h/?&&utm_a=1", None)
@example("http://xn--a-.\u00e9/", None)
@example("http://0x100000000/", None)
@example("", "http://h/\x000")
def test_canonical_never_raises_and_is_idempotent(url: str, base: str | None) -> None:
    first = canonical(url, base)
    if isinstance(first, str):
        assert canonical(first) == first
        assert first.isascii()
        assert len(first) <= MAX_URL
        taken_apart = parts(first)
        assert taken_apart.host
        assert 0 < taken_apart.port < 65_536
        assert first == taken_apart.origin + taken_apart.target
        key = resource_key(first)
        assert resource_key(key) == key
        assert masked(first, KEY)


def test_parts() -> None:
    found = parts("https://example.nl:8443/a/b?q=1")
    assert (found.scheme, found.host, found.port, found.path, found.query) == (
        "https",
        "example.nl",
        8443,
        "/a/b",
        "q=1",
    )
    assert found.origin == "https://example.nl:8443"
    assert found.target == "/a/b?q=1"
    assert not found.is_address
    assert parts("http://example.nl/").port == 80
    assert parts("http://example.nl/").query is None
    assert parts("http://[2001:db8::1]/").host == "2001:db8::1"
    assert parts("http://[2001:db8::1]/").is_address
    assert parts("http://192.0.2.1/").is_address


@pytest.mark.parametrize("function", [parts, host_key, resource_key])
def test_text_that_is_not_canonical_is_an_error(function: object) -> None:
    assert callable(function)
    for text in ("", "example.nl", "http://example.nl", "http://u@h/", "http://h/#x", "ftp://h/"):
        with pytest.raises(InvalidInput, match="canonical"):
            function(text)


def test_host_key_always_names_the_port() -> None:
    assert host_key("https://example.nl/x") == "https://example.nl:443"
    assert host_key("http://example.nl:8080/") == "http://example.nl:8080"
    assert host_key("http://[2001:db8::1]/") == "http://[2001:db8::1]:80"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/a.jpg?X-Amz-Signature=ab&X-Amz-Date=1&w=3", "/a.jpg?w=3"),
        ("/a.jpg?Expires=1700000000&Signature=x~y&Key-Pair-Id=K", "/a.jpg"),
        ("/a.jpg?sv=2022&se=2024-01-01&sr=b&sp=r&sig=abc%3D", "/a.jpg"),
        ("/a.jpg?token=abc&expires=1700000000", "/a.jpg?token=def&expires=1800000000"),
        ("/a.jpg?md5=abc&expires=1700000000", "/a.jpg"),
        ("/a.jpg?v=123", "/a.jpg?v=124"),
        ("/a.jpg?1700000000", "/a.jpg"),
        ("/a?_=1700000000", "/a"),
        ("/a?ts=1700000000", "/a"),
        ("/a;jsessionid=0A1B?x=1", "/a?x=1"),
        ("/a?PHPSESSID=abcdef&x=1", "/a?x=1"),
        ("/%7euser/%c3%a9", "/~user/%C3%A9"),
    ],
)
def test_resource_key_leaves_out_what_servers_change(one: str, other: str) -> None:
    assert resource_key("https://example.nl" + one) == resource_key("https://example.nl" + other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/watch?v=12", "/watch?v=13"),
        ("/show.php?v=12", "/show.php?v=13"),
        ("/a.jpg?v=big", "/a.jpg?v=small"),
        ("/a?token=abc", "/a?token=def"),
        ("/a?sp=1", "/a?sp=2"),
        ("/a?hash=abc", "/a?hash=def"),
        ("/a?id=1", "/a?id=2"),
        ("/a%2fb", "/a/b"),
    ],
)
def test_resource_key_keeps_what_may_mean_something(one: str, other: str) -> None:
    assert resource_key("https://example.nl" + one) != resource_key("https://example.nl" + other)


def test_rules_can_be_replaced() -> None:
    rules = read_rules(
        '[tracking]\nnames=["x*"]\n[volatile]\nnames=["once"]\n[[signed]]\nwith=["a"]\nnames=["b"]\n'
        "[busters]\nnames=[]\nfile_names=[]\n"
    )
    assert resource_key("http://h/?once=1&b=2&c=3", rules) == "http://h/?b=2&c=3"
    assert resource_key("http://h/?once=1&b=2&a=3", rules) == "http://h/?a=3"
    assert rules.is_tracking("Xyz")


def test_url_number_is_keyed_and_fits_a_signed_integer() -> None:
    url = "http://example.nl/"
    number = url_number(url, 0, KEY)
    assert number == url_number(url, 0, KEY)
    assert len({number, url_number(url, 1, KEY), url_number(url, 0, b"other"), url_number(url + "a", 0, KEY)}) == 4
    numbers = [url_number(f"{url}{n}", 0, KEY) for n in range(200)]
    assert all(-(2**63) <= n < 2**63 for n in numbers)
    assert min(numbers) < 0 < max(numbers)


def test_masked_shows_too_little_to_visit() -> None:
    url = "https://pictures.example.nl/secret/album/photo17.jpg?u=me"
    shown = masked(url)
    assert shown == "https://p….e….nl/…(3).jpg?…"
    assert masked(url, KEY).startswith(shown + " [")
    assert masked(url, KEY) != masked(url.replace("17", "18"), KEY)
    assert masked("http://192.0.2.17/") == "http://192.…/"
    assert masked("http://[2001:db8::1]/") == "http://[20…]/"
    assert masked("http://localhost/") == "http://l…/"
    assert masked("anything else") == "(not a URL)"
