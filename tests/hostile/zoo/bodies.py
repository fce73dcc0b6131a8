"""Animals whose documents are the trap: sitemaps in sitemaps, bombs, monsters of megabytes, broken encodings."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from crawler.lab.html import document, img, link
from crawler.lab.web import Reply
from tests.hostile.zoo.park import PICTURE, Ask, animal, page
from tests.hostile.zoo.paths import _album

XML = "application/xml"
MAP = '<?xml version="1.0"?><sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{}</sitemapindex>'


def _index(urls: list[str]) -> Reply:
    return Reply(MAP.format("".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in urls)).encode(), content_type=XML)


def _robots(ask: Ask) -> Reply | None:
    if ask.path == "/robots.txt":
        return Reply(f"Sitemap: {ask.url(ask.host, '/map.xml')}\n".encode(), content_type="text/plain")
    return None


@animal()
def sitemap_in_itself(ask: Ask) -> Reply | None:
    if ask.path == "/map.xml":
        return _index([ask.url(ask.host, "/map.xml"), ask.url(ask.host, "/map.xml?a=1")])
    return _robots(ask) or (page("Kaart", "/fotos.html") if ask.path == "/" else _album(ask))


@animal()
def sitemaps_without_end(ask: Ask) -> Reply | None:
    if ask.path.startswith("/map"):
        return _index([ask.url(ask.host, f"/map-{ask.random.getrandbits(40):x}.xml") for _ in range(100)])
    return _robots(ask) or (page("Kaart", "/fotos.html") if ask.path == "/" else _album(ask))


@animal()
def feeds_without_end(ask: Ask) -> Reply | None:
    if ask.path == "/feed":
        number = int(ask.pairs.get("p", "0"))
        links = "".join(f'<link rel="next" href="/feed?p={4 * number + n}"/>' for n in range(1, 5))
        return Reply(f'<feed xmlns="http://www.w3.org/2005/Atom">{links}</feed>'.encode(), content_type=XML)
    head = '<link rel="alternate" type="application/atom+xml" href="/feed">'
    return page("Feed", "/fotos.html", head=head) if ask.path == "/" else _album(ask)


@animal()
def entity_bomb(ask: Ask) -> Reply | None:
    if ask.path == "/feed":
        lols = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
        dtd = f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY l0 "lol">{lols}]>'
        item = f'<item><title>&l11;</title><enclosure url="{PICTURE}" type="image/jpeg"/></item>'
        return Reply(f"{dtd}<rss><channel>{item}</channel></rss>".encode(), content_type=XML)
    head = '<link rel="alternate" type="application/rss+xml" href="/feed">'
    return page("Bom", head=head) if ask.path == "/" else None


@animal()
def feed_that_is_html(ask: Ask) -> Reply | None:
    if ask.path == "/feed":
        return Reply(document("Geen feed", img(PICTURE)), content_type="application/rss+xml")
    head = '<link rel="alternate" type="application/rss+xml" href="/feed">'
    return page("Feed", head=head) if ask.path == "/" else None


@cache
def _nested() -> bytes:
    return document("Diep", "<div>" * 300_000, img(PICTURE), "</div>" * 300_000)


@animal()
def nested_tags(ask: Ask) -> Reply | None:
    return Reply(_nested()) if ask.path == "/" else None


def _megabytes() -> Iterator[bytes]:
    yield document("Groot", img(PICTURE)).removesuffix(b"</body></html>\n")
    for _ in range(50):
        yield b"<p class=x>y" * 87_382


@animal()
def fifty_megabytes(ask: Ask) -> Reply | None:
    return Reply(_megabytes) if ask.path == "/" else None


@animal()
def long_attribute(ask: Ask) -> Reply | None:
    return Reply(document("Lang", f'<img alt="{"x" * 3_000_000}" src="{PICTURE}">')) if ask.path == "/" else None


@animal()
def broken_utf_16(ask: Ask) -> Reply | None:
    text = document("Stuk", img(PICTURE)).decode()
    return Reply(b"\xff\xfe" + text.encode("utf-16-le") + b"\x00\xd8\x00", content_type="text/html")


@animal()
def nulls(ask: Ask) -> Reply | None:
    if ask.path != "/":
        return None
    body = document("Nul", f'<a\x00 href="/\x00weg">x</a>{chr(0) * 50_000}{img(PICTURE)}')
    return Reply(body + b"\x00" * 50_000)


@animal()
def sheets_without_end(ask: Ask) -> Reply | None:
    if ask.path.startswith("/s/"):
        number = int(ask.path.rpartition("/")[2].removesuffix(".css"))
        imports = "".join(f"@import '/s/{3 * number + n}.css';" for n in range(3))
        return Reply(f"{imports} p {{ background: url({PICTURE}) }}".encode(), content_type="text/css")
    return Reply(document("Stijl", head='<link rel="stylesheet" href="/s/1.css">')) if ask.path == "/" else None


@animal()
def links_in_links(ask: Ask) -> Reply | None:
    """A page that embeds itself, quoted once more at every turn."""
    if ask.path == "/":
        inner = document("Binnen", img(PICTURE)).decode().replace('"', "&quot;")
        return Reply(document("Buiten", f'<iframe srcdoc="{inner}"></iframe>', link(f"/?{ask.query}&q=%25{ask.query}")))
    return None
