"""Every format gives the entries that its writer put in; what is wrong in a file is named by number and place."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crawler.errors import HashListInvalid
from crawler.match.entries import BadLine, Batch, Entry, ImportOptions, Item, Tombstone, Uncounted
from crawler.match.importers import detect, synthetic
from crawler.match.importers.jsonstream import MOST_ELEMENT
from crawler.match.importers.source import CHUNK, MOST_LINE

AUTO = ImportOptions()
ALL = ("md5", "sha1", "sha256", "pdq", "phash", "photodna")
CARRIED = {
    "lines": ALL,
    "csv": ALL,
    "vics": ALL,
    "vics-1.3": ALL,
    "vics-cases": ALL,
    "ncmec": ("md5", "sha1", "pdq", "photodna"),
    "interpol": ("md5", "sha1", "photodna"),
}
MD5 = "9e107d9d372bb6826bd81d3542a419d6"
SHA1 = "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "list"


def written(path: Path, content: str | bytes | Iterable[str]) -> Path:
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else "".join(content), encoding="utf-8")
    return path


def read(path: Path, options: ImportOptions = AUTO) -> list[Item]:
    return list(detect.items(path, options))


def refusal(path: Path, options: ImportOptions = AUTO) -> str:
    """The message with which a file is refused: one line that names it and says how to mend it."""
    with pytest.raises(HashListInvalid) as caught:
        read(path, options)
    message = str(caught.value)
    assert message.startswith(f"{path}:")
    assert "\n" not in message
    assert "; " in message
    return message


# ---------------------------------------------------------------- all formats


@pytest.mark.parametrize("variant", list(synthetic.WRITERS))
def test_what_was_written_is_read(variant: str, file: Path) -> None:
    pictures = list(synthetic.pictures(50, 7, CARRIED[variant]))
    written(file, synthetic.WRITERS[variant](iter(pictures)))
    wanted = {(name, value) for picture in pictures for name, value in picture.values.items()}
    items = read(file)
    assert all(isinstance(item, Entry) for item in items)
    assert {(item.algorithm, item.value) for item in items if isinstance(item, Entry)} == wanted
    assert len(items) == len(wanted)


@pytest.mark.parametrize("variant", ["csv", "vics", "vics-1.3", "vics-cases", "ncmec", "interpol"])
def test_what_the_list_says_of_an_image_is_kept(variant: str, file: Path) -> None:
    pictures = {picture.external_id: picture for picture in synthetic.pictures(9, 3)}
    written(file, synthetic.WRITERS[variant](iter(pictures.values())))
    for item in read(file):
        assert isinstance(item, Entry)
        picture = pictures[(item.external_id or "").removeprefix("42:")]
        assert item.value in picture.values.values()
        if variant == "interpol":
            assert item.category == ("baseline" if picture.category == "1" else "other")
        else:
            assert item.category == picture.category
            assert item.size == (None if variant == "ncmec" else picture.size)


@pytest.mark.parametrize("variant", list(synthetic.WRITERS))
def test_files_are_read_alike_with_other_line_ends_and_a_mark(variant: str, file: Path) -> None:
    text = "".join(synthetic.WRITERS[variant](synthetic.pictures(5, 1))).removeprefix("\ufeff")
    plain = read(written(file, text))
    assert read(written(file, text.replace("\n", "\r\n").encode("utf-8-sig"))) == plain
    assert read(written(file, text.rstrip("\n"))) == plain


@pytest.mark.parametrize("variant", list(synthetic.WRITERS))
def test_larger_files_come_in_batches_with_their_progress(variant: str, file: Path) -> None:
    written(file, synthetic.WRITERS[variant](synthetic.pictures(9000, 2)))
    assert file.stat().st_size > CHUNK / 2
    batches = list(detect.read(file, AUTO, size=1000))
    assert [len(batch.entries) for batch in batches] == [1000] * 18 + [0]
    positions = [batch.position for batch in batches]
    assert positions == sorted(positions)
    assert positions[-1] == file.stat().st_size
    assert all(batch.total == file.stat().st_size for batch in batches)
    assert [entry for batch in batches for entry in batch.entries] == read(file)


@pytest.mark.parametrize("variant", ["csv", "vics", "ncmec", "interpol"])
def test_categories_that_count_are_named_at_the_import(variant: str, file: Path) -> None:
    written(file, synthetic.WRITERS[variant](synthetic.pictures(9, 3)))
    chosen = "baseline" if variant == "interpol" else "1"
    items = read(file, ImportOptions(categories=frozenset({chosen})))
    assert {item.category for item in items if isinstance(item, Entry)} == {chosen}
    assert sum(isinstance(item, Uncounted) for item in items) == 6


@pytest.mark.parametrize("variant", ["vics", "vics-1.3", "vics-cases", "ncmec", "interpol"])
def test_sets_of_abuse_imagery_are_refused_as_benign(variant: str, file: Path) -> None:
    written(file, synthetic.WRITERS[variant](synthetic.pictures(3, 3)))
    assert "no list of harmless images" in refusal(file, ImportOptions(kind="benign"))


def test_benign_lists_count_by_exact_digest_only(file: Path) -> None:
    written(file, synthetic.as_csv(synthetic.pictures(3, 3, ALL)))
    items = read(file, ImportOptions(kind="benign"))
    assert {item.algorithm for item in items if isinstance(item, Entry)} == {"md5", "sha1", "sha256"}
    assert sum(isinstance(item, Uncounted) for item in items) == 9


def test_poisonous_entries_are_refused_by_number_in_every_format(file: Path) -> None:
    empty = synthetic.Picture("1", "1", 1, {"md5": bytes.fromhex("d41d8cd98f00b204e9800998ecf8427e")})
    for variant, write in synthetic.WRITERS.items():
        items = read(written(file, write(iter([empty, *synthetic.pictures(2, 3)]))))
        line = {"lines": 2, "csv": 2, "interpol": 2}.get(variant, 1)
        assert items[0] == BadLine(line, "poison: digest of empty content")
        assert len(items) == 5


# ---------------------------------------------------------------- wrong kinds of files


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"PK\x03\x04" + bytes(100), "zip archive"),
        (b"\x1f\x8b\x08" + bytes(100), "gunzip"),
        (b"%PDF-1.7\n", "PDF"),
        (b"SQLite format 3\0" + bytes(100), "SQLite"),
        (b"", "empty"),
        (b" \n\n\t", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        ("md5 x".encode("utf-16"), "UTF-16"),
        (b"md5 " + bytes(10), "no text"),
        (b"just some words\nthat say nothing\n", "cannot be told"),
        (b"<html><body>Sign in</body></html>", "queryresult"),
        (b'{"error": "denied"}', "schema"),
        (b"[1, 2]", "cannot be told"),
    ],
)
@pytest.mark.parametrize("format_name", ["auto"])
def test_files_of_another_kind_are_refused(content: bytes, says: str, format_name: str, file: Path) -> None:
    assert says in refusal(written(file, content), ImportOptions(format=format_name))


def test_directories_missing_files_and_unknown_formats_are_refused(tmp_path: Path) -> None:
    assert "directory" in refusal(tmp_path)
    assert "No such file" in refusal(tmp_path / "missing")
    assert "unknown format" in refusal(written(tmp_path / "list", f"md5 {MD5}\n"), ImportOptions(format="xls"))


@pytest.mark.parametrize("variant", ["vics", "vics-1.3", "vics-cases", "ncmec"])
def test_cut_off_files_are_refused_wherever_they_end(variant: str, file: Path) -> None:
    whole = "".join(synthetic.WRITERS[variant](synthetic.pictures(3, 3))).rstrip()
    for length in range(len(whole) // 2, len(whole) - 1, 7):
        assert "cut off" in refusal(written(file, whole[:length]), ImportOptions(format=variant.partition("-")[0]))


@pytest.mark.parametrize("format_name", list(detect.FORMATS))
def test_no_reader_takes_another_formats_file(format_name: str, file: Path) -> None:
    for variant, write in synthetic.WRITERS.items():
        if not variant.startswith(format_name):
            written(file, write(synthetic.pictures(3, 3)))
            try:
                items = read(file, ImportOptions(format=format_name))
            except HashListInvalid:
                continue
            # Interpol's header has the columns of a csv file, so that it can be read as one.
            assert (format_name, variant) == ("csv", "interpol") or not any(isinstance(item, Entry) for item in items)


def test_no_message_shows_a_value(file: Path) -> None:
    for text in (f"md5 {MD5}0\n", f"md5 {MD5[:-1]}\n", f"sha5 {MD5}\n", f"md5 {MD5} {MD5}\n", f"{MD5}\n"):
        for item in read(written(file, text), ImportOptions(format="lines")):
            assert isinstance(item, BadLine)
            assert MD5[:8] not in repr(item)


# ---------------------------------------------------------------- lines


def test_lines_in_detail(file: Path) -> None:
    text = f"""# a comment

