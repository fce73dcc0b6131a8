from __future__ import annotations

from pathlib import Path

import pytest

from crawler.errors import CampaignInvalid, InvalidInput, Refused
from crawler.lab.files import campaign_text
from crawler.lab.plan import build_plan
from crawler.service.campaigns import create_campaign, stored_campaign
from crawler.service.revisits import name_of, plan_revisit, revisits
from crawler.store import audit, campaigns
from crawler.store.coverage import HitPage
from crawler.store.database import Database
from crawler.store.hits import record
from tests.store.factories import ANNA, ATTRIBUTION, add_list, digest_entry, image, report


@pytest.fixture
def base(db: Database, tmp_path: Path) -> str:
    """A campaign with a scope, overrides and exclusions."""
    text = campaign_text(
        build_plan(80, ["dorp"]), "127.0.0.1:53", scope={"exclude_domains": ["gone.example"]}, limits={"max_depth": 9}
    )
    path = tmp_path / "c.toml"
    path.write_text(text + '[[limits.address]]\nprefix = "127.0.0.0/24"\nrequests_per_second = 9.0\nconcurrency = 3\n')
    create_campaign(db, ANNA, path, lab=True)
    return "lab"


def seen(db: Database, *pages: str) -> None:
    add_list(db, [digest_entry("an image")])
    for number, page in enumerate(pages):
        made = report(f"s{number}", image_url=f"{page}x.jpg", page_url=page, found=image(page))
        record(db, made, ATTRIBUTION)


def test_known_pages_become_a_campaign_of_their_own(db: Database, base: str) -> None:
    seen(db, "http://a.example/album/1", "http://a.example/album/2", "https://b.example:8443/", "http://gone.example/x")
    done = plan_revisit(db, ANNA, base, lab=True)
    assert done == {"campaign": "lab-revisit", "seeds": 4, "changed": True}
    old, new = stored_campaign(db, base, lab=True), stored_campaign(db, "lab-revisit", lab=True)
    assert set(new.seeds.urls) == {
        "http://a.example/album/1",
        "http://a.example/album/2",
        "http://a.example/",
        "https://b.example:8443/",
    }
    assert (new.scope, new.identity, new.match, new.network) == (old.scope, old.identity, old.match, old.network)
    assert new.limits_for("127.0.0.9") == old.limits_for("127.0.0.9") == (9.0, 3)
    assert (new.limits.max_depth, new.limits.requests_per_second) == (2, old.limits.requests_per_second)
    assert not plan_revisit(db, ANNA, base, lab=True)["changed"]
    assert "a.example" not in str(list(audit.events(db)))


def test_there_has_to_be_something_to_visit(db: Database, base: str) -> None:
    with pytest.raises(InvalidInput, match="nothing was found"):
        plan_revisit(db, ANNA, base, lab=True)
    with pytest.raises(CampaignInvalid, match="no campaign"):
        plan_revisit(db, ANNA, "other", lab=True)


def test_pages_come_before_the_roots_of_their_hosts() -> None:
    pages = [HitPage("https://a.example/1#data-3", 1, 0.0), HitPage("https://a.example/1", 1, 0.0)]
    assert list(revisits([*pages, HitPage("https://b.example/", 1, 0.0)])) == [
        "https://a.example/1",
        "https://b.example/",
        "https://a.example/",
    ]


def test_changed_thresholds_of_a_campaign_are_on_record(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    for distance in (31, 31, 20):
        plan = build_plan(80, ["dorp"])
        path.write_text(campaign_text(plan, "127.0.0.1:53", match={"pdq_distance": distance}))
        create_campaign(db, ANNA, path, lab=True, replace=True)
    (event,) = (event for event in audit.events(db) if event["act"] == "campaigns.thresholds")
    assert (event["object"], event["actor"]) == ("lab", "anna")
    assert (event["detail"]["before"]["pdq_distance"], event["detail"]["after"]["pdq_distance"]) == (31, 20)


def test_a_file_that_somebody_brought_in_under_that_name_is_left_alone(db: Database, base: str, tmp_path: Path) -> None:
    seen(db, "http://a.example/album/1")
    own = tmp_path / "own.toml"
    own.write_text((tmp_path / "c.toml").read_text().replace('name = "lab"', 'name = "lab-revisit"'))
    create_campaign(db, ANNA, own, lab=True)
    before = campaigns.load(db, "lab-revisit")
    assert before is not None
    with pytest.raises(Refused, match="brought in"):
        plan_revisit(db, ANNA, base, lab=True)
    assert campaigns.load(db, "lab-revisit") == before


def test_what_was_made_here_and_replaced_by_a_person_is_his(db: Database, base: str, tmp_path: Path) -> None:
    seen(db, "http://a.example/album/1")
    assert plan_revisit(db, ANNA, base, lab=True)["changed"]
    own = tmp_path / "own.toml"
    own.write_text((tmp_path / "c.toml").read_text().replace('name = "lab"', 'name = "lab-revisit"'))
    create_campaign(db, ANNA, own, lab=True, replace=True)
    with pytest.raises(Refused, match="brought in"):
        plan_revisit(db, ANNA, base, lab=True)


def test_long_names_stay_apart_and_short_ones_as_they_are() -> None:
    assert name_of("n" * 56) == "n" * 56 + "-revisit"
    long = [name_of("n" * 56 + end) for end in ("-a", "-b", "n" * 8)]
    assert len(set(long)) == 3 and {len(name) for name in long} == {64}
    assert all(name.endswith("-revisit") for name in long)
