"""The chain of who is answerable, for people: from the domain to the abuse contact, then what each fact rests on."""

from __future__ import annotations

from typing import Any

from crawler.cli.tables import print_facts, print_table

EVIDENCE = ("fact", "source", "date", "prefix")


def print_attribution(found: dict[str, Any]) -> None:
    """Print what `crawler.service.attribution.attribute_target` gave."""
    hoster, cdn, abuse, cohosted = found["hoster"], found["cdn"], found["abuse"], found["cohosted"]
    system = f"AS{hoster['asn']} {hoster['as_name'] or ''}".strip() if hoster["asn"] else None
    others = [address for address in found["addresses"] if address != found["ip"]]
    rows: list[tuple[str, object]] = [
        ("domain", found["domain"]),
        ("in the registry as", found["icann_domain"]),
        ("address", found["ip"]),
        ("other addresses", ", ".join(others) or None),
        ("reverse DNS", found["reverse_dns"]),
        ("CDN in front", f"{cdn['name']}, origin {cdn['origin']}" if cdn else None),
        ("anycast", "yes" if found["anycast"] else None),
        ("network", hoster["network"]),
        ("holder", hoster["holder"]),
        ("sponsor", found["sponsor"]),
        ("origin AS", system),
        ("hoster", found["brand"]),
        ("country", hoster["country"]),
        ("sources differ", _differing(found["countries"])),
        ("abuse contact", abuse["contact"]),
        ("co-hosted", _neighbours(cohosted)),
    ]
    needed = {"domain", "address", "network", "holder", "origin AS", "country", "abuse contact", "CDN in front"}
    print_facts([row for row in rows if row[0] in needed or row[1] is not None])
    print_table(EVIDENCE, evidence_rows(hoster["evidence"]), empty="no table has this address")


def evidence_rows(evidence: list[dict[str, Any]]) -> list[list[Any]]:
    """Rows under EVIDENCE."""
    return [[row[name] for name in EVIDENCE] for row in evidence]


def _differing(countries: list[dict[str, Any]]) -> str | None:
    if len({row["country"] for row in countries}) < 2:
        return None
    return ", ".join(f"{row['country']} ({row['source']})" for row in countries)


def _neighbours(cohosted: dict[str, Any]) -> str | None:
    if not cohosted["total"]:
        return None
    more = cohosted["total"] - len(cohosted["domains"])
    return ", ".join(cohosted["domains"]) + (f" and {more} more" if more else "")
