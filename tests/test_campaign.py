"""Campaign files: what is valid comes out as written, and every mistake is named with file, key and reason."""

from __future__ import annotations

import datetime
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.campaign import MAX_FILE, Campaign, check_startable, load_campaign, parse_campaign
from crawler.campaign_sections import (
    About,
    AddressLimit,
    Identity,
    Limits,
    MatchRules,
    Network,
    ScopeRules,
    Seeds,
)
from crawler.errors import CampaignExpired, CampaignInvalid, RecordCorrupt

ABOUT = """
[campaign]
name = "nightly-nl"
purpose = "Scheduled detection of known material"
legal_basis = "Article 1"
authorised_by = "The head of the department"
valid_until = 2027-01-31
"""
IDENTITY = '[identity]\nuser_agent = "Vangnet/1 (+https://authority.example/)"\ncontact = "crawl@authority.example"\n'
SCOPE = '[scope]\ncountries = ["NL"]\n'
SEEDS = '[seeds]\nurls = ["https://Example.nl/a/../b#top"]\n'
WHOLE = ABOUT + IDENTITY + SCOPE + SEEDS


def parse(text: str, *, lab: bool = False) -> Campaign:
    return parse_campaign(text, "night.toml", lab=lab)


def refused(text: str, *, lab: bool = False) -> str:
    """The message about a text that must be refused."""
    with pytest.raises(CampaignInvalid) as caught:
        parse(text, lab=lab)
    message = str(caught.value)
    assert message.startswith("night.toml: ")
    assert "\n" not in message
    return message.removeprefix("night.toml: ")


def test_a_minimal_file_gets_the_defaults_of_the_design() -> None:
    campaign = parse(WHOLE)
    assert campaign.name == "nightly-nl"
    assert campaign.about.valid_until == datetime.date(2027, 1, 31)
    assert campaign.seeds.urls == ("https://example.nl/b",)
    assert campaign.seeds.sweep_ports == (80, 443)
    assert campaign.limits == Limits(
        requests_per_second=4.0,
        concurrency=2,
        max_depth=8,
        max_urls_per_host=50_000,
        max_image_bytes=33_554_432,
        robots="obey",
        robots_basis="",
        render="auto",
        session="host",
    )
    assert campaign.match == MatchRules((), 31, 4, 50, "mirror")
    assert campaign.network == Network((), False)


def test_every_key_of_the_design_is_read() -> None:
    campaign = parse(
        ABOUT
        + 'decision = "2026/17"\n'
        + IDENTITY
        + 'source_addresses = ["192.0.2.1"]\n'
        + '[scope]\ncountries = ["NL"]\nprefixes = ["145.97.0.0/16", "2a02:898::1"]\nasns = [1103]\n'
        + 'exclude_prefixes = ["145.97.32.0/24"]\nexclude_domains = ["*.Münster.nl", "x.example."]\nports = [80, 443]\n'
        + 'pointers = "pages"\n'
        + '[seeds]\nurls = ["http://145.97.39.155"]\ndomains = ["a.nl"]\npointers = ["https://forum.example/"]\n'
        + 'sweep = ["145.97.33.0/24"]\nsweep_ports = [80]\n'
        + '[limits]\nrequests_per_second = 1\nrobots = "record"\nrobots_basis = "article 2"\nsession = "none"\n'
        + '[[limits.address]]\nprefix = "145.97.0.0/16"\nrequests_per_second = 50.0\nconcurrency = 8\n'
        + '[match]\nlists = ["national"]\npdq_distance = 20\norientations = "all"\n'
        + '[network]\nnameservers = ["127.0.0.1:5353", "::1", "9.9.9.9", "[2620:fe::fe]:53"]\n'
    )
    assert campaign.about.decision == "2026/17"
    assert campaign.scope.prefixes == ("145.97.0.0/16", "2a02:898::1/128")
    assert campaign.scope.exclude_domains == ("xn--mnster-3ya.nl", "x.example")
    assert campaign.network.nameservers == ("127.0.0.1:5353", "[::1]:53", "9.9.9.9:53", "[2620:fe::fe]:53")
    assert campaign.limits.requests_per_second == 1.0
    assert campaign.limits.address == (AddressLimit("145.97.0.0/16", 50.0, 8),)


