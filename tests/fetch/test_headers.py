from __future__ import annotations

import pytest

from crawler.fetch.headers import referer, request_headers, retry_after
from crawler.records import Kind

US = "Vangnet/1.0 (+https://authority.example/crawler)"


def sent(kind: Kind = Kind.IMAGE, url: str = "https://a.nl/x.jpg", **more: object) -> dict[str, str]:
    headers = request_headers(kind, url, user_agent=US, **more)
    assert len({name for name, _ in headers}) == len(headers)
    return dict(headers)


def test_an_image_is_asked_for_as_a_browser_does() -> None:
    headers = sent(contact="crawler@authority.example", referrer="https://a.nl/page?q=1")
    assert headers == {
        "User-Agent": US,
        "Accept": "image/apng,image/svg+xml,image/*,*/*;q=0.8",
        "Accept-Language": "nl-NL,nl;q=0.9,en;q=0.5",
        "Accept-Encoding": "gzip, deflate, br, zstd",
        "From": "crawler@authority.example",
        "Referer": "https://a.nl/page?q=1",
        "Sec-Fetch-Dest": "image",
        "Sec-Fetch-Mode": "no-cors",
        "Sec-Fetch-Site": "same-origin",
    }


@pytest.mark.parametrize("kind", Kind)
def test_nobody_is_asked_to_transcode(kind: Kind) -> None:
    accept = sent(kind)["Accept"]
    assert "avif" not in accept
    assert "webp" not in accept
    assert "*/*" in accept


def test_from_is_for_mail_addresses() -> None:
    assert "From" not in sent(contact="https://authority.example/contact")
    assert "From" not in sent(contact="a@b.nl\r\nX: y")
    assert "From" not in sent()


def test_what_could_break_a_request_is_left_out() -> None:
    headers = sent(cookies=(("a", "1"), ("b", "2\r\nX: y"), ("c", "3;d=4"), ("", "5")), validators=("x\ny", "z"))
    assert headers["Cookie"] == "a=1; 5"
    assert "If-None-Match" not in headers
    assert headers["If-Modified-Since"] == "z"


def test_cookies_are_bounded() -> None:
    cookies = tuple((f"c{number}", "v" * 1000) for number in range(100))
    assert 7000 < len(sent(cookies=cookies)["Cookie"]) <= 8192


def test_plain_http_has_no_fetch_metadata() -> None:
    assert not [name for name in sent(url="http://a.nl/x") if name.startswith("Sec-")]


@pytest.mark.parametrize(
    ("page", "url", "full", "shown"),
    [
        ("https://a.nl/p?q#f", "https://a.nl/x", False, "https://a.nl/p?q"),
        ("https://a.nl/p?q", "https://a.nl/x", False, "https://a.nl/p?q"),
        ("https://A.nl/p", "https://A.nl/x", False, "https://a.nl/p"),
        ("https://a.nl:443/p", "https://a.nl:443/x", False, "https://a.nl/p"),
        ("https://a.nl/p", "https://b.nl/x", False, "https://a.nl/"),
        ("https://a.nl/p", "https://b.nl/x", True, "https://a.nl/p"),
        ("https://a.nl/p", "http://a.nl/x", False, None),
        ("https://a.nl/p", "http://a.nl/x", True, None),
        ("http://a.nl/p", "https://a.nl/x", False, "http://a.nl/"),
        ("http://a.nl:8080/p", "http://a.nl/x", False, "http://a.nl:8080/"),
        ("http://a.nl:80/p", "http://a.nl/x", False, "http://a.nl/p"),
        ("http://u:s@a.nl/p", "http://a.nl/x", False, "http://a.nl/p"),
        ("http://[::1]:81/p", "http://[::1]:81/x", False, "http://[::1]:81/p"),
        ("file:///p", "http://a.nl/x", False, None),
        ("http://[/", "http://a.nl/x", False, None),
        ("http://a.nl", "http://a.nl/x", False, "http://a.nl/"),
    ],
)
def test_referer(page: str, url: str, full: bool, shown: str | None) -> None:
    assert referer(page, url, full=full) == shown


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 5 ", 5.0),
        ("99999999999999999999", 86_400.0),
        ("Thu, 01 Jan 1970 00:10:00 GMT", 600.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:10:00", 600.0),
        ("soon", None),
        ("-5", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, 0.0) == seconds
