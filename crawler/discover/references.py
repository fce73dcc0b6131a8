"""What a value or a text in a page may hold: an image, a link, a style sheet, data, or markup of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Final

from crawler.discover import css, links, lookalikes, scripts
from crawler.discover.bases import bases
from crawler.discover.collect import Collector
from crawler.discover.sources import SOURCES
from crawler.records import Rejected

_MOST_BASES: Final = 4
_MAX_DEPTH: Final = 3  # of markup within markup: srcdoc, noscript, text areas, strings in data

# The source of a link, judged by its href; None leaves it out, for it only sorts a list.
Naming = Callable[[str], str | None]


class Page(ABC):
    """One document while it is read. doubts: what its base might be as well; until `base href` is met, the document's
    own URL counts too, for its effect on links is retroactive, but not on what a browser has begun to load.

    sections: whether CDATA sections are ones, as in XML.  sectioned: one was met, which HTML reads otherwise.
    """

    def __init__(self, collector: Collector, naming: Naming | None) -> None:
        self.collector = collector
        self.naming = naming
        self.depth = 0
        self.in_text = False
        self.doubts: tuple[str, ...] = ()
        self.sections = True
        self.sectioned = False

    @abstractmethod
    def read(self, text: str) -> None:
        """Take every reference in markup."""

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
