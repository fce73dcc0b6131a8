"""Cookies: what a host sets is sent back to it as a browser would, and nothing else; the jar stays small."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crawler.errors import RecordCorrupt
from crawler.fetch.cookiedate import cookie_date
from crawler.fetch.cookies import (
    MAX_AGE,
    MAX_COOKIE,
    MAX_COOKIES,
    MAX_JAR,
    Cookie,
    Jar,
    kept,
    pack_jar,
    sendable,
    unpack_jar,
)
from crawler.fetch.headers import request_headers
from crawler.records import Kind

NOW = 1_700_000_000.0
HOST = "https://shop.a.nl"


def after(*lines: str, jar: Jar = (), url: str = f"{HOST}/dir/page", now: float = NOW) -> Jar:
    return kept(jar, lines, url, now)


def sent(jar: Jar, path: str = "/dir/page", host: str = HOST, now: float = NOW) -> str:
    return "; ".join(f"{name}={value}" for name, value in sendable(jar, host + path, now))


def test_a_cookie_comes_back_until_the_host_deletes_it() -> None:
    jar = after("sid=1; HttpOnly; SameSite=Lax", "seen=yes")
    assert sent(jar) == "sid=1; seen=yes"
    jar = after("sid=2", jar=jar)
    assert sent(jar) == "sid=2; seen=yes"
    assert sent(after("sid=; Max-Age=0", jar=jar)) == "seen=yes"
    assert sent(after("seen=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", jar=jar)) == "sid=2"


def test_an_answer_that_changes_nothing_leaves_the_same_jar() -> None:
    jar = after("sid=1; Max-Age=1000", "b=2")
    assert kept(jar, [], f"{HOST}/dir/page", NOW) is jar
    assert after("sid=1; Max-Age=1000", "b=2", jar=jar, now=NOW + 400) is jar
    renewed = after("sid=1; Max-Age=1000", jar=jar, now=NOW + 600)
    assert renewed != jar
    assert sent(renewed, now=NOW + 1500) == "sid=1; b=2"
    assert sent(after("sid=1; Max-Age=10", jar=jar), now=NOW + 20) == "b=2"
    assert sent(after("sid=1", jar=jar), now=NOW + MAX_AGE) == "sid=1; b=2"


@pytest.mark.parametrize(
    ("line", "path", "expected"),
    [
        ("a=1; Path=/dir", "/dir", True),
        ("a=1; Path=/dir", "/dir/x/y", True),
        ("a=1; Path=/dir", "/directory", False),
        ("a=1; Path=/dir/", "/dir", False),
        ("a=1; Path=/dir/", "/dir/x", True),
        ("a=1; Path=", "/dir/x", True),
        ("a=1", "/dir/x", True),
        ("a=1", "/", False),
        ("a=1; Path=dir", "/", False),
        ("a=1; Path=/x; Path=/", "/", True),
    ],
)
def test_paths(line: str, path: str, expected: bool) -> None:
    assert bool(sent(after(line), path)) is expected


def test_longer_paths_come_first_and_then_older_cookies() -> None:
    jar = after("x=1; Path=/", "y=2; Path=/dir", "z=3; Path=/", "x=4; Path=/dir", "x=5; Path=/")
    assert sent(jar) == "y=2; x=4; x=5; z=3"


def test_secure_cookies_need_tls() -> None:
    jar = after("a=1; Secure", "b=2")
    assert sent(jar, host="http://shop.a.nl") == "b=2"
    assert after("a=1; Secure", url="http://shop.a.nl/") == ()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a=1; Domain=a.nl", True),
        ("a=1; Domain=.A.nl", True),
        ("a=1; Domain=shop.a.nl", True),
        ("a=1; Domain=", True),
        ("a=1; Domain=b.nl", False),
        ("a=1; Domain=other.a.nl", False),
        ("a=1; Domain=hop.a.nl", False),
        ("__Secure-a=1", False),
        ("__Secure-a=1; Secure", True),
        ("__Host-a=1; Secure; Path=/", True),
        ("__host-a=1; Secure", False),
        ("__Host-a=1; Secure; Path=/; Domain=shop.a.nl", False),
        ("=__Host-a=1; Secure; Path=/", False),
        ("", False),
        ("=", False),
        (";a=1", False),
        ("a", True),
        ("=a", True),
        ("a =\t1\t;\tSecure", True),
        ("a\tb=1", False),
        ("a=1\0", False),
        ("a=1\r\nX: y", False),
        ("a=1; Path=/\x1b", False),
        ("a=\udcff", False),
        ("a=" + "x" * MAX_COOKIE, False),
        ("a=" + "x" * (MAX_COOKIE - 10), True),
        ("a=" + "é" * (MAX_COOKIE // 2), False),
        ("a=1; Path=/" + "x" * MAX_COOKIE, False),
    ],
)
def test_what_is_taken(line: str, expected: bool) -> None:
    assert bool(after(line)) is expected


def test_an_address_has_no_domain_above_it() -> None:
    assert after("a=1; Domain=2.0.1", url="http://192.2.0.1/") == ()
    assert after("a=1; Domain=192.2.0.1", url="http://192.2.0.1/") != ()


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ("", None),
        ("Max-Age=60", NOW + 60),
        ("max-age=0060; Expires=Thu, 01 Jan 1970 00:00:00 GMT", NOW + 60),
        ("Expires=Wed, 15 Nov 2023 00:00:00 GMT; Max-Age=soon", 1_700_006_400.0),
        ("Max-Age=" + "9" * 400, NOW + MAX_AGE),
        ("Expires=Fri, 31 Dec 9999 23:59:59 GMT", NOW + MAX_AGE),
        ("Expires=whenever", None),
    ],
)
def test_how_long_a_cookie_lives(attributes: str, expected: float | None) -> None:
    (cookie,) = after(f"a=1; {attributes}")
    assert cookie.expires == expected
    assert cookie.over(NOW + MAX_AGE) is (expected is not None)


@pytest.mark.parametrize("attributes", ["Max-Age=0", "Max-Age=-1", "Max-Age=-" + "9" * 400, "Expires=1 Jan 1980 0:0:0"])
def test_what_is_over_is_not_kept(attributes: str) -> None:
    assert after(f"a=1; {attributes}") == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tue, 14 Nov 2023 22:13:20 GMT", NOW),
        ("Tuesday, 14-Nov-23 22:13:20 GMT", NOW),
        ("Tue Nov 14 22:13:20 2023", NOW),
        ("14 november 2023 22:13:20.5 +0100", NOW),
        ("Sun, 06 Nov 94 08:49:37 GMT", 784_111_777.0),
        ("Tue, 31 Feb 2023 22:13:20 GMT", None),
        ("Tue, 14 Nov 2023 24:13:20 GMT", None),
        ("Tue, 14 Nov 1600 22:13:20 GMT", None),
        ("14 Nov 2023", None),
        ("", None),
    ],
)
def test_dates(text: str, expected: float | None) -> None:
    assert cookie_date(text) == expected


def test_a_jar_is_bounded_and_the_oldest_cookies_leave_first() -> None:
    jar = after(*(f"n{number}=1" for number in range(30)))
    assert [cookie.name for cookie in jar] == [f"n{number}" for number in range(10, 30)]
    jar = after(*(f"n{number}={'x' * 1000}" for number in range(9)))
    assert [cookie.name for cookie in jar] == ["n5", "n6", "n7", "n8"]
    assert len(pack_jar(jar)) <= MAX_JAR


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x00",
        msgpack.packb((2, [])),
        msgpack.packb((1, None)),
        msgpack.packb((1, [1])),
        msgpack.packb((1, [["a"]])),
        msgpack.packb((1, [["a", 1, "/", False, None]])),
        msgpack.packb((1, [["a", "1\r\nX: y", "/", False, None]])),
        msgpack.packb((1, [["a", "1", "", False, None]])),
        msgpack.packb((1, [["a", "1", "/", 1, None]])),
        msgpack.packb((1, [["a", "1", "/", False, 1.5]])),
        msgpack.packb((1, [["a", "1", "/", False, None]] * (MAX_COOKIES + 1))),
        msgpack.packb((1, [["a", "1" * MAX_COOKIE, "/", False, None]])),
        pack_jar((Cookie("a", "1"),)) + b"x",
        b"\x91" * 2_000,
        b"x" * (MAX_JAR + 1),
    ],
)
def test_damaged_jars_are_noticed(data: bytes) -> None:
    with pytest.raises(RecordCorrupt):
        unpack_jar(data)


def test_values_are_in_no_repr() -> None:
    assert "secret" not in repr(after("secret-name=secret-value; Path=/secret"))


TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
ATTRIBUTE = st.sampled_from(["Path=/", "Secure", "Max-Age=9", "Max-Age=-1", "Domain=a.nl", "Expires=x", ";", "=", " "])
LINE = st.builds(lambda pair, rest: ";".join([pair, *rest]), TEXT, st.lists(ATTRIBUTE | TEXT, max_size=4))
LONG = st.builds(lambda name, size: f"{name}={'v' * size}", TEXT, st.integers(0, 1_100))


@given(st.lists(st.lists(LINE | LONG, max_size=30), max_size=4), st.floats(0, 4e9))
@example([["a=1; Expires=Fri, 31 Dec 9999 23:59:59 GMT"]], 0.0)
@example([["0;Max-Age=-1", "=v", "0="]], 0.0)
def test_any_answers_leave_a_small_jar_that_survives_and_can_be_sent(answers: list[list[str]], now: float) -> None:
    jar: Jar = ()
    for lines in answers:
        jar = after(*lines, jar=jar, now=now)
        assert len(jar) <= MAX_COOKIES
        assert len(pack_jar(jar)) <= MAX_JAR
        assert unpack_jar(pack_jar(jar)) == jar
        # The same again changes nothing but the order, unless there was no room for all.
        again = set(after(*lines, jar=jar, now=now))
        assert again == set(jar) or len(jar) == MAX_COOKIES or len(pack_jar(jar)) > MAX_JAR // 2
    pairs = sendable(jar, f"{HOST}/dir/page", now)
    headers = request_headers(Kind.PAGE, f"{HOST}/dir/page", user_agent="Vangnet", cookies=pairs)
    assert sum(name == "Cookie" for name, _ in headers) == bool(pairs)


@given(st.binary(max_size=200))
def test_no_bytes_pass_for_a_jar_that_could_not_have_been_packed(data: bytes) -> None:
    try:
        jar = unpack_jar(data)
    except RecordCorrupt:
        return
    assert unpack_jar(pack_jar(jar)) == jar


@given(st.text(max_size=120))
def test_no_text_upsets_the_dates(text: str) -> None:
    when = cookie_date(text)
    assert when is None or -12_000_000_000 < when < 260_000_000_000
