"""`vangnet scope`, `attribute` and `data status`: what they print, and their exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from dnslib import QTYPE, RR, A, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSLogger, DNSServer

from tests.cli.running import Run, runner

TABLE = """#vangnet-addresses 1
#source hosters of the test
#date 2026-06-17
#licence CC0-1.0
127.10.0.0/16 | NL | 64496 | Polder Hosting | POLDER-NET | Polder Hosting B.V. | abuse@polder.example
127.20.0.0/16 | XZ | 64500 | Lichtsnel      |            |                     |                      | Lichtsnel
"""
CAMPAIGN = """
[campaign]
name = "test"
purpose = "test"
legal_basis = "test"
authorised_by = "test"
valid_until = 2027-01-31
[scope]
countries = ["NL"]
exclude_domains = ["verboden.example"]
ports = [80, 8080]
[seeds]
domains = ["polder.example"]
[network]
allow_private = true
nameservers = ["127.0.0.1:{port}"]
"""
ADDRESSES = {
    "polder.example": ["127.10.0.1"],
    "mixed.example": ["127.20.0.1", "127.10.0.2"],
    "abroad.example": ["127.20.0.1"],
    "metadata.example": ["169.254.169.254"],
}


class Names(BaseResolver):
    """Knows ADDRESSES, and says of everything else that there is no such name."""

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        reply = request.reply()
        name = str(request.q.qname).rstrip(".")
        if name not in ADDRESSES:
            reply.header.rcode = 3
        elif request.q.qtype == QTYPE.A:
            for address in ADDRESSES[name]:
                reply.add_answer(RR(request.q.qname, QTYPE.A, rdata=A(address), ttl=60))
        return reply


@pytest.fixture(scope="module")
def nameserver() -> Iterator[int]:
    quiet = DNSLogger(logf=lambda _: None)
    server = DNSServer(Names(), address="127.0.0.1", port=0, logger=quiet)
    server.start_thread()
    yield server.server.server_address[1]
    server.stop()
    server.server.server_close()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    home = tmp_path / "home"
    (home / "tables").mkdir(parents=True)
    (home / "tables" / "lab.tbl").write_text(TABLE)
    return runner(monkeypatch, capsys, "--settings", "settings.lab", "--home", str(home))


@pytest.fixture
def campaign(tmp_path: Path, nameserver: int) -> Path:
    path = tmp_path / "test.toml"
    path.write_text(CAMPAIGN.format(port=nameserver))
    return path


VERDICTS = [
    ("127.10.0.1", 0, "country"),
    ("::ffff:127.10.0.1", 0, "country"),
    ("0x7f.10.1", 0, "country"),
    ("http://127.10.0.1:8080/x", 0, "country"),
    ("http://127.10.0.1:8081/x", 3, "port"),
    ("127.20.0.1", 3, "not-admitted"),
    ("127.30.0.1", 3, "loopback"),
    ("10.0.0.1", 3, "private"),
    ("http://[::ffff:169.254.169.254]/", 3, "metadata"),
    ("polder.example", 0, "country"),
    ("https://POLDER.example./x", 3, "port"),
    ("http://polder.example/x", 0, "country"),
    ("mixed.example", 0, "country"),
    ("abroad.example", 3, "not-admitted"),
    ("metadata.example", 3, "metadata"),
    ("absent.example", 3, "dns-nxdomain"),
    ("www.verboden.example", 3, "excluded"),
]


@pytest.mark.parametrize(("target", "code", "reason"), VERDICTS)
def test_verdicts(run: Run, campaign: Path, target: str, code: int, reason: str) -> None:
    ran = run("scope", target, "--campaign", campaign, "--json")
    found = json.loads(ran.out)
    assert (ran.code, found["reason"]) == (code, reason)
    assert set(found) == {"in_scope", "reason", "evidence"}
    assert found["in_scope"] is (code == 0)
    assert ran.err == ""


def test_a_verdict_names_its_sources(run: Run, campaign: Path) -> None:
    evidence = run("scope", "mixed.example", "--campaign", campaign, "--json").document()["evidence"]
    assert [each["fact"] for each in evidence][:2] == [
        "mixed.example resolves to 127.10.0.2, in scope (country)",
        "mixed.example resolves to 127.20.0.1, not in scope (not-admitted)",
    ]
    country = next(each for each in evidence if each["fact"] == "country NL")
    assert country == {
        "fact": "country NL",
        "source": "hosters of the test",
        "date": "2026-06-17",
        "prefix": "127.10.0.0/16",
    }


def test_a_page_that_is_read_for_links_is_out_of_scope_and_the_verdict_says_so(run: Run, campaign: Path) -> None:
    pointers = 'pointers = "pages"\n[seeds]\npointers = ["http://abroad.example/t"]'
    campaign.write_text(campaign.read_text().replace("[seeds]", pointers))
    for target, named in (("http://abroad.example/t", True), ("http://abroad.example/other", False)):
        ran = run("scope", target, "--campaign", campaign, "--json")
        assert ran.code == 3
        assert any("seeds.pointers" in each["fact"] for each in json.loads(ran.out)["evidence"]) is named


def test_a_verdict_for_people(run: Run, campaign: Path) -> None:
    ran = run("scope", "127.10.0.1", "--campaign", campaign)
    assert ran.code == 0
    assert "country NL" in ran.out
    ran = run("scope", "127.20.0.1", "--campaign", campaign)
    assert ran.code == 3
    assert "not-admitted" in ran.out


def test_without_a_campaign_the_netherlands_are_in_scope(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    production = runner(monkeypatch, capsys, "--settings", "settings.production", "--home", str(tmp_path / "home"))
    found = production("scope", "145.97.39.155", "--json").document()
    assert (found["in_scope"], found["reason"]) == (True, "country")
    assert production("scope", "8.8.8.8", "--json").code == 3
    assert production("scope", "127.0.0.1", "--json").code == 3
    status = production("data", "status", "--json").document()
    assert [row["name"] for row in status["tables"]] == ["country", "origin-as", "hosters", "public-suffixes"]
    who = production("attribute", "http://145.97.39.155/x", "--no-reverse", "--json").document()
    assert (who["domain"], who["ip"], who["hoster"]["asn"], who["cdn"]) == (None, "145.97.39.155", 1145, None)


def test_attribution(run: Run, nameserver: int) -> None:
    nameservers = ("--nameserver", f"127.0.0.1:{nameserver}")
    found = run("attribute", "http://polder.example/a", *nameservers, "--json").document()
    assert (found["domain"], found["icann_domain"]) == ("polder.example", "polder.example")
    assert (found["ip"], found["addresses"], found["cdn"]) == ("127.10.0.1", ["127.10.0.1"], None)
    evidence = found["hoster"].pop("evidence")
    assert found["hoster"] == {
        "asn": 64496,
        "as_name": "Polder Hosting",
        "network": "POLDER-NET",
        "holder": "Polder Hosting B.V.",
        "abuse_contact": "abuse@polder.example",
        "country": "NL",
    }
    *by_tables, domain, resolved = evidence
    assert {each["source"] for each in by_tables} == {"hosters of the test"}
    assert (domain["fact"], domain["source"][:18]) == ("registered domain polder.example", "Public Suffix List")
    assert (resolved["fact"], resolved["source"]) == ("polder.example resolves to 127.10.0.1", "DNS")
    assert all(each["date"] for each in evidence)
    cdn = run("attribute", "127.20.0.1", "--json").document()
    assert cdn["cdn"] == {"name": "Lichtsnel", "origin": "unknown"}
    shown = run("attribute", "127.20.0.1")
    assert "Lichtsnel, origin unknown" in shown.out
    for target in ("127.20.0.1", "polder.example"):
        wrong = run("attribute", target, "--nameserver", "nonsense")
        assert (wrong.code, wrong.err.startswith("vangnet: nameserver 'nonsense' is no address")) == (2, True)
    gone = run("attribute", "absent.example", *nameservers)
    assert (gone.code, gone.out) == (3, "")
    assert gone.err == "vangnet: absent.example has no address now (dns-nxdomain); give the address that it had\n"


@pytest.mark.parametrize(
    "target", ["", "a b", "127.0.0.0/8", "ftp://a.nl/", "http://", "user@a.nl", "http://u:p@a.nl/"]
)
def test_what_is_no_target(run: Run, target: str) -> None:
    for command in ("scope", "attribute"):
        ran = run(command, target)
        assert ran.code == 2
        assert ran.out == ""
        assert ran.err.startswith("vangnet: ")
        assert len(ran.err.splitlines()) == 1


def test_mistakes_in_files_are_one_line(run: Run, campaign: Path, tmp_path: Path) -> None:
    campaign.write_text(campaign.read_text().replace("countries", "contries"))
    ran = run("scope", "127.10.0.1", "--campaign", campaign)
    assert (ran.code, ran.err) == (2, f"vangnet: {campaign}: scope.contries: unknown key; did you mean 'countries'?\n")
    table = tmp_path / "home" / "tables" / "lab.tbl"
    table.write_text(TABLE + "127.0.0.1/8 | NL\n")
    ran = run("data", "status")
    assert ran.code == 2
    assert ran.err.startswith(f"vangnet: {table}: line 7: '127.0.0.1/8' has bits behind its length")


def test_the_status_of_the_data(run: Run) -> None:
    found = run("data", "status", "--json").document()
    row, suffixes = found["tables"]
    assert (suffixes["name"], suffixes["bytes"] > 100_000, suffixes["ranges"] > 5_000) == (
        "public-suffixes",
        True,
        True,
    )
    assert min(suffixes["bytes"], suffixes["ranges"], suffixes["age_days"]) > 0
    assert (row["name"], row["source"], row["date"], row["bytes"] > 0) == (
        "lab",
        "hosters of the test",
        "2026-06-17",
        True,
    )
    assert found["suffixes"]["version"]
    assert "hosters of the test" in run("data", "status").out


def test_without_tables_a_warning_says_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "home" / "tables" / "lab.tbl").unlink()
    ran = run("data", "status", "--json")
    assert "warning: no address table in" in ran.err
    assert [row["kind"] for row in ran.document()["tables"]] == ["suffixes"]