MISTAKES = [
    ("[campagne]\n", "campagne: unknown key; did you mean 'campaign'?"),
    ("[limits]\nxyzzy = 1\n", "limits.xyzzy: unknown key; known here:"),
    ('[limits]\nconcurrency = "2"\n', "limits.concurrency: must be a whole number, not text"),
    ("[limits]\nconcurrency = true\n", "limits.concurrency: must be a whole number, not true/false"),
    ("[limits]\nconcurrency = 2.0\n", "limits.concurrency: must be a whole number, not a number"),
    ("[limits]\nconcurrency = 0\n", "limits.concurrency: 0 is not between 1 and 256"),
    ("[limits]\nrequests_per_second = nan\n", "limits.requests_per_second: nan is not between"),
    ("[limits]\nrequests_per_second = inf\n", "limits.requests_per_second: inf is not between"),
    ("[limits]\nrequests_per_second = -1\n", "limits.requests_per_second: -1 is not between"),
    ("[limits]\nmax_depth = -1\n", "limits.max_depth: -1 is not between"),
    ('[limits]\nrobots = "ignore"\n', "limits.robots: 'ignore' is not one of obey, record"),
    ('[limits]\nrobots = "record"\n', "limits.robots_basis: is required"),
    ("[limits]\naddress = 5\n", "limits.address: must be an array, not an integer"),
    (
        '[[limits.address]]\nprefix = "x"\nrequests_per_second = 1\nconcurrency = 1\n',
        "limits.address[0].prefix: 'x' is",
    ),
    ('[[limits.address]]\nprefix = "192.0.2.0/24"\nconcurrency = 1\n', "limits.address[0].requests_per_second: is req"),
    (
        '[[limits.address]]\nprefix = "2a02::/65"\nrequests_per_second = 1\nconcurrency = 1\n',
        "limits.address[0].prefix: is longer than /64",
    ),
    (
        '[[limits.address]]\nprefix = "1.0.0.0/8"\nrequests_per_second = 1\nconcurrency = 1\n'
        '[[limits.address]]\nprefix = "1.0.0.0/8"\nrequests_per_second = 1\nconcurrency = 2\n',
        "limits.address[1].prefix: 1.0.0.0/8 stands there twice",
    ),
    ("[match]\npdq_distance = 32\n", "match.pdq_distance: 32 is not between 0 and 31"),
    ('[match]\nlists = "all"\n', "match.lists: must be an array, not text"),
    ("[match]\nlists = [1]\n", "match.lists[0]: must be text, not an integer"),
    (
        "[network]\nallow_private = true\n",
        "network.allow_private: private addresses are only crawled with lab settings",
    ),
    ("[network]\nallow_private = 1\n", "network.allow_private: must be true or false, not an integer"),
    ('[network]\nnameservers = ["dns.example"]\n', "network.nameservers[0]: 'dns.example' is not a nameserver"),
    ('[network]\nnameservers = ["127.0.0.1:99999"]\n', "network.nameservers[0]: '127.0.0.1:99999' is not"),
    ('[network]\nnameservers = ["[127.0.0.1]:53"]\n', "network.nameservers[0]: '[127.0.0.1]:53' is not"),
    ("network = 3\n", "network: must be a table, not an integer"),
]


@pytest.mark.parametrize(("addition", "message"), MISTAKES)
def test_a_mistake_is_named_with_its_key(addition: str, message: str) -> None:
    text = WHOLE + addition if addition.startswith("[") else addition + WHOLE
    assert refused(text).startswith(message)


SCOPE_MISTAKES = [
    ('[scope]\ncontries = ["NL"]\n', "scope.contries: unknown key; did you mean 'countries'?"),
    ("[scope]\n", "scope: admits nothing"),
    ('[scope]\ncountries = ["Nederland"]\n', "scope.countries[0]: 'Nederland' is not a two-letter code"),
    ('[scope]\nprefixes = ["145.97.1.0/16"]\n', "scope.prefixes[0]: '145.97.1.0/16' has bits behind its length"),
    ('[scope]\nprefixes = ["10.1.0.0/16"]\n', "scope.prefixes[0]: 10.1.0.0/16 is a private range"),
    ('[scope]\nprefixes = ["240.0.0.0/8"]\n', "scope.prefixes[0]: 240.0.0.0/8 is a reserved range"),
    ('[scope]\nprefixes = ["::ffff:145.97.0.0/112"]\n', "scope.prefixes[0]: '::ffff:145.97.0.0/112' is IPv4 mapped"),
    ('[scope]\nprefixes = ["fe80::1%eth0"]\n', "scope.prefixes[0]: 'fe80::1%eth0' has a zone index"),
    ("[scope]\nasns = [0]\n", "scope.asns[0]: 0 is not between 1"),
    ('[scope]\nasns = ["AS1103"]\n', "scope.asns[0]: must be a whole number, not text"),
    ("[scope]\nports = [65536]\n", "scope.ports[0]: 65536 is not between"),
    ('[scope]\nexclude_domains = ["a b"]\n', "scope.exclude_domains[0]: 'a b' is not a domain name"),
    ('[scope]\nexclude_domains = ["1.2.3.4"]\n', "scope.exclude_domains[0]: '1.2.3.4' is an address"),
]


