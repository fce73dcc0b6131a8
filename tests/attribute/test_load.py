"""Real formats become tables: recognised by content, checked, swapped in together or not at all."""

from __future__ import annotations

import datetime
import gzip
import os
import pkgutil
from pathlib import Path

import pytest

from crawler.attribute.book import AddressBook, Attributor, open_book
from crawler.attribute.domain import registered_domains
from crawler.attribute.load import Incoming, Outcome, Stated, load_files
from crawler.attribute.shelf import current
from crawler.attribute.table_status import status
from crawler.errors import AddressDataInvalid, Unavailable
from crawler.records import AddressFacts
from tests.attribute.excerpts import INETNUM, SUFFIXES, TEXTS, write
from tests.attribute.excerpts.mmdb import mmdb

NOW = datetime.datetime(2026, 6, 20, tzinfo=datetime.UTC)
STAMP = NOW.timestamp() - 86_400
NOTHING_STATED = Stated()


def load(home: Path, *paths: Path, stated: Stated = NOTHING_STATED, every: bool = True) -> Outcome:
    for path in paths:
        os.utime(path, (STAMP, STAMP))
    files = [Incoming(path, path.name) for path in paths]
    return load_files(home / "tables", files, stated, now=NOW, all_or_none=every)


def file(home: Path, content: str | bytes, name: str = "data") -> Path:
    path = home / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(home: Path, content: str | bytes, stated: Stated = NOTHING_STATED) -> str:
    """The reason why a file is not taken; what was loaded before is still in use."""
    before = current(home / "tables")
    with pytest.raises(AddressDataInvalid) as caught:
        load(home, file(home, content), stated=stated)
    assert current(home / "tables") == before
    assert not list((home / "tables").glob("loaded/incoming-*"))
    return str(caught.value)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with all excerpts, compressed where the real files are."""
    home = tmp_path_factory.mktemp("home")
    load(home, *write(home / "plain"))
    return home


@pytest.fixture(scope="module")
def book(loaded: Path) -> AddressBook:
    return open_book(loaded / "tables", packaged=False)


def facts(book: AddressBook, address: str) -> AddressFacts:
    return Attributor(book).lookup(address)


def said(found: AddressFacts) -> list[str]:
    return [evidence.fact for evidence in found.evidence]


# ---------------------------------------------------------------- what the files say


def test_every_format_is_recognised_by_its_content(book: AddressBook) -> None:
    found = {row.name: row for row in status(book, NOW.date())}
    assert set(found) == {
        *("country-ripencc", "country-inetnum", "country-inet6num", "origin-ris-4", "origin-ris-6", "as-names"),
        *("inetnum", "inet6num", "organisation", "role", "aut-num", "public-suffixes"),
        *("cdn-cloudflare-4", "cdn-cloudflare-6", "cdn-fastly", "cdn-aws", "cdn-google", "cdn-google-cloud"),
    }
    assert found["country-ripencc"].date == "2026-06-16"
    assert found["inetnum"].date == "2026-06-11", "the latest change in the dump"
    assert found["cdn-aws"].date == "2026-06-09"
    assert found["origin-ris-4"].date == "2026-06-19", "the day of the file, which does not say"
    assert found["public-suffixes"].date == "2026-06-16"
    assert not any(row.old for row in found.values())
    assert all(row.old for row in status(book, datetime.date(2027, 1, 1)))


def test_compressed_files_are_the_same(tmp_path: Path, book: AddressBook) -> None:
    load(tmp_path, *write(tmp_path / "packed", packed=True))
    packed = open_book(tmp_path / "tables", packaged=False)
    for address in ("45.9.1.130", "45.10.2.1", "2a10:1:ff::1", "104.16.0.1"):
        ours, theirs = facts(packed, address), facts(book, address)
        assert (ours.country, ours.asn, ours.holder, ours.cdn) == (
            theirs.country,
            theirs.asn,
            theirs.holder,
            theirs.cdn,
        )


def test_the_most_specific_network_and_its_organisation(book: AddressBook) -> None:
    found = facts(book, "45.9.0.7")
    assert (found.network, found.holder, found.prefix) == ("NL-POLDER-20140101", "Polder Hosting B.V.", "45.9.0.0/22")
    assert (found.country, found.asn, found.as_name) == ("NL", 64496, "POLDER-AS Polder Hosting B.V.")
    assert found.abuse_contact == "abuse@polder.example"
    assert "AS sponsor Duinen & Søn" in said(found), "Latin-1 is read as such"
    holder = next(each for each in found.evidence if each.fact.startswith("holder"))
    assert (holder.source, holder.date) == ("RIPE database, organisation", "2026-06-12")


def test_a_customer_registered_abroad_within_a_dutch_block(book: AddressBook) -> None:
    found = facts(book, "45.9.1.7")
    assert (found.network, found.country) == ("FERNLAND-CUSTOMER", "BE")
    assert found.holder == "Customer of Polder, registered abroad", "no organisation: what it is described as"
    assert found.abuse_contact == "abuse@polder.example", "abuse-c stands on the parent only"
    assert "within network NL-POLDER-20140101" in said(found)
    assert [each.fact for each in found.evidence if each.fact.startswith("country")] == ["country NL", "country BE"]


def test_missing_organisations_and_contacts_are_told(book: AddressBook) -> None:
    found = facts(book, "45.9.1.140")
    assert (found.network, found.holder, found.sponsor) == ("Küche", "Café Küche", "Polder Hosting B.V.")
    assert found.abuse_contact == "abuse@polder.example"
    assert "holder unknown: ORG-GONE-RIPE is not in the data" in said(found)
    assert "abuse contact rejected: - (abuse-c of Küche, NOMB1-RIPE): the role has no abuse-mailbox" in said(found)


def test_overlapping_legacy_blocks(book: AddressBook) -> None:
    assert facts(book, "45.10.1.1").network == "OUDE-NET"
    assert facts(book, "45.10.1.1").country is None, "EU is no country"
    assert facts(book, "45.10.2.1").network == "OVERLAP-NET", "the smaller one has what both have"
    found = facts(book, "45.10.3.1")
    assert (found.network, found.country, found.abuse_contact) == ("OVERLAP-NET", "NL", None)
    assert any("is not a mail address" in fact for fact in said(found))
    assert facts(book, "46.0.0.1") == AddressFacts(), "the block of all addresses is nobody's"


def test_origins(book: AddressBook) -> None:
    assert facts(book, "45.9.2.1").asn == 64496, "of two origins the one that most peers see"
    assert facts(book, "45.9.1.1").asn == 64499, "the more specific route"
    assert facts(book, "45.10.0.1").asn == 64500, "a set of origins names none"
    assert facts(book, "45.11.0.1").asn is None, "two peers are no route"


def test_fronts_of_cdns(book: AddressBook) -> None:
    assert (facts(book, "104.16.0.1").cdn, facts(book, "104.16.0.1").anycast) == ("Cloudflare", True)
    assert facts(book, "2606:4700::1").cdn == "Cloudflare"
    assert facts(book, "23.235.32.1").cdn == "Fastly"
    assert facts(book, "13.33.0.1").cdn == "Amazon CloudFront"
    assert facts(book, "3.5.140.1").cdn is None, "a machine of a customer"
    assert facts(book, "34.0.200.1").cdn == "Google"
    assert facts(book, "34.1.0.1").cdn is None, "Google's list holds its customers' machines"
    assert facts(book, "34.0.0.1").cdn == "Google Cloud"


def test_registered_domains_by_the_loaded_list(book: AddressBook) -> None:
    assert book.domains("a.b.polderpages.nl") == ("b.polderpages.nl", "polderpages.nl")
    assert book.domains("a.b.co.uk") == ("b.co.uk", "b.co.uk")
    assert book.domains("x.co.nl") == ("co.nl", "co.nl"), "not a suffix in this list"
    assert book.domains("a.www.ck") == ("www.ck", "www.ck")
    assert book.domains("b.a.other.ck") == ("a.other.ck", "a.other.ck")
    assert book.domains("other.ck") == ("other.ck", "other.ck"), "a suffix itself"
    assert book.domains("a.b.unlisted") == ("b.unlisted", "b.unlisted")


def test_a_loaded_list_says_what_tldextract_says(tmp_path: Path) -> None:
    text = pkgutil.get_data("tldextract", ".tld_set_snapshot")
    assert text is not None
    load(tmp_path, file(tmp_path, text), stated=Stated(date="2026-06-01"))
    domains = open_book(tmp_path / "tables", packaged=False).domains
    hosts = ["a.b.co.nl", "x.github.io", "github.io", "www.ck", "a.b.kobe.jp", "city.kobe.jp", "a.city.kobe.jp"]
    hosts += ["x.y.compute.amazonaws.com", "a.xn--55qx5d.cn", "a.b.xn--p1ai", "nl", "localhost", "a.b.c.unlisted"]
    for host in hosts:
        assert domains(host) == registered_domains(host), host


MMDB = {
    "45.9.0.0/22": {"country": {"iso_code": "NL"}, "registered_country": {"iso_code": "BE"}},
    "45.11.0.0/24": {"registered_country": {"iso_code": "BE"}, "traits": {"is_anycast": True}},
    "2a10:1::/32": {"country": {"iso_code": "NL"}},
}


def test_maxmind_databases(tmp_path: Path) -> None:
    system = {"45.9.0.0/22": {"autonomous_system_number": 64496, "autonomous_system_organization": "Polder"}}
    ipinfo = {"45.9.0.0/22": {"country_code": "NL", "asn": "AS64496", "as_name": "Polder Hosting"}}
    files = [
        file(tmp_path, mmdb("GeoLite2-Country", MMDB), "a"),
        file(tmp_path, mmdb("GeoLite2-ASN", system), "b"),
        file(tmp_path, mmdb("ipinfo lite.mmdb", ipinfo), "c"),
    ]
    done = load(tmp_path, *files)
    assert [(entry.name, entry.date) for entry in done.fresh] == [
        ("geo-maxmind", "2026-06-18"),
        ("asn-maxmind", "2026-06-18"),
        ("geo-ipinfo", "2026-06-18"),
    ]
    book = open_book(tmp_path / "tables", packaged=False)
    found = facts(book, "45.9.1.1")
    assert (found.country, found.asn, found.as_name) == ("NL", 64496, "Polder Hosting")
    assert facts(book, "2a10:1::5").country == "NL"
    assert (facts(book, "45.11.0.9").country, facts(book, "45.11.0.9").anycast) == ("BE", True)


# ---------------------------------------------------------------- what is refused

DELEGATED = str(TEXTS["delegated"])
NETS = INETNUM.decode("latin-1")
REFUSED = [
    ("", "data: is empty"),
    ("hello\n", "data: is none of"),
    (DELEGATED.encode("utf-16"), "is UTF-16 text"),
    (b"\x01\x02\x00", "is binary data"),
    (DELEGATED[:-60], "line 10: has 6 columns"),
    ("\n".join(DELEGATED.splitlines()[:-2]), "has 0 records (ipv6), its header says 2; it is cut off"),
    ("\n".join(DELEGATED.splitlines()[1:]), "line 1: no version line of delegation statistics before the records"),
    (
        DELEGATED.replace("45.9.0.0|1024", "45.9.0.0|0"),
        "line 6: 0 addresses from 45.9.0.0 on: the range runs",
    ),
    (DELEGATED.replace("45.9.0.0", "45.9.0"), "line 6: '45.9.0' is not an ipv4 address"),
    (DELEGATED.replace("2a10:1::|32", "2a10:1::|16"), "line 10: 2a10:1::/16 is no prefix"),
    (DELEGATED.replace("|NL|ipv4", "|N\xcb|ipv4"), "line 6: is not ASCII text"),
    (NETS.replace("45.9.0.0 - 45.9.3.255", "45.9.3.255 - 45.9.0.0"), "line 13: the range '45.9.3.255 - 45.9.0.0' runs"),
    (NETS.replace("45.9.1.0 - 45.9.1.255", "45.9.1.0 - 45.9.1"), "line 23: '45.9.1.0 - 45.9.1' is no range"),
    (
        NETS.rstrip().removesuffix("source:         RIPE"),
        "line 49: the object '45.10.2.0 - 45.10.3.255' has no",
    ),
    (NETS[:-20], "ends inside a line; it is cut off"),
    (NETS.replace("inetnum:        45.9.1.0", "netname:        45.9.1.0"), "line 23: 'netname:"),
    (NETS.replace("country:        BE", "country:        Belgium"), "line 23: country 'BELGIUM' is not a code"),
    (NETS.replace("Legacy", "Leg\0acy"), "is binary data"),
    ("role: x\nsource: RIPE\n", "line 1: a role without nic-hdl"),
    ("64496\t45.9.0.0/22\t340\n45.9.0.0/22\t64496\t340\n", "line 2: is not 'origin<TAB>prefix<TAB>peers'"),
    ("64496\t45.9.0.1/22\t340\n", "line 1: '45.9.0.1/22' has bits behind its length"),
    ("99999999999\t45.9.0.0/22\t340\n", "data: is none of"),
    ("64496 POLDER, NL\n64497\n", "line 2: is not 'NUMBER NAME, COUNTRY'"),
    ("192.0.2.0/24\n", "data: is a bare list of prefixes; say whose"),
    ("104.16.0.0/13\n104.16.0.0-104.17\n", "data: is none of"),
    ('{"addresses": ["23.235.32.0/20"], "ipv6_addresses": [', "is no whole JSON document at line 1"),
    ('{"addresses": [7], "ipv6_addresses": []}', "'7' is not text"),
    ('{"addresses": ["0.0.0.0/0"], "ipv6_addresses": []}', "0.0.0.0/0 is the whole internet"),
    ('{"addresses": 7, "ipv6_addresses": []}', "'addresses' is no array"),
    ('{"some": 1}', "is JSON, but not of Fastly, AWS or Google"),
    (SUFFIXES.replace("co.uk", "co..uk"), "line 9: 'co..uk' is no rule"),
    (SUFFIXES.replace("\nuk\n", "\nnl\n"), "line 10: 'nl' is a rule already, on line 5"),
    (SUFFIXES.replace("org\n", ""), "has no rule 'org'; it is not the whole list"),
    (SUFFIXES[:-40], "ends without '===END PRIVATE DOMAINS==='; it is cut off"),
    (SUFFIXES.replace("BEGIN PRIVATE", "END PRIVATE"), "stands where '===BEGIN PRIVATE DOMAINS===' is expected"),
    (SUFFIXES.replace("com\n", "c\xf6m\n").encode("latin-1"), "line 3: is not UTF-8 text"),
    (mmdb("GeoIP2-Connection-Type", MMDB), "is a MaxMind database of type 'GeoIP2-Connection-Type'"),
    (mmdb("GeoLite2-City", {"45.9.0.0/22": {"name": "x"}}), "without countries or AS numbers"),
    (mmdb("GeoLite2-Country", MMDB)[-300:], "is a damaged MaxMind database"),
    (gzip.compress(DELEGATED.encode() * 50)[:-200], "the compressed file"),
]


@pytest.mark.parametrize(("content", "reason"), REFUSED, ids=[str(number) for number in range(len(REFUSED))])
def test_what_is_refused_is_named_with_line_and_reason(loaded: Path, content: str | bytes, reason: str) -> None:
    data = content.encode("latin-1" if "inetnum" in content else "utf-8") if isinstance(content, str) else content
    message = refused(loaded, data)
    assert reason in message
    assert message.startswith("data: ")
    assert "\n" not in message


def test_older_shrunken_and_future_files_are_refused(tmp_path: Path) -> None:
    rows = "".join(f"64496\t45.9.{n}.0/24\t300\n" for n in range(100))
    load(tmp_path, file(tmp_path, rows))
    fewer = "".join(f"64496\t45.9.{n}.0/24\t300\n" for n in range(49))
    assert "has 49 rows, origin-ris-4 in use has 100" in refused(tmp_path, fewer)
    assert "older than origin-ris-4 in use (2026-06-19)" in refused(tmp_path, rows, Stated(date="2026-06-18"))
    assert "lies in the future" in refused(tmp_path, rows, Stated(date="2026-07-01"))
    assert "is no day" in refused(tmp_path, rows, Stated(date="yesterday"))
    done = load(tmp_path, file(tmp_path, fewer), stated=Stated(date="2026-06-01", force=True))
    assert (done.fresh[0].rows, done.fresh[0].date) == (49, "2026-06-01")


def test_all_files_or_none(tmp_path: Path) -> None:
    good, bad = write(tmp_path / "files", "delegated")[0], file(tmp_path, "nonsense")
    with pytest.raises(AddressDataInvalid):
        load(tmp_path, good, bad)
    assert current(tmp_path / "tables").entries == {}
    done = load(tmp_path, good, bad, every=False)
    assert [entry.name for entry in done.fresh] == ["country-ripencc"]
    assert set(done.refused) == {"data"}
    with pytest.raises(AddressDataInvalid, match="is country-ripencc, and so is"):
        load(tmp_path, good, file(tmp_path, DELEGATED))


def test_the_previous_version_is_kept_and_open_tables_live_on(tmp_path: Path) -> None:
    load(tmp_path, *write(tmp_path / "files", "delegated", "routes4"))
    before = current(tmp_path / "tables")
    old = open_book(tmp_path / "tables", packaged=False)
    for number in range(3):
        text = DELEGATED.replace("|NL|", "|BE|")
        load(tmp_path, file(tmp_path, text, f"next{number}"))
    now = current(tmp_path / "tables")
    assert now.directory != before.directory
    assert sorted(path.name for path in (tmp_path / "tables" / "loaded").glob("gen-*")) == ["gen-000003", "gen-000004"]
    assert facts(old, "45.9.0.1").country == "NL", "a process keeps what it has open"
    fresh = open_book(tmp_path / "tables", packaged=False)
    assert (facts(fresh, "45.9.0.1").country, facts(fresh, "45.9.0.1").asn) == ("BE", 64496)


def test_a_bare_list_of_somebody_else(tmp_path: Path) -> None:
    path = file(tmp_path, "192.0.2.0/24\n")
    load(tmp_path, path, stated=Stated(kind="cdn:Lichtsnel Edge"))
    load(tmp_path, file(tmp_path, "198.51.100.0/24\n"), stated=Stated(kind="anycast"))
    book = open_book(tmp_path / "tables", packaged=False)
    assert facts(book, "192.0.2.1").cdn == "Lichtsnel Edge"
    assert facts(book, "198.51.100.1").anycast


def test_a_damaged_shelf_is_told(tmp_path: Path) -> None:
    load(tmp_path, *write(tmp_path / "files", "delegated"))
    link = tmp_path / "tables" / "loaded" / "current"
    (link / "manifest.json").write_text("{}")
    with pytest.raises(AddressDataInvalid, match="its manifest is damaged"):
        open_book(tmp_path / "tables", packaged=False)
    link.unlink()
    link.symlink_to("nowhere")
    with pytest.raises(AddressDataInvalid, match="leads nowhere"):
        open_book(tmp_path / "tables", packaged=False)


def test_one_load_at_a_time(tmp_path: Path) -> None:
    from crawler.attribute.shelf import staging

    with staging(tmp_path / "tables"), pytest.raises(Unavailable, match="being loaded by another"):
        load(tmp_path, *write(tmp_path / "files", "delegated"))
