"""The elements of HTML and SVG that name something, each with what of it is read and how."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from crawler.discover import links, lookalikes, tokens, vocabulary
from crawler.discover.endings import looks_like_image
from crawler.discover.references import Page

_ABSOLUTE: Final = re.compile(r"https?://[^\s\"'<>\[\]()]{1,2048}+", re.I)


def _anchor(page: Page, attributes: dict[str, str], _: str) -> None:
    href = attributes.get("href")
    if not href:
        return
    if page.naming is not None:
        name = page.naming(href)
        if name is None:
            page.collector.count("sorting")
            return
    else:
        name = vocabulary.name_of_link(attributes)
        if name is None:
            page.collector.count("acts")
            return
    page.collector.add(href, name)


def _img(page: Page, attributes: dict[str, str], _: str) -> None:
    tiny = attributes.get("width") in ("0", "1") and attributes.get("height") in ("0", "1")
    page.image(attributes.get("src", ""), "pixel" if tiny else "img")
    if "srcset" in attributes:
        page.images(attributes["srcset"])


def _source(page: Page, attributes: dict[str, str], _: str) -> None:
    page.images(attributes.get("srcset", ""))
    if attributes.get("type", "").lower().startswith("video/"):
        page.file(attributes.get("src", ""))


def _meta(page: Page, attributes: dict[str, str], _: str) -> None:
    content = attributes.get("content", "")
    if attributes.get("http-equiv", "").lower() == "refresh":
        page.link(links.refresh_target(content) or "", "refresh")
        return
    name = attributes.get("property") or attributes.get("name") or attributes.get("itemprop") or ""
    if content and vocabulary.names_image(name):
        page.image(content, "meta")
    elif name.lower() in ("og:url", "twitter:url"):
        page.link(content, "alternate")


def _link(page: Page, attributes: dict[str, str], _: str) -> None:
    for raw, name in links.relation(attributes):
        page.link(raw, name)


def _script(page: Page, attributes: dict[str, str], content: str) -> None:
    kind = attributes.get("type", "").lower()
    if "template" in kind or "html" in kind:
        page.within(content)
    elif content and kind not in ("importmap", "text/css"):
        page.data(content.strip().removeprefix("<!--").removesuffix("-->"))


def _style(page: Page, _: dict[str, str], content: str) -> None:
    page.style(content)
    if "<" in content:
        page.within(content)  # in SVG, what does not belong into a style sheet ends the drawing
    if "&" in content:
        page.style(tokens.unescape_text(content))  # in XML, references count here too


def _iframe(page: Page, attributes: dict[str, str], content: str) -> None:
    page.link(attributes.get("src", ""), "frame")
    page.inner(attributes.get("srcdoc", ""))
    page.within(content)


def _object(page: Page, attributes: dict[str, str], _: str) -> None:
    raw = attributes.get("data", "") or attributes.get("src", "")
    kind = attributes.get("type", "").lower()
    if kind.startswith("image/") or looks_like_image(raw):
        page.image(raw, "object")
    elif kind.startswith("video/") or kind == "application/pdf":
        page.file(raw)
    elif not kind or "html" in kind:
        page.link(raw, "frame")


def _svg_image(page: Page, attributes: dict[str, str], _: str) -> None:
    for key, value in attributes.items():
        # XML may call the namespace of XLink anything. Outside of drawings HTML takes an `image` for an `img`.
        if key in ("href", "src") or key.endswith(":href"):
            page.image(value, "svg")
    page.images(attributes.get("srcset", ""))


def _video(page: Page, attributes: dict[str, str], _: str) -> None:
    page.image(attributes.get("poster", ""), "poster")
    page.file(attributes.get("src", ""))


def _input(page: Page, attributes: dict[str, str], _: str) -> None:
    page.image(attributes.get("src", ""), "input")
    value = attributes.get("value", "")  # image hosts show what to paste elsewhere; lists choose a picture to show
    if "<" in value:
        page.within(value, as_text=True)
    elif "/" in value and looks_like_image(value):
        page.image(value, "text")


def _base(page: Page, attributes: dict[str, str], _: str) -> None:
    if page.depth == 0 and "href" in attributes:
        page.collector.others = page.doubts


def _markup(page: Page, _: dict[str, str], content: str) -> None:
    page.within(content)


def _section(page: Page, _: dict[str, str], content: str) -> None:
    page.sectioned = True
    page.within(content)


def _text(page: Page, _: dict[str, str], content: str) -> None:
    text = tokens.unescape_text(content)
    page.within(text, as_text=True)
    for match in _ABSOLUTE.finditer(text):
        if looks_like_image(match[0]):
            page.image(match[0], "text")


Handler = Callable[[Page, dict[str, str], str], None]
_BY_NAME: Final[dict[str, Handler]] = {
    **dict.fromkeys(("a", "area"), _anchor),
    **dict.fromkeys(("img", "amp-img", "amp-anim"), _img),
    **dict.fromkeys(("iframe", "frame", "amp-iframe", "portal", "fencedframe"), _iframe),
    **dict.fromkeys(("object", "embed"), _object),
    **dict.fromkeys(("noscript", "noembed", "noframes"), _markup),
    **dict.fromkeys(("textarea", "title", "xmp"), _text),
    **dict.fromkeys(("image", "feimage", "use"), _svg_image),
    **dict.fromkeys(("video", "amp-video"), _video),
    **dict.fromkeys(("input", "option", "param"), _input),
    tokens.CDATA: _section,
    "base": _base,
    "source": _source,
    "meta": _meta,
    "link": _link,
    "script": _script,
    "style": _style,
}
# name -> (handler, attributes that are no lookalikes on it)
HANDLERS: Final[dict[str, tuple[Handler | None, frozenset[str]]]] = {
    name: (handler, lookalikes.NO_REFERENCES_BUT_SRC if name in lookalikes.READ_SRC else lookalikes.NO_REFERENCES)
    for name, handler in _BY_NAME.items()
}
NO_HANDLER: Final[tuple[Handler | None, frozenset[str]]] = (None, lookalikes.NO_REFERENCES)
