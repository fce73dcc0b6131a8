"""Images in `data:` URLs: what they hold, and how much of them is taken."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.discover import dataimages
from crawler.discover.dataimages import DataImages
from tests.discover.support import content

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=")


def taken(*urls: str) -> list[bytes]:
    images = DataImages()
    for url in urls:
        images.add(url)
    return [each.body for each in images.found()]


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("data:image/png;base64,QUJD", b"ABC"),
        ("DATA:Image/PNG;BASE64,QUJD", b"ABC"),
        ("data:image/png;base64,QUI=", b"AB"),
        ("data:image/png;base64,QUI", b"AB"),
        ("data:image/png;base64,QQ==", b"A"),
        ("data:image/png;base64, Q U\nJ\tD ", b"ABC"),
        ("data:image/png;base64,QUJD#x", b"ABC"),
        ("data:image/png;base64,%51UJD", b"ABC"),
        ("data:image/png;charset=x;base64,QUJD", b"ABC"),
        ("data:image/gif,GIF%3889", b"GIF889"),
        ("data: image/png ; base64,QUJD", b"ABC"),
    ],
)
def test_decoded(url: str, body: bytes) -> None:
    assert taken(url) == [body]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("data:text/html,x", "data-not-image"),
        ("data:,x", "data-not-image"),
        ("data:image/svg+xml,<svg/>", "data-not-image"),
        ("data:image/png", "data-damaged"),
        ("data:image/png;base64,", "data-damaged"),
        ("data:image/png;base64,Q", "data-damaged"),
        ("data:image/png;base64,Q=Q=", "data-damaged"),
        ("data:image/png;base64,QUJD*", "data-damaged"),
        ("data:image/png;base64,\u00e9\u00e9\u00e9\u00e9", "data-damaged"),
        ("data:image/png," + "x" * (dataimages.MAX_BYTES + 1), "data-cut"),
        ("data:image/png," + "x" * (4 * dataimages.MAX_BYTES), "data-cut"),
    ],
)
def test_what_is_not_taken_is_counted(url: str, reason: str) -> None:
    images = DataImages()
    images.add(url)
    assert images.found() == ()
    assert images.rejected == {reason: 1}


def test_an_image_of_exactly_the_largest_size_is_taken() -> None:
    assert [len(body) for body in taken("data:image/png," + "x" * dataimages.MAX_BYTES)] == [dataimages.MAX_BYTES]


@pytest.mark.parametrize("kind", ["", "image", "image/*", "application/octet-stream", "text/plain;charset=utf-8"])
def test_browsers_show_an_image_whatever_type_its_url_names(kind: str) -> None:
    body = b"GIF89a" + bytes(range(40))
    assert taken(f"data:{kind};base64,{base64.b64encode(body).decode()}") == [body]
    assert taken(f"data:{kind},{quote(body)}") == [body]


def test_a_sound_is_no_image_though_it_begins_like_one() -> None:
    images = DataImages()
    images.add("data:audio/wav;base64,UklGRiQAAABXQVZFZm10IBAAAAABAAEA")
    assert (images.found(), images.rejected) == ((), {"data-not-image": 1})


def test_equal_images_are_taken_once_and_numbered_in_order() -> None:
    images = DataImages()
    for url in ("data:image/png;base64,QQ==", "data:image/gif,A", "data:image/png,B"):
        images.add(url)
    assert [(each.number, each.body) for each in images.found()] == [(0, b"A"), (1, b"B")]
    assert images.rejected == {}


def test_number_and_total_are_bounded() -> None:
    assert len(taken(*(f"data:image/png,{number}" for number in range(300)))) == dataimages.MAX_IMAGES
    half = "x" * (dataimages.MAX_BYTES // 2)
    assert len(taken(*(f"data:image/png,{half}{number}" for number in range(30)))) == 15


def test_images_of_a_page_wherever_they_stand() -> None:
    plain = "data:image/png;base64," + base64.b64encode(PNG).decode()
    page = (
        f"<img src='{plain}'><div style='background:url({plain})'>"
        "<img srcset='data:image/png,1 1x, data:image/png,2 2x'>"
        f"<style>p{{background:url(\"data:image/png,3\")}}</style><svg><image href='data:image/png,4'></svg>"
        '<script type="application/json">{"a": "data:image/png,5"}</script>'
    )
    found = content(page)
    assert {each.body for each in found.data_images} == {PNG, b"1", b"2", b"3", b"4", b"5"}
    assert found.candidates == ()
    assert found.rejected == {}


INNER = "data:image/png;base64,QUJD"
DRAWN = f'<svg><image href="{INNER}"/></svg>'


@pytest.mark.parametrize(
    "url",
    [
        f"data:image/svg+xml,<svg><image href='{INNER}'/></svg>",
        "data:image/svg+xml;base64," + base64.b64encode(f"<svg><image href='{INNER}'/></svg>".encode()).decode(),
        f"data:image/svg+xml;utf8,<svg><style>p{{background:url({INNER})}}</style></svg>",
        "data:image/svg+xml," + quote(f'<svg><image xlink:href="{INNER}"/></svg>'),
        "data:image/svg+xml," + quote(f'<svg><image href="{INNER.replace("Q", "&#81;")}"/></svg>'),
        "data:image/svg+xml," + quote(f"<svg><image href='data:image/svg+xml,{quote(DRAWN)}'/></svg>"),
        "data:image/svg+xml," + quote("<svg><image href='data:img/gif;base64,R0lGODlhQUJD'/></svg>"),
    ],
)
def test_images_that_a_drawing_embeds_are_taken(url: str) -> None:
    held = [b"GIF89aABC"] if "R0lGOD" in url else [b"ABC"]
    assert taken(url) == held
    assert [each.body for each in content(f'<img src="{url.replace(chr(34), "&quot;")}">').data_images] == held


@pytest.mark.parametrize(
    "program", [f"let a = '{INNER}'", f'let a = `{INNER}`, b = "/x"', "x({a: 'data:image\\/png;base64,QUJ\\x44'})"]
)
def test_images_in_strings_of_programs_are_taken(program: str) -> None:
    assert [each.body for each in content(f"<script>{program}</script>").data_images] == [b"ABC"]


def test_drawings_within_drawings_are_bounded() -> None:
    url = INNER
    for _ in range(4):
        url = "data:image/svg+xml," + quote(f"<image href='{url}'/>")
    images = DataImages()
    images.add(url)
    assert images.rejected == {"data-cut": 1}


def test_half_a_pair_of_utf16_in_a_string_of_a_script_is_damage() -> None:
    found = content(
        rb'["data:image/png;base64,\ud800", "data:image/png,\udc00", "/a.png"]', content_type="application/json"
    )
    assert found.rejected == {"data-damaged": 1}
    assert [each.url for each in found.candidates] == ["http://site.example/a.png"]


def test_bodies_stay_out_of_representations() -> None:
    image = content("<img src='data:image/png,secret'>").data_images[0]
    assert "secret" not in repr(image)


@given(st.text("data:image/png;base64,QUJD=%20\n#x\ud800\u20ac", max_size=60))
def test_any_url_is_judged(url: str) -> None:
    images = DataImages()
    images.add(url)
    images.add("data:image/png;base64," + url)
    assert len(images.found()) + sum(images.rejected.values()) <= 2