md5 {MD5}
  SHA-1\t{SHA1.upper()}
md5 {MD5} # from a case
md5 {MD5[:-2]}
crc32 00000000
md5
md5 {MD5[:-1]}x
md5 {MD5} {MD5}
"""
    assert read(written(file, text)) == [
        Entry("md5", bytes.fromhex(MD5)),
        Entry("sha1", bytes.fromhex(SHA1)),
        Entry("md5", bytes.fromhex(MD5)),
        BadLine(6, "md5: 15 bytes in place of 16"),
        BadLine(7, "unknown algorithm"),
        BadLine(8, "1 words in place of a type and a hash"),
        BadLine(9, "md5: not hexadecimal"),
        BadLine(10, "3 words in place of a type and a hash"),
    ]


def test_lines_that_are_no_text_or_far_too_long_are_bad_lines(file: Path) -> None:
    content = b"md5 " + MD5.encode() + b"\nmd5 \xff\xfe\n" + b"x" * (3 * CHUNK) + b"\nmd5 " + b"a" * MOST_LINE + b"\n"
    items = read(written(file, content + b"md5 " + MD5.encode()))
    assert [type(item) for item in items] == [Entry, BadLine, BadLine, BadLine, Entry]
    assert items[1] == BadLine(2, "md5: not hexadecimal")
    assert items[2] == items[3].__class__(3, f"longer than {MOST_LINE} bytes")
    assert items[3] == BadLine(4, f"longer than {MOST_LINE} bytes")


# ---------------------------------------------------------------- csv


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_csv_guesses_its_columns(separator: str, file: Path) -> None:
    text = f"Media ID,File Size,SHA-1,MD5 Hash,Notes\n17,99,{SHA1},{MD5},holiday\n".replace(",", separator)
    about = (None, 99, "17")
    assert read(written(file, text)) == [
        Entry("md5", bytes.fromhex(MD5), *about),
        Entry("sha1", bytes.fromhex(SHA1), *about),
    ]


def test_csv_columns_are_mapped_by_options(file: Path) -> None:
    written(file, f"a,b,c\n{MD5},x,5\n")
    assert "no column" in refusal(file, ImportOptions(format="csv"))
    options = ImportOptions(columns={"md5": "a", "category": "b", "size": "c"})
    assert read(file, options) == [Entry("md5", bytes.fromhex(MD5), "x", 5)]
    assert "there is no column 'z'" in refusal(file, ImportOptions(format="csv", columns={"md5": "z"}))
    assert "cannot be mapped" in refusal(file, ImportOptions(format="csv", columns={"crc": "a"}))


def test_csv_with_a_column_for_the_algorithm(file: Path) -> None:
    written(file, f"hash type,hash value\nMD5,{MD5}\nsha1,{SHA1}\ncrc32,00\n")
    assert read(file) == [
        Entry("md5", bytes.fromhex(MD5)),
        Entry("sha1", bytes.fromhex(SHA1)),
        BadLine(4, "unknown algorithm"),
    ]


def test_csv_in_the_form_of_nsrl(file: Path) -> None:
    text = (
        f'"SHA-1","MD5","CRC32","FileName","FileSize"\n"{SHA1.upper()}","{MD5.upper()}","7BD5C66F","a ""b"".gif",2048\n'
    )
    items = read(written(file, text), ImportOptions(kind="benign"))
    assert items == [Entry("md5", bytes.fromhex(MD5), None, 2048), Entry("sha1", bytes.fromhex(SHA1), None, 2048)]


def test_csv_rows_with_quotes_and_line_breaks(file: Path) -> None:
    good = Entry("md5", bytes.fromhex(MD5))
    text = f'md5,notes\n{MD5},"two\nlines, and a comma"\n{MD5},"never closed\n{MD5},\n\n{MD5},after\n,empty\n'
    text += f"{MD5[:-2]},short\n"
    text += f'{MD5},"odd"quote\n' + f"{MD5},x\n" * 20
    items = read(written(file, text))
    assert items[0] == good
    assert items[1] == BadLine(4, "a quote is not closed")
    assert items[2:4] == [good, good]
    assert items[4:7] == [
        BadLine(8, "no digest and no code"),
        BadLine(9, "md5: 15 bytes in place of 16"),
        BadLine(10, "quotes are not in order"),
    ]
    assert items[7:] == [good] * 20


def test_csv_that_is_not_utf8_is_named_by_line(file: Path) -> None:
    written(file, f"md5,notes\n{MD5},caf\xe9\n{MD5},x\n".encode("latin-1"))
    assert read(file) == [BadLine(2, "not UTF-8"), Entry("md5", bytes.fromhex(MD5))]


# ---------------------------------------------------------------- vics


def vics(*media: object, context: str = "@odata.context") -> str:
    return json.dumps({context: f"{synthetic.VICS_CONTEXT}Media", "value": media})


def test_vics_categories_that_never_count(file: Path) -> None:
    media = [{"MediaID": n, "Category": category, "MD5": MD5} for n, category in enumerate((0, None, "0", 1, "2"))]
    media.append({"MediaID": 9, "MD5": MD5})
    items = read(written(file, vics(*media)))
    assert [item.category for item in items if isinstance(item, Entry)] == ["1", "2"]
    assert [item.number for item in items if isinstance(item, Uncounted)] == [1, 2, 3, 6]


def test_vics_both_places_of_photodna_count_once(file: Path) -> None:
    picture = synthetic.picture(0, 1, ("photodna",))
    flat = json.loads(synthetic.media(picture, flat=True))
    both = json.loads(synthetic.media(picture, flat=False)) | {"PhotoDNA": flat["PhotoDNA"]}
    for media in (flat, both):
        assert read(written(file, vics(media))) == [
            Entry("photodna", picture.values["photodna"], "1", picture.size, "1")
        ]


def test_vics_names_in_any_case_odd_values_and_bad_images(file: Path) -> None:
    media = [
        {"mediaid": "x", "category": "1", "md5": MD5, "mediasize": "12", "sha1": None, "IsDistributed": "True"},
        {"Category": 1, "MD5": "", "SHA1": SHA1, "AlternativeHashes": [{"HashName": "tlsh", "HashValue": "T1"}, 5]},
        {"Category": 1, "MediaSize": -1, "MD5": MD5, "AlternativeHashes": "none"},
        {"Category": 1},
        "text",
        {"Category": 1, "MD5": "zz"},
    ]
    assert read(written(file, vics(*media))) == [
        Entry("md5", bytes.fromhex(MD5), "1", 12, "x"),
        Entry("sha1", bytes.fromhex(SHA1), "1"),
        Entry("md5", bytes.fromhex(MD5), "1"),
        BadLine(4, "no digest and no code"),
        BadLine(5, "no JSON object"),
        BadLine(6, "md5: not hexadecimal"),
    ]


def test_vics_with_a_case_larger_than_an_element_may_be(file: Path) -> None:
    written(file, synthetic.as_vics_cases(synthetic.pictures(8000, 1)))
    assert file.stat().st_size > MOST_ELEMENT
    assert len(read(file)) == 16_000


DEEP = "[" * 100_000
V2 = '{"@odata.context": "x/DataModels/2.0", '


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"value": [], "@odata.context": "http://x/DataModels/2.0.xml"}', "does not begin with the schema"),
        ('{"@odata.context": "http://example.org/other"}', "not of the VICS schema"),
        (V2 + '"value": [}', "in place of"),
        (V2 + '"value": [{"a": 1} {"b": 2}]}', "in place of , or ]"),
        (V2 + '"value": []} trailing', "something follows"),
        (V2 + '"value": [' + DEEP, "in place of {"),
        (V2 + '"a": ' + DEEP + "]" * 100_000 + ', "value": []}', "malformed"),
        (V2 + '"value": [{"Category": 1, "x": "' + "y" * 3 * MOST_ELEMENT, "too long"),
        (V2 + '"value": [{"Category": ' + "9" * 5000 + "}]}", "malformed"),
        (V2 + '"value": [null]}', "in place of {"),
    ],
)
def test_vics_that_is_malformed_is_refused_with_its_place(text: str, says: str, file: Path) -> None:
    assert says in refusal(written(file, text), ImportOptions(format="vics"))


# ---------------------------------------------------------------- ncmec


def test_ncmec_tombstones_videos_and_further_pages(file: Path) -> None:
    pictures = synthetic.pictures(1, 1, ("md5",))
    text = "".join(synthetic.as_ncmec(pictures, deleted=["43:image4", ":x"], more="/v2/entries?start=2&size=1"))
    video = (
        f'<videos><video><member id="7"/><id>v</id><fingerprints><md5>{MD5}</md5><tmk>AA</tmk></fingerprints></video>'
    )
    text = text.replace("<paging>", f'{video}<deletedVideo><member id="7"/><id>w</id></deletedVideo></videos><paging>')
    items = read(written(file, text))
    assert items == [
        Entry("md5", synthetic.picture(0, 1, ("md5",)).values["md5"], "1", None, "42:1"),
        Tombstone("43:image4"),
        Tombstone(":x"),
        Entry("md5", bytes.fromhex(MD5), None, None, "7:v"),
        Tombstone("7:w"),
        Uncounted(5, "the list has another page (paging/next): import that, too"),
    ]


def test_ncmec_entries_without_digests_or_ids(file: Path) -> None:
    body = "<image><member id='1'/><id>a</id></image><deletedImage><member id='1'/></deletedImage>"
    assert read(written(file, f"<queryResult><images>{body}</images></queryResult>")) == [
        BadLine(1, "no digest and no code"),
        BadLine(2, "deleted, and no id"),
    ]


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE q [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>',
        '<!DOCTYPE q SYSTEM "file:///etc/hostname">',
        "<!DOCTYPE q>",
    ],
)
def test_ncmec_with_entities_or_a_document_type_is_refused(head: str, file: Path) -> None:
    written(file, f"<?xml version='1.0'?>{head}<queryResult><images/></queryResult>")
    assert "document type or entities" in refusal(file)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("<images><image></images>", "mismatched tag"),
        ("<a>" * 100, "nested too deeply"),
        (f"<images><image><id>{'x' * 70_000}</id></image></images>", "longer than 65536"),
        (f"<images><image>{'<id>x</id>' * 100}</image></images>", "more than 64 elements"),
        ("<paging/>", "neither images nor videos"),
    ],
)
def test_ncmec_that_is_malformed_or_without_bounds_is_refused(body: str, says: str, file: Path) -> None:
    assert says in refusal(written(file, f"<queryResult>{body}</queryResult>"))


# ---------------------------------------------------------------- interpol


def test_interpol_rows_that_are_short_or_odd(file: Path) -> None:
    text = f"{synthetic.INTERPOL_HEADER}\n{MD5};{SHA1};;id1\n{MD5};{SHA1}\n;;;id2;True\n{MD5};;;id3" + ";x" * 20 + "\n"
    assert read(written(file, text)) == [
        Entry("md5", bytes.fromhex(MD5), None, None, "id1"),
        Entry("sha1", bytes.fromhex(SHA1), None, None, "id1"),
        BadLine(3, "2 fields in place of 4 or more"),
        BadLine(4, "no digest and no code"),
        Entry("md5", bytes.fromhex(MD5), "other", None, "id3"),
    ]


# ---------------------------------------------------------------- recognising


@pytest.mark.parametrize("variant", list(synthetic.WRITERS))
def test_formats_are_recognised(variant: str, file: Path) -> None:
    written(file, synthetic.WRITERS[variant](synthetic.pictures(2, 1)))
    assert detect.detect(file, AUTO) == variant.partition("-")[0]
    assert detect.detect(file, ImportOptions(format="lines")) == "lines"


def test_formats_whose_files_replace_a_list() -> None:
    assert {"lines", "csv", "vics", "interpol"} == detect.REPLACING


def test_a_file_of_comments_is_an_empty_list(file: Path) -> None:
    assert list(detect.read(written(file, "# nothing yet\n"), AUTO)) == [Batch([], [], [], [], 14, 14)]


# ---------------------------------------------------------------- bounds

MEGABYTE = "x" * 1_000_000
LARGE = {
    "lines": [f"# {MEGABYTE[:60_000]}\n" for _ in range(500)],
    "csv": ["md5,notes\n", *(f'{MD5},"{MEGABYTE[:60_000]}"\n' for _ in range(500))],
    "vics": [V2, '"value": [', *(f'{{"Category": 0, "Notes": "{MEGABYTE}"}},' for _ in range(30)), '{"Category": 0}]}'],
    "ncmec": ["<queryResult><images>", *(f"<!-- {MEGABYTE} -->" for _ in range(30)), "</images></queryResult>"],
    "interpol": [synthetic.INTERPOL_HEADER, "\n", *(f"{MD5};;;1;{MEGABYTE[:60_000]}\n" for _ in range(500))],
}


@pytest.mark.parametrize("format_name", list(detect.FORMATS))
def test_memory_does_not_grow_with_the_file(format_name: str, file: Path) -> None:
    written(file, LARGE[format_name])
    assert file.stat().st_size > 29_000_000
    tracemalloc.start()
    try:
        for _ in detect.read(file, ImportOptions(format=format_name)):
            pass
        assert tracemalloc.get_traced_memory()[1] < 15_000_000
    finally:
        tracemalloc.stop()


def test_markup_without_an_end_is_refused_early(file: Path) -> None:
    written(file, ["<queryResult><images><!-- ", *(MEGABYTE for _ in range(20))])
    assert "far too long" in refusal(file)


@given(st.sampled_from(list(synthetic.WRITERS)), st.binary(max_size=6), st.integers(0, 3000), st.integers(0, 40))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_are_read_or_refused_and_nothing_else(
    file: Path, variant: str, damage: bytes, at: int, cut: int
) -> None:
    whole = "".join(synthetic.WRITERS[variant](synthetic.pictures(4, 5, CARRIED[variant]))).encode()
    at %= len(whole)
    written(file, whole[:at] + damage + whole[at + cut :])
    for format_name in ("auto", variant.partition("-")[0]):
        try:
            items = read(file, ImportOptions(format=format_name))
        except HashListInvalid as error:
            assert "\n" not in str(error)
        else:
            assert all(isinstance(item, Entry | Tombstone | BadLine | Uncounted) for item in items)
