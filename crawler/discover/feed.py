"""RSS 0.9x to 2.0, RSS 1.0 (RDF) and Atom (RFC 4287), with the media, iTunes and content modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from crawler.discover import html, links
from crawler.discover.collect import Collector
from crawler.discover.endings import looks_like_image
from crawler.discover.xmltext import Element, elements
from crawler.urls import canonical

_CONTAINERS: Final = frozenset(("channel", "feed", "item", "entry", "image", "rdf"))
_ITEMS: Final = ("item", "entry")


def scan(text: str, collector: Collector) -> None:
    """The items, images and enclosures of a feed, and what the HTML in it names."""
    within: list[str] = []
    for element in elements(text):
        if element.is_end:
            if element.name in within:
                del within[within.index(element.name) :]
            continue
        if element.name in _CONTAINERS and not (element.name == "image" and element.prefix):
            within.append(element.name)
            del within[:-8]
        if "base=" in element.raw and len(within) < 2:
            base = canonical(element.attributes().get("xml:base", ""), collector.base)
            if isinstance(base, str):
                collector.set_base(base)
        handler = _HANDLERS.get(element.name)
        if handler is not None:
            handler(element, within[-1] if within else "", collector)
        if "<" in element.text:
            html.fragment(element.text, collector)


def _link(element: Element, place: str, collector: Collector) -> None:
    attributes = element.attributes() if element.raw else {}
    href = attributes.get("href", "")
    name = "item" if place in _ITEMS else "alternate"
    if not href:
        if place != "image":
            collector.add(element.text, name)
        return
    relation = attributes.get("rel", "alternate").lower()
    if relation == "enclosure":
        _media(attributes, href, collector)
    elif relation in ("next", "prev", "previous", "prev-archive", "next-archive", "first", "last"):
        collector.add(href, "feed")
    elif relation in ("alternate", "replies", "related", "via"):
        collector.add(href, name)


def _guid(element: Element, _: str, collector: Collector) -> None:
    if element.text[:4].lower() == "http" and "false" not in element.raw.lower():
        collector.add(element.text, "item")


def _url_attribute(element: Element, _: str, collector: Collector) -> None:
    attributes = element.attributes()
    _media(attributes, attributes.get("url", "") or attributes.get("href", ""), collector)


def _content(element: Element, place: str, collector: Collector) -> None:
    if element.prefix == "media":
        _url_attribute(element, place, collector)


def _media(attributes: dict[str, str], url: str, collector: Collector) -> None:
    kind = attributes.get("type", "") or attributes.get("medium", "")
    if kind.lower().startswith("image") or (not kind and url) or looks_like_image(url):
        collector.add(url, "enclosure")
    elif url:
        collector.count("media")


def _image(element: Element, _: str, collector: Collector) -> None:
    if element.prefix and element.raw:
        collector.add(element.attributes().get("href", ""), "enclosure")


def _url(element: Element, place: str, collector: Collector) -> None:
    if place == "image":
        collector.add(element.text, "meta")


def _icon(element: Element, _: str, collector: Collector) -> None:
    collector.add(element.text, "icon")


def _img(element: Element, _: str, collector: Collector) -> None:
    attributes = element.attributes()
    collector.add(attributes.get("src", ""), "img")
    for raw, name in links.set_of_images(attributes.get("srcset", "")):
        collector.add(raw, name)


def _anchor(element: Element, _: str, collector: Collector) -> None:
    collector.add(element.attributes().get("href", ""), "a")


def _about(element: Element, _: str, collector: Collector) -> None:
    if "about=" in element.raw:
        collector.add(element.attributes().get("rdf:about", ""), "item")


_HANDLERS: Final[dict[str, Callable[[Element, str, Collector], None]]] = {
    "link": _link,
    "guid": _guid,
    "enclosure": _url_attribute,
    "content": _content,
    "thumbnail": _url_attribute,
    "image": _image,
    "url": _url,
    "icon": _icon,
    "logo": _icon,
    "img": _img,
    "a": _anchor,
    "item": _about,
}