@pytest.mark.parametrize(("scope", "message"), SCOPE_MISTAKES)
def test_a_mistake_in_the_scope(scope: str, message: str) -> None:
    assert refused(ABOUT + IDENTITY + scope + SEEDS).startswith(message)


SEED_MISTAKES = [
    ("", "seeds: names nothing to start from"),
    ('urls = ["http://127.0.0.1/"]', "seeds.urls[0]: its address is out of scope (loopback)"),
    ('urls = ["https://a.nl/", "http://0x7f.1/"]', "seeds.urls[1]: its address is out of scope (loopback)"),
    ('urls = ["http://[::ffff:10.0.0.1]/"]', "seeds.urls[0]: its address is out of scope (private)"),
    ('urls = ["http://169.254.169.254/latest"]', "seeds.urls[0]: its address is out of scope (metadata)"),
    ('urls = ["http://145.97.66.1/"]', "seeds.urls[0]: its address is out of scope (excluded)"),
    ('urls = ["http://8.8.8.8/"]', "seeds.urls[0]: its address is in none of scope.prefixes"),
    ('urls = ["http://145.97.1.1:8080/"]', "seeds.urls[0]: port 8080 is not in scope.ports"),
    ('urls = ["http://www.forbidden.nl/"]', "seeds.urls[0]: its host is in scope.exclude_domains"),
    ('urls = ["http://145.97.1.1:65536/"]', "seeds.urls[0]: has a port that is no number from 1 to 65535"),
    ('urls = ["ftp://a.nl/"]', "seeds.urls[0]: is not http or https"),
    ('urls = ["a.nl"]', "seeds.urls[0]: is not absolute"),
    ('urls = ["http://user:pw@a.nl/"]', "seeds.urls[0]: holds a user name"),
    ('domains = ["forbidden.nl"]', "seeds.domains[0]: is in scope.exclude_domains"),
    ('domains = ["http://a.nl/"]', "seeds.domains[0]: 'http://a.nl/' is not a domain name"),
    ('pointers = ["https://forum.example/"]', 'seeds.pointers: needs scope.pointers = "pages"'),
    ('sweep = ["145.97.66.0/25"]', "seeds.sweep[0]: 145.97.66.0/25 overlaps 145.97.66.0/24"),
    ('sweep = ["145.98.0.0/16"]', "seeds.sweep[0]: 145.98.0.0/16 is in none of scope.prefixes"),
    ('sweep = ["2a02::/64"]', "seeds.sweep[0]: 2a02::/64 is too large to sweep"),
    ('sweep = ["0.0.0.0/0"]', "seeds.sweep[0]: 0.0.0.0/0 overlaps the"),
]


@pytest.mark.parametrize(("seeds", "message"), SEED_MISTAKES)
def test_a_seed_that_no_table_could_admit(seeds: str, message: str) -> None:
    scope = (
        '[scope]\nprefixes = ["145.97.0.0/16"]\nexclude_prefixes = ["145.97.66.0/24"]\n'
        'exclude_domains = ["forbidden.nl"]\nports = [80, 443]\n'
    )
    assert refused(ABOUT + IDENTITY + scope + f"[seeds]\n{seeds}\n").startswith(message)


def test_a_seed_address_that_tables_may_admit_is_left_to_them() -> None:
    assert parse(ABOUT + IDENTITY + SCOPE + '[seeds]\nurls = ["http://8.8.8.8/"]\n').seeds.urls == ("http://8.8.8.8/",)


