"""What a campaign would do, counted: sweeps, seeds, hosts, exclusions; and nothing of it kept in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.home import Home, open_home
from crawler.service.plan import plan_campaign
from tests.servers.vangnet import CAMPAIGN


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", lab=True)


def planned(home: Home, seeds: str, limits: str = "", scope: str = "") -> dict[str, object]:
    told: list[int] = []
    text = CAMPAIGN.format(name="p", seeds="", rate=2, concurrency=1, limits=limits)
    text = text.replace("urls = []\n", seeds).replace("[seeds]", f"{scope}[seeds]")
    file = home.root / "p.toml"
    file.write_text(text)
    return plan_campaign(home, file, lab=True, progress=told.append)


def test_a_sweep_is_counted_with_its_hours(home: Home) -> None:
    found = planned(home, 'sweep = ["127.0.0.0/8"]\nsweep_ports = [80, 443]\n', "sweep_rate = 0.5")
    assert found["addresses"] == 2**24
    assert found["requests"] == {"least": 2**25, "most": 2**25}
    # 65,536 blocks, each of which is asked once in two seconds.
    assert found["hours"] == {"sweep": 0.14, "host": 6.94}
    assert found["sweep"] == {
        "addresses": 2**24,
        "blocks": 2**16,
        "ports": 2,
        "in_scope": 1.0,
        "out_of_scope": {},
        "judged": 4_096,
    }


def test_seeds_and_hosts_are_counted(home: Home) -> None:
    (home.root / "names.txt").write_text("".join(f"a{n}.example\n" for n in range(300)) + "A1.Example.\n# no\n\n")
    found = planned(
        home,
        'urls = ["http://a0.example/x"]\ndomains = ["b.example"]\nfiles = ["names.txt"]\n',
        scope='exclude_domains = ["never.example"]\n',
    )
    assert (found["seeds"], found["hosts"], found["addresses"]) == (1 + 2 + 2 * 301, 301, 0)
    assert found["exclusions"] == {"prefixes": [], "domains": ["never.example"]}
    assert found["sweep"] is None
