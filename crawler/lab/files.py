"""The files that a crawl of the lab needs: campaign, hash list and address table. No image among them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import new as new_digest
from typing import Any

from crawler.lab import world
from crawler.lab.images import decoded
from crawler.lab.listed import LISTED, PDQ, Listed
from crawler.lab.plan import Plan

CAMPAIGN = "lab"
LIST = "lab-list"

DEFAULTS: dict[str, dict[str, Any]] = {
    "campaign": {
        "name": CAMPAIGN,
        "purpose": "Trying the whole way on a mini-internet on this machine",
        "legal_basis": "none needed: loopback only, pictures made in code",
        "authorised_by": "whoever started the lab",
        "valid_until": "2099-12-31",
    },
    "identity": {
        "user_agent": "Vangnet-lab/1.0 (+http://poort.example/)",
        "contact": "beheer@poort.example",
        "second_user_agent": "Mozilla/5.0 (X11; Linux x86_64) Vangnet-lab/1.0 (+http://poort.example/)",
    },
    "scope": {
        "countries": world.COUNTRIES,
        "prefixes": world.PREFIXES,
        "asns": world.ASNS,
        "exclude_prefixes": world.EXCLUDED_PREFIXES,
        "exclude_domains": world.EXCLUDED_DOMAINS,
    },
    "seeds": {},
    "limits": {"requests_per_second": 50.0, "concurrency": 4, "max_depth": 12, "render": "never"},
    "match": {},
    "network": {"allow_private": True},
}


def campaign_text(plan: Plan, nameserver: str, **changes: Mapping[str, Any]) -> str:
    """A campaign over the lab as TOML.

    changes: section -> {key: value}, over the defaults; a value of None leaves the key out.
    """
    sections = {name: dict(values) for name, values in DEFAULTS.items()}
    sections["seeds"]["urls"] = plan.seeds
    sections["network"]["nameservers"] = [nameserver]
    for name, values in changes.items():
        sections.setdefault(name, {}).update(values)
    return "\n".join(_section(name, values) for name, values in sections.items())


def list_text() -> str:
    """The lab's hash list in the `lines` format: "ALGORITHM VALUE" a line."""
    rows = [f"{algorithm} {_value(entry, algorithm)}" for entry in LISTED.values() for algorithm in entry.algorithms]
    return "\n".join(["# Pictures of the lab, made in code", *rows, ""])


def table_text() -> str:
    """The lab's hosters as an address table; see `docs/address-tables.md`."""
    rows = [
        "|".join((h.prefix, h.country, str(h.asn), h.name, h.network, h.name, h.abuse, h.cdn or ""))
        for h in world.HOSTERS
    ]
    header = ["#vangnet-addresses 1", "#source vangnet-lab", f"#date {world.TABLE_DATE}", "#licence CC0-1.0"]
    return "\n".join([*header, *rows, ""])


def _value(entry: Listed, algorithm: str) -> str:
    content = entry.content()
    if algorithm != PDQ:
        return new_digest(algorithm, content, usedforsecurity=False).hexdigest()
    # Compiles kernels when it is imported, which whoever only serves pages need not wait for.
    from crawler.fingerprint.reference import reference_pdq

    return reference_pdq(decoded(content))[0].hex()


def _section(name: str, values: Mapping[str, Any]) -> str:
    rows = [f"{key} = {_toml(key, value)}" for key, value in values.items() if value is not None]
    return "\n".join([f"[{name}]", *rows, ""])


def _toml(key: str, value: Any) -> str:
    # A JSON value is a TOML value as long as it is no object; only days are written without quotes.
    return str(value) if key == "valid_until" else json.dumps(value)
