"""Links that act are told from links that only sound like it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.discover.acts import acts, named_image, read_rules
from crawler.urls import canonical

PAGE = "http://site.example/gallery/"


@pytest.mark.parametrize(
    "link",
    [
        "/logout",
        "/log-out.php",
        "/Account/LogOff",
        "/user/sign_out",
        "/uitloggen",
        "/logout?next=/",
        "/photo/12/delete",
        "/delete/12",
        "/delete-photo/12",
        "/photo/12/remove",
        "/remove_item/3",
        "/photos/verwijderen/3",
        "/newsletter/unsubscribe?u=1",
        "/post/3/upvote",
        "/vote/3/up",
        "/photo/3/like",
        "/password/reset",
        "/reset-password",
        "/cart/add-to-cart/12",
        "/shop/?add-to-cart=12",
        "/checkout",
        "/photo/3/share",
        "/share?url=x",
        "/?logout=1",
        "/?logout",
        "/index.php?action=logout",
        "/index.php?action=deletepost&id=3",
        "/index.php?do=delete_comment",
        "/index.php?title=X&action=edit",
        "/wp-login.php?action=lostpassword",
        "/ucp.php?mode=logout&sid=abc",
        "/x?id=1&_wpnonce=abc",
        "/x?csrf_token=abc",
        "/x?share=twitter",
        "/post?replytocom=4",
        "https://www.facebook.com/sharer/sharer.php?u=x",
        "https://twitter.com/intent/tweet?text=x",
        "https://x.com/share?url=y",
        "https://www.pinterest.nl/pin/create/button/?url=x",
        "https://api.whatsapp.com/send?text=x",
        "https://t.me/share/url?url=x",
        "https://www.google.com/searchbyimage?image_url=http://site.example/a.jpg",
        "https://lens.google.com/uploadbyurl?url=http://site.example/a.jpg",
        "https://images.google.nl/searchbyimage?image_url=x",
        "https://tineye.com/search?url=http://site.example/a.jpg",
        "https://www.bing.com/images/search?q=imgurl:http://site.example/a.jpg",
        "https://yandex.com/images/search?rpt=imageview&url=x",
        "https://saucenao.com/search.php?url=x",
        "https://iqdb.org/?url=x",
        "https://web.archive.org/save/http://site.example/",
        "https://validator.w3.org/check?uri=referer",
        "https://unheard-of.example/find?u=http%3A%2F%2Fsite.example%2Fgallery%2F",
        "https://unheard-of.example/find?u=http%3A%2F%2Felsewhere.example%2Fa.jpg",
    ],
)
def test_links_that_act(link: str) -> None:
    url = canonical(link, PAGE)
    assert isinstance(url, str)
    assert acts(url, PAGE)


@pytest.mark.parametrize(
    "link",
    [
        "/",
        "/gallery/12",
        "/how-to-delete-files.html",
        "/delete-button-design/portfolio.html?x=1&delete-me-not=",
        "/votes-of-the-week",
        "/shared/albums/3",
        "/share/7f3a9",
        "/liked-by-us/",
        "/resetting/",
        "/img/delete.png",
        "/icons/logout.svg",
        "/index.php?action=view&id=3",
        "/index.php?mode=gallery",
        "/login",
        "/edit",
        "/new",
        "/photo?page=2&sort=likes",
        "/out?url=https%3A%2F%2Felsewhere.example%2F",
        "/view?src=http%3A%2F%2Felsewhere.example%2Fa.jpg",
        "https://elsewhere.example/go?to=https%3A%2F%2Fthird.example%2F",
        "https://www.facebook.com/someone",
        "https://twitter.com/someone",
        "https://www.google.com/maps",
        "https://notfacebook.com/dialog",
        "https://web.archive.org/web/2020/http://site.example/",
        "https://delete.example/",
    ],
)
def test_links_that_do_not(link: str) -> None:
    url = canonical(link, PAGE)
    assert isinstance(url, str)
    assert not acts(url, PAGE)


@pytest.mark.parametrize(
    ("url", "image"),
    [
        ("https://h/?imgurl=http://site.example/a.jpg&x=1", "http://site.example/a.jpg"),
        ("https://h/?u=https%3A%2F%2Fsite.example%2Fa.png%3Fw%3D1", "https://site.example/a.png?w=1"),
        ("https://h/?u=http://site.example/page", None),
        ("https://h/?u=/a.jpg", None),
        ("https://h/http://site.example/a.jpg", None),
        ("https://h/?http", None),
    ],
)
def test_images_that_links_carry(url: str, image: str | None) -> None:
    assert named_image(url) == image


def test_lists_can_be_replaced() -> None:
    rules = read_rules(
        'words=["jump"]\nverbs=["jump"]\nlast_words=["fly"]\naction_names=["act"]\naction_values=["run"]\ntokens=["seal"]\n'
        "services=['jumper\\.example/']"
    )
    assert acts("http://h/jump", PAGE, rules)
    assert acts("http://h/?act=running", PAGE, rules)
    assert acts("http://www.jumper.example/", PAGE, rules)
    assert not acts("http://h/logout", PAGE, rules)


@given(st.text("delete-_/?=&http:%2Fsite.example.jpg;+", max_size=60))
def test_any_url_is_judged(tail: str) -> None:
    url = canonical("/" + tail, PAGE)
    if isinstance(url, str):
        acts(url, PAGE)
        named_image(url)
