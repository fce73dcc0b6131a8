"""Hash lists made in code, in every format, for tests, demonstrations and benchmarks. Their values are random."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from xml.sax.saxutils import escape, quoteattr

INTERPOL_HEADER = (
    "MD5;SHA1;PhotoDNA;Image ID;Is distributed;Victim identified;Offender identified;Series name;"
    "Number of submissions;File Available;Media Type;Baseline"
)
VICS_CONTEXT = "http://github.com/VICSDATAMODEL/ProjectVic/DataModels/2.0.xml/Default/$metadata#"
VICS_METADATA = "http://github.com/ICMEC/ProjectVic/DataModels/1.3.xml#Media"
NCMEC_NAMESPACE = "https://hashsharing.ncmec.org/hashsharing/v2"


@dataclass(frozen=True, slots=True)
class Picture:
    """What a list knows of one image. values: algorithm -> value.  size: bytes."""

    external_id: str
    category: str | None
    size: int | None
    values: Mapping[str, bytes] = field(repr=False)


def pdq(rng: random.Random) -> bytes:
    """A PDQ code as the reference makes nearly all of them: 128 ones."""
    ones = rng.sample(range(256), 128)
    return sum(1 << place for place in ones).to_bytes(32)


def picture(number: int, seed: int, algorithms: Sequence[str] = ("md5", "sha1")) -> Picture:
    """The image `number` of the list `seed`: the same one at every call."""
    rng = random.Random(f"{seed}:{number}")
    widths = {"md5": 16, "sha1": 20, "sha256": 32, "phash": 8, "photodna": 144}
    values = {name: pdq(rng) if name == "pdq" else rng.randbytes(widths[name]) for name in algorithms}
    return Picture(str(number + 1), str(1 + number % 3), rng.randint(4_000, 4_000_000), values)


def pictures(count: int, seed: int = 0, algorithms: Sequence[str] = ("md5", "sha1")) -> Iterator[Picture]:
    """The images 0 to count - 1 of the list `seed`."""
    return (picture(number, seed, algorithms) for number in range(count))


def as_lines(images: Iterator[Picture]) -> Iterator[str]:
    """The plainest format; it has no room for categories, sizes and identifiers."""
    yield "# made in code, stands for no image\n"
    for image in images:
        yield from (f"{name} {value.hex()}\n" for name, value in image.values.items())


def as_csv(images: Iterator[Picture]) -> Iterator[str]:
    """Comma-separated, with a column per algorithm."""
    names = ("md5", "sha1", "sha256", "pdq", "phash", "photodna")
    yield f"id,category,size,{','.join(names)}\n"
    for image in images:
        values = ",".join(image.values[name].hex() if name in image.values else "" for name in names)
        yield f"{image.external_id},{image.category or ''},{image.size or ''},{values}\n"


def media(image: Picture, flat: bool) -> str:
    """One image of a VICS set. flat: PhotoDNA as a member of the image, not among the alternative hashes."""
    found: dict[str, object] = {"MediaID": int(image.external_id), "Category": int(image.category or 0)}
    found |= {name.upper(): image.values[name].hex().upper() for name in ("md5", "sha1") if name in image.values}
    found |= {"MediaSize": image.size, "VictimIdentified": "False", "IsDistributed": True, "Series": ""}
    others = {name: value.hex() for name, value in image.values.items() if name in ("sha256", "pdq", "phash")}
    if "photodna" in image.values:
        code = base64.b64encode(image.values["photodna"]).decode()
        if flat:
            found["PhotoDNA"] = code
        else:
            others["PhotoDNA"] = code
    found["AlternativeHashes"] = [{"HashName": name, "HashValue": value} for name, value in others.items()]
    return json.dumps(found)


def as_vics(images: Iterator[Picture]) -> Iterator[str]:
    """VICS 2.0: images, behind a byte order mark."""
    yield f'\ufeff{{"@odata.context": "{VICS_CONTEXT}Media", "value": ['
    for number, image in enumerate(images):
        yield (",\n" if number else "\n") + media(image, flat=False)
    yield "\n]}\n"


def as_vics_13(images: Iterator[Picture]) -> Iterator[str]:
    """VICS 1.3."""
    yield f'{{"odata.metadata": "{VICS_METADATA}", "value": ['
    for number, image in enumerate(images):
        yield (", " if number else "") + media(image, flat=True)
    yield "]}"


def as_vics_cases(images: Iterator[Picture]) -> Iterator[str]:
    """VICS 2.0: one case, with its images."""
    yield f'{{"@odata.context": "{VICS_CONTEXT}Cases", "value": [{{"CaseID": "made-in-code", "Media": ['
    for number, image in enumerate(images):
        yield (", " if number else "") + media(image, flat=True)
    yield '], "SourceApplicationName": "vangnet"}]}'


def as_ncmec(images: Iterator[Picture], deleted: Sequence[str] = (), more: str = "") -> Iterator[str]:
    """NCMEC's XML. deleted: identifiers (`MEMBER:ID`) of tombstones.  more: what stands in paging/next."""
    yield f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<queryResult xmlns={quoteattr(NCMEC_NAMESPACE)}>\n'
    yield '<images count="0" maxTimestamp="2026-01-01T00:00:00Z">\n'
    for image in images:
        prints = "".join(
            f"<{tag}>{image.values[name].hex()}</{tag}>"
            for name, tag in (("md5", "md5"), ("sha1", "sha1"), ("photodna", "pdna"), ("pdq", "pdq"))
            if name in image.values
        )
        classification = f"<classification>{escape(image.category)}</classification>" if image.category else ""
        yield (
            f'<image><member id="42">made in code</member><timestamp>2026-01-01T00:00:00Z</timestamp>'
            f"<id>{escape(image.external_id)}</id>{classification}<fingerprints>{prints}</fingerprints></image>\n"
        )
    for name in deleted:
        member, _, identifier = name.partition(":")
        yield f"<deletedImage><member id={quoteattr(member)}/><id>{escape(identifier)}</id></deletedImage>\n"
    yield "</images>\n"
    yield f"<paging><next>{escape(more)}</next></paging>\n</queryResult>\n" if more else "</queryResult>\n"


def as_interpol(images: Iterator[Picture]) -> Iterator[str]:
    """Interpol's export. Category "1" is the baseline."""
    yield INTERPOL_HEADER + "\n"
    for image in images:
        code = base64.b64encode(image.values["photodna"]).decode() if "photodna" in image.values else ""
        digests = ";".join(image.values[name].hex() if name in image.values else "" for name in ("md5", "sha1"))
        yield f"{digests};{code};{image.external_id};True;False;False;;1;True;Image;{image.category == '1'}\n"


WRITERS: Mapping[str, Callable[[Iterator[Picture]], Iterator[str]]] = MappingProxyType(
    {
        "lines": as_lines,
        "csv": as_csv,
        "vics": as_vics,
        "vics-1.3": as_vics_13,
        "vics-cases": as_vics_cases,
        "ncmec": as_ncmec,
        "interpol": as_interpol,
    }
)
"""Name of a format or of its variant -> the pieces of a file, from images."""
