"""HTML: every reference that an element holds, in whatever attribute."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from crawler.discover import css, links, lookalikes, plain, scripts, tokens, vocabulary
from crawler.discover.bases import bases
from crawler.discover.collect import Collector
from crawler.discover.endings import looks_like_image
from crawler.discover.sources import SOURCES
from crawler.records import Rejected

_MOST_BASES: Final = 4
_MAX_DEPTH: Final = 3  # of markup within markup: srcdoc, noscript, text areas, strings in data
_ABSOLUTE: Final = re.compile(r"https?://[^\s\"'<>\[\]()]{1,2048}+", re.I)

# The source of a link, judged by its href; None leaves it out, for it only sorts a list.
Naming = Callable[[str], str | None]


def scan(text: str, collector: Collector, naming: Naming | None = None) -> None:
    """Hand every reference in `text` to `collector`, and set its base. naming: names the links, in place of "a"."""
    page = _Page(collector, naming)
    text = text.replace("\0", "\ufffd")  # as a browser has it wherever a NUL matters
    page.find_base(text)
    for raw in links.xml_sheets(text):
        page.link(raw, "sheet")
    page.read(text)


def fragment(text: str, collector: Collector) -> None:
    """The same for markup within another document, where `base href` means nothing."""
    _Page(collector, None).read(text)


def take(found: Iterable[tuple[str, str]], collector: Collector) -> None:
    """Take what `scripts` found in data."""
    _Page(collector, None).take(found)


class _Page:
    """One document while it is read. doubts: what its base might be as well; until `base href` is met, the document's
    own URL counts too, for its effect on links is retroactive, but not on what a browser has begun to load."""

    def __init__(self, collector: Collector, naming: Naming | None) -> None:
        self.collector = collector
        self.naming = naming
        self.depth = 0
        self.in_text = False
        self.doubts: tuple[str, ...] = ()

    def find_base(self, text: str) -> None:
        found = bases(text, self.collector.url)
        if found:
            self.collector.set_base(found[0])
            self.doubts = found[1:]
            self.collector.others = tuple({*found[1:], self.collector.url} - {found[0]})

    def read(self, text: str) -> None:
        collector = self.collector
        for name, raw, content, target, classes in tokens.start_tags(text):
            # The short way to what `_img`, `_anchor` and `_link` would do.
            if target is not None and name == "img":
                collector.load(target, "text" if self.in_text else "img")
                continue
            if target is not None and self.naming is None:
                collector.add(target, "lightbox" if classes and vocabulary.opens_picture(classes, "") else "a")
                continue
            if name == "link" and (related := plain.relation(raw)) is not None:
                href, relation, media_type = related
                for source in links.sources_of(relation, "", media_type):
                    self.link(href, source)
                continue
            attributes = tokens.attributes(raw)
            handler, dull = _HANDLERS.get(name) or _HANDLERS.get(name.rpartition(":")[2], _NO_HANDLER)
            if handler is not None:
                handler(self, attributes, content)
            if not dull.issuperset(attributes):
                self.any_attributes(name, attributes)

    def within(self, text: str, *, as_text: bool = False) -> None:
        """Read markup that stood in the markup; as_text: it is shown as text and not as a page."""
        if "<" not in text:
            return
        if self.depth >= _MAX_DEPTH:
            self.collector.count("depth")
            return
        before = self.in_text
        self.depth += 1
        self.in_text = before or as_text
        self.read(text)
        self.depth -= 1
        self.in_text = before

    def inner(self, text: str) -> None:
        """Read a document that stood in this one, with a base of its own perhaps."""
        before = self.collector.others
        self.collector.others = (*before, *bases(text, self.collector.base))[:_MOST_BASES]
        self.within(text)
        self.collector.others = before

    def image(self, raw: str, name: str) -> None:
        if raw:
            self.collector.load(raw, "text" if self.in_text else name)

    def images(self, value: str, name: str | None = None) -> None:
        """A `srcset`; name: in place of the sources that it gives by itself."""
        for raw, source in links.set_of_images(value):
            self.image(raw, name if name and source == "srcset" else source)

    def link(self, raw: str, name: str) -> None:
        if raw and SOURCES[name].followed:
            self.collector.add(raw, name)
        elif raw:
            self.collector.load(raw, name)

    def file(self, raw: str) -> None:
        if self.collector.files:
            self.link(raw, "file")

    def style(self, text: str) -> None:
        if "(" not in text and "@" not in text and "\\" not in text:
            return
        for raw, imported in css.references(text):
            if imported:
                self.link(raw, "sheet")
            else:
                self.image(raw, "css")

    def data(self, text: str) -> None:
        value = scripts.parsed(text) if text[:1] in ("{", "[") else None
        fits = value is not None and not isinstance(value, Rejected)
        self.take(scripts.from_value(value) if fits else scripts.from_program(text))

    def take(self, found: Iterable[tuple[str, str]]) -> None:
        for raw, name in found:
            if name == "markup":
                self.within(raw)
            elif name in ("json-link", "onclick"):
                self.link(raw, name)
            else:
                self.image(raw, name)

    def any_attributes(self, name: str, attributes: dict[str, str]) -> None:
        """What any element may hold: styles, backgrounds, and what scripts will load."""
        for key, value in attributes.items():
            if not value or key in lookalikes.NO_REFERENCES:
                continue
            if key == "style":
                self.style(value)
            elif key == "background":
                self.image(value, "background")
            elif key[:2] == "on":
                for raw, source in scripts.from_program(value) if "." in value or "location" in value else ():
                    self.collector.add(raw, source)
            else:
                self.lookalike(name, key, value)

    def lookalike(self, name: str, key: str, value: str) -> None:
        form = lookalikes.form_of(name, key, value)
        if form == "srcset":
            self.images(value, "lazy")
        elif form == "css":
            self.style(value)
        elif form == "data":
            self.data(value)
        elif form == "markup":
            self.within(value)
        elif form in ("onclick", "frame"):
            self.link(value, form)
        elif form is not None:
            self.image(value, form)


def _anchor(page: _Page, attributes: dict[str, str], _: str) -> None:
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


def _img(page: _Page, attributes: dict[str, str], _: str) -> None:
    tiny = attributes.get("width") in ("0", "1") and attributes.get("height") in ("0", "1")
    page.image(attributes.get("src", ""), "pixel" if tiny else "img")
    if "srcset" in attributes:
        page.images(attributes["srcset"])


def _source(page: _Page, attributes: dict[str, str], _: str) -> None:
    page.images(attributes.get("srcset", ""))
    if attributes.get("type", "").lower().startswith("video/"):
        page.file(attributes.get("src", ""))


def _meta(page: _Page, attributes: dict[str, str], _: str) -> None:
    content = attributes.get("content", "")
    if attributes.get("http-equiv", "").lower() == "refresh":
        page.link(links.refresh_target(content) or "", "refresh")
        return
    name = attributes.get("property") or attributes.get("name") or attributes.get("itemprop") or ""
    if content and vocabulary.names_image(name):
        page.image(content, "meta")
    elif name.lower() in ("og:url", "twitter:url"):
        page.link(content, "alternate")


def _link(page: _Page, attributes: dict[str, str], _: str) -> None:
    for raw, name in links.relation(attributes):
        page.link(raw, name)


def _script(page: _Page, attributes: dict[str, str], content: str) -> None:
    kind = attributes.get("type", "").lower()
    if "template" in kind or "html" in kind:
        page.within(content)
    elif content and kind not in ("importmap", "text/css"):
        page.data(content.strip().removeprefix("<!--").removesuffix("-->"))


def _style(page: _Page, _: dict[str, str], content: str) -> None:
    page.style(content)
    if "<" in content:
        page.within(content)  # in SVG, what does not belong into a style sheet ends the drawing
    if "&" in content:
        page.style(tokens.unescape_text(content))  # in XML, references count here too


def _iframe(page: _Page, attributes: dict[str, str], content: str) -> None:
    page.link(attributes.get("src", ""), "frame")
    page.inner(attributes.get("srcdoc", ""))
    page.within(content)


def _object(page: _Page, attributes: dict[str, str], _: str) -> None:
    raw = attributes.get("data", "") or attributes.get("src", "")
    kind = attributes.get("type", "").lower()
    if kind.startswith("image/") or looks_like_image(raw):
        page.image(raw, "object")
    elif kind.startswith("video/") or kind == "application/pdf":
        page.file(raw)
    elif not kind or "html" in kind:
        page.link(raw, "frame")


def _svg_image(page: _Page, attributes: dict[str, str], _: str) -> None:
    for key, value in attributes.items():
        # XML may call the namespace of XLink anything. Outside of drawings HTML takes an `image` for an `img`.
        if key in ("href", "src") or key.endswith(":href"):
            page.image(value, "svg")
    page.images(attributes.get("srcset", ""))


def _video(page: _Page, attributes: dict[str, str], _: str) -> None:
    page.image(attributes.get("poster", ""), "poster")
    page.file(attributes.get("src", ""))


def _input(page: _Page, attributes: dict[str, str], _: str) -> None:
    page.image(attributes.get("src", ""), "input")
    value = attributes.get("value", "")  # image hosts show what to paste elsewhere; lists choose a picture to show
    if "<" in value:
        page.within(value, as_text=True)
    elif "/" in value and looks_like_image(value):
        page.image(value, "text")


def _base(page: _Page, attributes: dict[str, str], _: str) -> None:
    if page.depth == 0 and "href" in attributes:
        page.collector.others = page.doubts


def _markup(page: _Page, _: dict[str, str], content: str) -> None:
    page.within(content)


def _text(page: _Page, _: dict[str, str], content: str) -> None:
    text = tokens.unescape_text(content)
    page.within(text, as_text=True)
    for match in _ABSOLUTE.finditer(text):
        if looks_like_image(match[0]):
            page.image(match[0], "text")


_Handler = Callable[[_Page, dict[str, str], str], None]
_BY_NAME: Final[dict[str, _Handler]] = {
    **dict.fromkeys(("a", "area"), _anchor),
    **dict.fromkeys(("img", "amp-img", "amp-anim"), _img),
    **dict.fromkeys(("iframe", "frame", "amp-iframe", "portal", "fencedframe"), _iframe),
    **dict.fromkeys(("object", "embed"), _object),
    **dict.fromkeys(("noscript", "noembed", "noframes"), _markup),
    **dict.fromkeys(("textarea", "title", "xmp"), _text),
    **dict.fromkeys(("image", "feimage", "use"), _svg_image),
    **dict.fromkeys(("video", "amp-video"), _video),
    **dict.fromkeys(("input", "option", "param"), _input),
    "base": _base,
    "source": _source,
    "meta": _meta,
    "link": _link,
    "script": _script,
    "style": _style,
}
# name -> (handler, attributes that are no lookalikes on it)
_HANDLERS: Final[dict[str, tuple[_Handler | None, frozenset[str]]]] = {
    name: (handler, lookalikes.NO_REFERENCES_BUT_SRC if name in lookalikes.READ_SRC else lookalikes.NO_REFERENCES)
    for name, handler in _BY_NAME.items()
}
_NO_HANDLER: Final[tuple[_Handler | None, frozenset[str]]] = (None, lookalikes.NO_REFERENCES)
