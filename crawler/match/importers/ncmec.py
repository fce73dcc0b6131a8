"""NCMEC's hash sharing XML (https://hashsharing.ncmec.org/hashsharing/v2), one page or several in one file each.

    <queryResult><images maxTimestamp="…">
      <image><member id="42">…</member><id>…</id><classification>A1</classification>
        <fingerprints><md5>…</md5><sha1>…</sha1><pdna>…</pdna><pdq>…</pdq></fingerprints></image>
      <deletedImage><member id="43">…</member><id>…</id></deletedImage>
    </images><videos>…</videos><paging><next>…</next></paging></queryResult>

Identifiers are unique within a member only: ours are `MEMBER:ID`. Deleted entries are tombstones. Document types are
refused, and with them entities, which could grow without bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from crawler.match.entries import BadLine, ImportOptions, Item, Tombstone, Uncounted
from crawler.match.importers.source import CHUNK, Source
from crawler.match.importers.values import ALGORITHMS, About, entry, left_out, text_or_none

MOST_DEPTH = 32
MOST_TEXT = 65_536
"""Characters of one element's text."""

MOST_MARKUP = 4 * CHUNK
"""Bytes that expat may hold back."""

MOST_FIELDS = 64
"""Elements of one entry."""

MEND = "ask for the list again"
ROOT = "queryresult"
SETS = frozenset({"images", "videos"})
ENTRIES = frozenset({"image", "video", "deletedimage", "deletedvideo"})


class Refused(Exception):
    """Raised inside expat's handlers, which can only be left by an exception; `parse` translates it."""


@dataclass(slots=True)
class Record:
    """One entry as it is read: what it is, its member, and the text of its elements in order."""

    kind: str
    member: str | None = None
    fields: list[tuple[str, str]] = field(default_factory=list)

    def first(self, name: str) -> str | None:
        return next((text for key, text in self.fields if key == name), None)


class Reader:
    """Takes expat's events, gives records."""

    def __init__(self) -> None:
        self.path: list[str] = []
        self.text = ""
        self.names: dict[str, str] = {}
        self.record: Record | None = None
        self.done: list[Record] = []
        self.more_pages = False
        self.seen_set = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = self.names.get(tag) or self.named(tag)
        path = self.path
        path.append(name)
        self.text = ""
        if len(path) > 3:
            if len(path) > MOST_DEPTH:
                raise Refused("the XML is nested too deeply")
            if name == "member" and self.record is not None:
                self.record.member = attributes.get("id")
        elif len(path) == 3 and path[1] in SETS and name in ENTRIES:
            self.record = Record(name)
        elif len(path) == 2 and name in SETS:
            self.seen_set = True
        elif len(path) == 1 and name != ROOT:
            raise Refused(f"the XML's outermost element is no {ROOT}")

    def named(self, tag: str) -> str:
        """The name without its prefix, in lower case; remembered, for there are few of them and they come often."""
        name = tag.rpartition(":")[2].lower()
        if len(self.names) < MOST_FIELDS:
            self.names[tag] = name
        return name

    def data(self, text: str) -> None:
        self.text += text
        if len(self.text) > MOST_TEXT:
            raise Refused(f"an element's text is longer than {MOST_TEXT} characters")

    def end(self, _tag: str) -> None:
        name = self.path.pop()
        text = self.text.strip()
        self.text = ""
        if self.record is None:
            self.more_pages |= name == "next" and bool(text)
        elif len(self.path) == 2:
            self.done.append(self.record)
            self.record = None
        elif text:
            if len(self.record.fields) >= MOST_FIELDS:
                raise Refused(f"an entry has more than {MOST_FIELDS} elements")
            self.record.fields.append((name, text))

    def doctype(self, *_declaration: object) -> None:
        raise Refused("the XML declares a document type or entities, which a hash list has no need of")


def parse(source: Source, options: ImportOptions) -> Iterator[Item]:
    """The items of the file, entry by entry; numbers count the entries.

    Raises HashListInvalid for XML that is malformed, cut off, of another schema, or that declares entities, and for an
    import as benign list.
    """
    if options.kind == "benign":
        raise source.invalid("an NCMEC list is no list of harmless images", "import it as --kind block")
    reader = Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    parser.StartDoctypeDeclHandler = reader.doctype
    parser.EntityDeclHandler = reader.doctype
    number = 0
    for chunk in with_end(source.chunks()):
        feed(parser, chunk, source)
        for record in reader.done:
            number += 1
            yield from items(number, record, options)
        reader.done.clear()
    if not reader.seen_set:
        raise source.invalid("the XML has neither images nor videos", MEND)
    if reader.more_pages:
        yield Uncounted(number, "the list has another page (paging/next): import that, too")


def with_end(chunks: Iterator[bytes]) -> Iterator[bytes | None]:
    """The chunks, and None after the last."""
    yield from chunks
    yield None


def feed(parser: expat.XMLParserType, chunk: bytes | None, source: Source) -> None:
    """Let expat read on; None is the end of the file. Raises HashListInvalid with the line.

    expat keeps a piece of markup until it is whole, a comment for instance, and knows no bound for it.
    """
    try:
        parser.Parse(chunk or b"", chunk is None)
    except expat.ExpatError as error:
        what = "the XML is cut off" if chunk is None else f"the XML is malformed ({expat.ErrorString(error.code)})"
        raise source.invalid(what, MEND, f"line {error.lineno}") from error
    except Refused as error:
        raise source.invalid(str(error), MEND, f"line {parser.CurrentLineNumber}") from error
    if source.position - parser.CurrentByteIndex > MOST_MARKUP:
        raise source.invalid("a piece of markup is far too long", MEND, f"line {parser.CurrentLineNumber}")


def items(number: int, record: Record, options: ImportOptions) -> Iterator[Item]:
    """The entries of one record, or its tombstone."""
    identifier = record.first("id")
    external_id = text_or_none(f"{record.member or ''}:{identifier}") if identifier else None
    if record.kind.startswith("deleted"):
        yield BadLine(number, "deleted, and no id") if external_id is None else Tombstone(external_id)
        return
    about = About(text_or_none(record.first("classification")), None, external_id)
    uncounted = left_out(number, about, options)
    if uncounted is not None:
        yield uncounted
        return
    values = [(ALGORITHMS[name], text) for name, text in record.fields if name in ALGORITHMS]
    if not values:
        yield BadLine(number, "no digest and no code")
    for algorithm, text in values:
        yield entry(number, algorithm, text, options, about)
