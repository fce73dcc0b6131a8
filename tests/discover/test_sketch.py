"""Sketches: the same page but for details is alike; other words or other images are not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.discover.page import discover
from crawler.discover.sketch import alike, sketch
from crawler.records import PageSketch

TEXT = "In de haven van de stad liggen deze week drie oude schepen, die iedereen mag bezoeken tussen tien en vijf uur."


def sketched(body: str, url: str = "http://a.example/") -> PageSketch:
    found = discover(f"<!doctype html><title>x</title>{body}".encode(), "text/html", url).sketch
    assert found is not None
    return found


def same(one: str, other: str) -> bool:
    return alike(sketched(one).packed(), sketched(other).packed())


def test_details_make_no_other_page() -> None:
    page = f"<p>{TEXT}</p><a href=/1>a</a><img src=/logo.png?v=1><script>var t=1</script>"
    assert same(page, f"<div>{TEXT}</div>  <a href=/99>a</a><img src=/logo.png?v=2><script>var t=2</script>")
    assert same(f"<p>{TEXT} 12 april 2026", f"<p>{TEXT} 9 april 3033")
    assert same("", "<p> </p>")


def test_other_words_or_images_do() -> None:
    assert not same(f"<p>{TEXT}", "<p>Op het plein van het dorp staat vandaag de markt, met kaas en bloemen en brood.")
    assert not same(f"<p>{TEXT}<img src=/1.jpg>", f"<p>{TEXT}<img src=/2.jpg>")
    assert not same(f"<p>{TEXT}<img src=/1.jpg>", f"<p>{TEXT}")
    assert not same(f"<p>{TEXT}", "")


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ("<h1>404</h1>", True),
        ("<h1>Pagina niet gevonden</h1>", True),
        ("<h1 class=x>Sorry: page not found</h1>", True),
        ("<h1>Peugeot 404x</h1>", False),
        ("<p>404 not found</p>", False),
    ],
)
def test_pages_that_say_that_they_are_none(body: str, missing: bool) -> None:
    assert sketched(body).missing is missing


def test_walls_of_consent() -> None:
    assert sketched("<p>Wij gebruiken cookies.<button>Accepteer alles</button>").wall
    assert not sketched("<p>Wij gebruiken cookies. Accepteer alles.<img src=/foto.jpg>").wall
    assert not sketched(f"<p>Cookies accepteren? {TEXT * 20}").wall


def test_only_pages_have_one() -> None:
    assert discover(b"a { color: red }", "text/css", "http://a.example/x.css").sketch is None


@given(st.binary(max_size=400))
def test_nothing_breaks_it(body: bytes) -> None:
    found = discover(b"<html>" + body, "text/html", "http://a.example/").sketch
    if found is not None:
        assert len(found.images) == 8
        assert len(found.text) % 4 == 0
        assert alike(found.packed(), found.packed())


def test_a_sketch_is_the_same_in_every_process_and_on_every_machine() -> None:
    assert (
        sketched(f"<p>{TEXT}").text.hex()
        == "0733074f0adcee450aefb3680f542eb118aac8cd191e768a1969a8b91dcf29781e9c69cf1f1f343420e18a6625148b87"
    )
    assert sketched("").text.hex() == "74c4d934"


def test_few_other_words_make_no_other_page_and_many_do() -> None:
    words = [f"woord{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(400)]
    page = " ".join(words)
    few = " ".join("anders" if n in (40, 300) else word for n, word in enumerate(words))
    many = " ".join("anders" if n % 4 == 0 else word for n, word in enumerate(words))
    assert same(f"<p>{page}", f"<p>{few}")
    assert not same(f"<p>{page}", f"<p>{many}")


@pytest.mark.parametrize("unit", [">", "> ", "<", "<!--", "<!-- -", "<script", "<svg><", "<title>", "\x80", "a"])
def test_time_is_linear(unit: str) -> None:
    markup = (unit * (32_768 // len(unit))).encode()
    started = time.process_time()
    for _ in range(10):
        sketch(markup, ())
    assert time.process_time() - started < 1


def test_what_is_not_shown_is_no_part_of_it() -> None:
    aside = "<script>let a = '<b>een twee drie'</script><style>p { color: red }</style><!-- vier > vijf -->"
    assert sketched(f"<p>{TEXT}").text == sketched(f"<p>{aside}{TEXT}<svg><title>zes</title></svg>").text


def test_texts_in_any_script_are_told_apart() -> None:
    assert same(
        "<p>Три старых корабля стоят в гавани на этой неделе", "<p>Три старых корабля стоят в гавани на этой неделе 7"
    )
    assert not same(
        "<p>Три старых корабля стоят в гавани на этой неделе", "<p>На площади сегодня рынок с сыром и хлебом"
    )
    assert not same("<p>本週港口停泊著三艘舊船歡迎大家參觀", "<p>今天村裡的廣場上有市集賣乳酪和鮮花")