@pytest.mark.parametrize("name", ["name", "purpose", "legal_basis", "authorised_by", "valid_until"])
def test_what_a_campaign_rests_on_is_required(name: str) -> None:
    lines = [line for line in WHOLE.splitlines() if not line.startswith(f"{name} ")]
    assert refused("\n".join(lines)) == f"campaign.{name}: is required"
    if name != "valid_until":
        blank = [f'{name} = " "' if line.startswith(f"{name} ") else line for line in WHOLE.splitlines()]
        assert refused("\n".join(blank)) == f"campaign.{name}: must not be empty"


@pytest.mark.parametrize("value", ["2027-01-31T00:00:00", '"2027-01-31"', "20270131"])
def test_valid_until_is_a_date(value: str) -> None:
    assert refused(WHOLE.replace("2027-01-31", value)).startswith("campaign.valid_until: must be a date")


@pytest.mark.parametrize("section", ["campaign", "scope", "seeds"])
def test_required_sections(section: str) -> None:
    texts = {"campaign": ABOUT, "scope": SCOPE, "seeds": SEEDS}
    text = IDENTITY + "".join(part for name, part in texts.items() if name != section)
    assert refused(text) == f"{section}: is required"


def test_identity_is_required_in_production_only() -> None:
    text = ABOUT + SCOPE + SEEDS
    assert refused(text).startswith("identity.user_agent: is required")
    assert refused('[identity]\nuser_agent = "x"\n' + text).startswith("identity.contact: is required")
    assert parse(text, lab=True).identity.user_agent


def test_a_header_cannot_be_smuggled_in_through_the_identity() -> None:
    text = WHOLE.replace('"crawl@authority.example"', '"a\\r\\nX-Evil: 1"')
    assert refused(text) == "identity.contact: holds a control character or a line end"


@pytest.mark.parametrize("name", ["", "-a", "a/b", "a b", "a" * 65, "é"])
def test_names_can_stand_in_keys_and_file_names(name: str) -> None:
    assert refused(WHOLE.replace('"nightly-nl"', f'"{name}"')).startswith("campaign.name: ")


def test_private_addresses_in_the_lab() -> None:
    lab = ABOUT + '[scope]\nprefixes = ["127.0.0.0/8"]\n[seeds]\nurls = ["http://127.10.0.1:8080/"]\n'
    assert parse(lab + "[network]\nallow_private = true\n", lab=True).network.allow_private
    assert refused(lab, lab=True).startswith("scope.prefixes[0]: 127.0.0.0/8 is a loopback range")


@pytest.mark.parametrize(
    "text",
    ["= 1", "[campaign", "x=" + "[" * 2_000, "x=" + "1" * 4_000, "a" + ".a" * 3_000 + "=1", "a=1\na=2", "\0"],
    ids=["no key", "open", "deep", "long number", "long line", "twice", "nul"],
)
def test_what_is_no_toml(text: str) -> None:
    assert refused(text)


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "night.toml"
    path.write_text("\ufeff" + WHOLE)
    assert load_campaign(path, lab=False) == parse(WHOLE)
    for content, reason in (
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"#" * (MAX_FILE + 1), "longer than"),
    ):
        path.write_bytes(content)
        with pytest.raises(CampaignInvalid, match=reason):
            load_campaign(path, lab=False)
    with pytest.raises(CampaignInvalid, match="does not exist"):
        load_campaign(tmp_path / "absent.toml", lab=False)
    with pytest.raises(CampaignInvalid, match="is no regular file"):
        load_campaign(tmp_path, lab=False)


def test_seed_files_are_read_beside_the_campaign(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "a.txt").write_text("\ufeff# names\n\nExample.NL\nhttps://b.nl/x#y\n")
    path = tmp_path / "night.toml"
    path.write_text(WHOLE + 'domains = ["c.nl"]\nfiles = ["lists/a.txt"]\n')
    campaign = load_campaign(path, lab=False)
    assert list(campaign.seed_urls()) == [
        "https://example.nl/b",
        "https://c.nl/",
        "http://c.nl/",
        "https://example.nl/",
        "http://example.nl/",
        "https://b.nl/x",
    ]
    assert list(Campaign.from_json(campaign.to_json()).seed_urls()) == list(campaign.seed_urls())


