"""When a list has grown, what was crawled before could match now, and nothing of it was kept: a campaign that visits
the most promising places again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from crawler.campaign import MAX_LINE, Campaign, parse_campaign
from crawler.errors import InvalidInput, Refused
from crawler.service.actors import require
from crawler.service.campaigns import stored_campaign
from crawler.store import audit, campaigns
from crawler.store.actors import Actor
from crawler.store.coverage import HitPage, hit_pages
from crawler.store.database import Database

SUFFIX = "-revisit"
_MOST_OF_NAME = 64 - len(SUFFIX)
MOST = 1_000
"""Pages of one campaign."""

DEPTH = 2
"""Links followed from a page where something was found."""

URLS_PER_HOST = 5_000
"""Or fewer, where the campaign allows fewer."""

_LONGEST = MAX_LINE - 100


def revisits(pages: list[HitPage]) -> Iterator[str]:
    """The seeds that pages of hits stand for: the pages in their order, then the roots of their hosts, each once."""
    seen: dict[str, None] = {}
    for page in pages:
        seen[page.url.partition("#")[0]] = None
    for url in list(seen):
        parts = urlsplit(url)
        seen[f"{parts.scheme}://{parts.netloc}/"] = None
    yield from seen


def promising(db: Database, campaign: Campaign, most: int = MOST, finders: Sequence[str] = ()) -> list[str]:
    """The seeds that the best pages of hits stand for, as far as the campaign's scope may admit them, best first.

    most: pages that are looked at.  finders: campaigns whose finds count, all for none.
    """
    rules, tables = campaign.plain_rules(), bool(campaign.scope.countries or campaign.scope.asns)
    found = (url for url in revisits(hit_pages(db, most, finders)) if len(url) <= _LONGEST)
    return [url for url in found if not rules.objection(url, tables=tables)]


def plan_revisit(db: Database, actor: Actor, base: str, *, lab: bool, most: int = MOST) -> dict[str, Any]:
    """Make, or renew, the campaign `BASE-revisit`: scope, identity, limits and thresholds of the campaign `base`, and
    as seeds the pages where something was found and their hosts, by expected yield. It is kept sealed, and in
    production approved and started like any other.

    most: pages, up to `MOST`.
    Returns {"campaign", "seeds", "changed"}.
    Raises CampaignInvalid when there is no campaign `base`, InvalidInput when nothing was found in its scope yet,
    Refused when somebody's own file stands under the name, NotAuthorised.
    """
    require(db, actor, "lists.revisit")
    campaign = stored_campaign(db, base, lab=lab)
    return keep_revisit(db, actor, campaign, promising(db, campaign, min(most, MOST)))


def name_of(base: str) -> str:
    """The name of the campaign that visits again what `base` found; of no two bases the same."""
    if len(base) > _MOST_OF_NAME:
        cut = f"-{hashlib.sha256(base.encode()).hexdigest()[:8]}"
        base = base[: _MOST_OF_NAME - len(cut)] + cut
    return base + SUFFIX


def keep_revisit(db: Database, actor: Actor, campaign: Campaign, seeds: list[str]) -> dict[str, Any]:
    """As `plan_revisit`, of these seeds; for who was asked already whether he may. Raises InvalidInput without one."""
    base, name = campaign.name, name_of(campaign.name)
    if not seeds:
        raise InvalidInput(f"nothing was found in the scope of campaign {base!r} yet; there is nothing to visit again")
    text = _text(campaign, name, seeds)
    parse_campaign(text, f"campaign {name}", lab=db.home.lab)
    with db.write():
        if campaigns.load(db, name) is not None and not _is_derived(db, name):
            raise Refused(f"campaign {name!r} is a file that somebody brought in; keep that under another name")
        changed = campaigns.save(db, actor, name, text, hashlib.sha256(text.encode()).hexdigest(), replace=True)
        audit.append(db, actor, "lists.revisit", name, detail={"base": base, "seeds": len(seeds)})
    return {"campaign": name, "seeds": len(seeds), "changed": changed}


def _is_derived(db: Database, name: str) -> bool:
    """Whether the file that stands under a name was made here, and not brought in by a person since."""
    acts = [event["act"] for event in audit.events(db, object_id=name)]
    return [act for act in acts if act in ("campaigns.save", "lists.revisit")][-1:] == ["lists.revisit"]


def _text(campaign: Campaign, name: str, seeds: list[str]) -> str:
    """A campaign file, in TOML. A JSON value is a TOML value as long as it is no object."""
    table = json.loads(campaign.to_json())
    table["campaign"] |= {
        "name": name,
        "purpose": f"Known pages again, as lists have grown: {table['campaign']['purpose']}",
    }
    table["seeds"] = {"urls": seeds}
    table["scope"]["pointers"] = "none"
    limits = table["limits"]
    overrides = limits.pop("address")
    limits["max_depth"] = min(limits["max_depth"], DEPTH)
    limits["max_urls_per_host"] = min(limits["max_urls_per_host"], URLS_PER_HOST)
    lines: list[str] = []
    for section, values in table.items():
        lines += [f"[{section}]", *(_line(key, value) for key, value in values.items() if value is not None)]
    for override in overrides:
        lines += ["[[limits.address]]", *(_line(key, value) for key, value in override.items())]
    return "\n".join(lines) + "\n"


def _line(key: str, value: object) -> str:
    # Only days are written without quotes, and only lines of a bounded length are read.
    if isinstance(value, list):
        return f"{key} = [\n" + "".join(f"    {json.dumps(item)},\n" for item in value) + "]"
    return f"{key} = {value if key == 'valid_until' else json.dumps(value)}"
