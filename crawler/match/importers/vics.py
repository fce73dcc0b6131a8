"""Project VIC's VICS JSON, versions 1.x (`odata.metadata … #Media`) and 2.0 (`@odata.context … #Media` or `#Cases`).

    {"@odata.context": "http://github.com/VICSDATAMODEL/ProjectVic/DataModels/2.0.xml/Default/$metadata#Media",
     "value": [{"MediaID": 1, "Category": 1, "MD5": "…", "SHA1": "…", "MediaSize": 2835,
                "AlternativeHashes": [{"HashName": "PhotoDNA", "HashValue": "…"}], "PhotoDNA": "…"}, …]}

In a file of cases the images stand in `value[].Media[]`. Names are compared without regard to case. Category 0 is
"non-pertinent" and never counts, nor does an image that nobody has categorised; what the other numbers mean differs by
country, so the import names those that count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from crawler.match.entries import BadLine, ImportOptions, Item, Uncounted
from crawler.match.importers.jsonstream import MEND, JsonStream
from crawler.match.importers.source import Source
from crawler.match.importers.values import ALGORITHMS, About, entry, left_out, size_or_none, text_or_none

CONTEXTS = ("odata.metadata", "@odata.context")
MOST_ALTERNATIVES = 64
Media = Mapping[str, object]


def parse(source: Source, options: ImportOptions) -> Iterator[Item]:
    """The items of the file, image by image; numbers count the images.

    Raises HashListInvalid for JSON that is malformed, cut off or of another schema, and for an import as benign list.
    """
    if options.kind == "benign":
        raise source.invalid("a VICS set is no list of harmless images", "export those that are, as csv")
    for number, media in enumerate(images(JsonStream(source)), 1):
        if isinstance(media, dict):
            yield from items(number, lowered(media), options)
        else:
            yield BadLine(number, "no JSON object")


def images(stream: JsonStream) -> Iterator[object]:
    """The images of the file, wherever they stand."""
    known = False
    for name in stream.members():
        if name in CONTEXTS:
            known = "datamodels/" in str(stream.value()).lower()
        elif name != "value":
            stream.value()
        elif not known:
            raise stream.invalid("the JSON does not begin with the schema of VICS")
        else:
            for _ in stream.elements():
                yield from images_of(stream)
    if not known:
        raise stream.source.invalid("the JSON is not of the VICS schema", "import it as another format")
    if stream.more() or stream.text[stream.at :].strip():
        raise stream.source.invalid("something follows the end of the JSON", MEND)


def images_of(stream: JsonStream) -> Iterator[object]:
    """One element of `value`: an image, or a case with its images, which may be larger than memory."""
    element = stream.whole()
    if element is not None:
        media = element.get("Media") if isinstance(element, dict) else None
        yield from media if isinstance(media, list) else [element]
        return
    for name in stream.members():
        if name == "Media" and stream.peek() == "[":
            for _ in stream.elements():
                yield stream.value()
        else:
            stream.value()


def lowered(members: Media) -> Media:
    """A JSON object with its names in lower case."""
    return {str(name).lower(): value for name, value in members.items()}


def items(number: int, media: Media, options: ImportOptions) -> Iterator[Item]:
    """The entries of one image. media: with names in lower case."""
    category = text_or_none(media.get("category"))
    about = About(category, size_or_none(media.get("mediasize")), text_or_none(media.get("mediaid")))
    if category in (None, "0"):
        reason = "no category" if category is None else "category 0 (non-pertinent)"
        yield Uncounted(number, reason)
        return
    uncounted = left_out(number, about, options)
    if uncounted is not None:
        yield uncounted
        return
    found = values(media)
    if not found:
        yield BadLine(number, "no digest and no code")
    for algorithm, text in found:
        yield entry(number, algorithm, text, options, about)


def values(media: Media) -> list[tuple[str, str]]:
    """Algorithms and values, each pair once: of the image itself, and of its alternative hashes."""
    found = [(name, media.get(name)) for name in ("md5", "sha1", "sha256", "photodna")]
    alternatives = media.get("alternativehashes")
    if isinstance(alternatives, list):
        for alternative in alternatives[:MOST_ALTERNATIVES]:
            if isinstance(alternative, dict):
                named = {str(name).lower(): value for name, value in alternative.items()}
                found.append(
                    (ALGORITHMS.get(str(named.get("hashname", "")).strip().lower(), ""), named.get("hashvalue"))
                )
    texts = [(name, value.strip()) for name, value in found if name and isinstance(value, str)]
    return list(dict.fromkeys((name, text) for name, text in texts if text))