def test_a_long_seed_file_is_read_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("".join(f"a{n}.nl\n" for n in range(20_000)))
    path = tmp_path / "night.toml"
    path.write_text(WHOLE + 'files = ["a.txt"]\n')
    parse(WHOLE)  # what is loaded once is loaded
    tracemalloc.start()
    seeds = sum(1 for _ in load_campaign(path, lab=False).seed_urls())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seeds == 1 + 40_000
    assert peak < 400_000


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a.nl\nhttp://10.0.0.1/\n", "line 2: its address is out of scope .private."),
        (b"a.nl\n\xff\n", "line 2: is not UTF-8"),
        (b"a" * 9_000, "line 1: longer than"),
        (b"two words\n", "line 1: is not a domain name"),
    ],
)
def test_a_bad_line_of_a_seed_file_stops_the_start(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    path = tmp_path / "night.toml"
    path.write_text(WHOLE + 'files = ["a.txt"]\n')
    with pytest.raises(CampaignInvalid, match=reason):
        load_campaign(path, lab=False)


def test_a_missing_seed_file(tmp_path: Path) -> None:
    path = tmp_path / "night.toml"
    path.write_text(WHOLE + 'files = ["a.txt"]\n')
    with pytest.raises(CampaignInvalid, match=r"a\.txt: seeds.files: does not exist"):
        load_campaign(path, lab=False)


def test_a_campaign_starts_until_its_last_day() -> None:
    campaign = parse(WHOLE)
    check_startable(campaign, datetime.date(2027, 1, 31))
    with pytest.raises(CampaignExpired, match="valid until 2027-01-31") as caught:
        check_startable(campaign, datetime.date(2027, 2, 1))
    assert caught.value.exit_code == 3


def test_the_most_specific_limit_wins() -> None:
    limits = Limits(
        address=(
            AddressLimit("192.0.0.0/8", 10.0, 10),
            AddressLimit("192.0.2.0/24", 50.0, 8),
            AddressLimit("192.0.2.9/32", 1.0, 1),
            AddressLimit("2a02::/32", 7.0, 7),
        )
    )
    campaign = replace(parse(WHOLE), limits=limits)
    expected = {
        "192.1.1.1": (10.0, 10),
        "192.0.2.1": (50.0, 8),
        "192.0.2.9": (1.0, 1),
        "::ffff:192.0.2.9": (1.0, 1),
        "2a02::1": (7.0, 7),
        "2a02:0:1::/64": (7.0, 7),
        "8.8.8.8": (4.0, 2),
    }
    assert {address: campaign.limits_for(address) for address in expected} == expected


# ---------------------------------------------------------------- the JSON form

words = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), min_size=1, max_size=20)
ascii_words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
rates = st.floats(0.001, 1_000)
prefixes = st.one_of(
    st.builds(lambda n: f"{n >> 8 & 255}.{n & 255}.0.0/16", st.integers(0, 0xFFFF)),
    st.builds(lambda n: f"2a{n:02x}::/32", st.integers(0, 255)),
)


def several(values: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(values, max_size=3, unique=True).map(tuple)


campaigns = st.builds(
    Campaign,
    about=st.builds(About, st.from_regex(r"\A[a-z][a-z0-9.-]{0,20}\Z"), words, words, words, st.dates(), words),
    identity=st.builds(Identity, ascii_words, ascii_words, several(st.just("192.0.2.1"))),
    scope=st.builds(
        ScopeRules,
        several(st.sampled_from(["NL", "BE", "EU"])),
        several(prefixes),
        several(st.integers(1, 2**32 - 1)),
        several(prefixes),
        several(st.sampled_from(["a.nl", "b.example"])),
        several(st.integers(1, 65_535)),
        st.sampled_from(["none", "pages"]),
    ),
    seeds=st.builds(Seeds, several(st.just("https://example.nl/")), several(st.just("a.nl")), several(words)),
    limits=st.builds(
        Limits,
        rates,
        st.integers(1, 256),
        address=several(st.builds(AddressLimit, prefixes, rates, st.integers(1, 99))),
    ),
    match=st.builds(MatchRules, several(words), st.integers(0, 31)),
    network=st.builds(Network, several(st.just("127.0.0.1:5353")), st.booleans()),
)


@given(campaigns)
@settings(max_examples=60, deadline=None)
def test_json_keeps_every_value(campaign: Campaign) -> None:
    text = campaign.to_json()
    assert Campaign.from_json(text) == campaign
    assert Campaign.from_json(text).to_json() == text


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"campaign":{}}', "[" * 100_000, '{"campaign":3}'])
def test_damaged_json_is_said_to_be_damaged(text: str) -> None:
    with pytest.raises(RecordCorrupt, match="stored campaign is damaged"):
        Campaign.from_json(text)
