"""HTML: every reference that an element holds, in whatever attribute."""

from __future__ import annotations

from collections.abc import Iterable

from crawler.discover import entities, links, plain, tokens, vocabulary
from crawler.discover.bases import bases
from crawler.discover.collect import Collector
from crawler.discover.elements import HANDLERS, NO_HANDLER
from crawler.discover.references import Naming, Page


def scan(text: str, collector: Collector, naming: Naming | None = None) -> None:
    """Hand every reference in `text` to `collector`, and set its base. naming: names the links, in place of "a"."""
    page = _Page(collector, naming)
    text = text.replace("\0", "\ufffd")  # as a browser has it wherever a NUL matters
    for raw in links.xml_sheets(text):
        page.link(raw, "sheet")
    as_xml = entities.expanded(text)
    page.find_base(as_xml)
    page.read(as_xml)
    # To who takes it for HTML, nothing is declared.
    page.sectioned = page.sectioned or (collector.html and as_xml is not text)
    page.read_as_html(text)


def fragment(text: str, collector: Collector) -> None:
    """The same for markup within another document, where `base href` means nothing."""
    page = _Page(collector, None)
    page.read(text)
    page.read_as_html(text)


def take(found: Iterable[tuple[str, str]], collector: Collector) -> None:
    """Take what `scripts` found in data."""
    _Page(collector, None).take(found)


class _Page(Page):
    def find_base(self, text: str) -> None:
        found = bases(text, self.collector.url)
        if found:
            self.collector.set_base(found[0])
            self.doubts = found[1:]
            self.collector.others = tuple({*found[1:], self.collector.url} - {found[0]})

    def read_as_html(self, text: str) -> None:
        """Read it once more where HTML would have it otherwise than XML."""
        if self.sectioned:
            self.sections = False
            self.read(text)

    def read(self, text: str) -> None:
        collector = self.collector
        for name, raw, content, target, classes in tokens.start_tags(text, sections=self.sections):
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
            handler, dull = HANDLERS.get(name) or HANDLERS.get(name.rpartition(":")[2], NO_HANDLER)
            if handler is not None:
                handler(self, attributes, content)
            if not dull.issuperset(attributes):
                self.any_attributes(name, attributes)
