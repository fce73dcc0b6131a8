"""A campaign: who crawls what, on which legal basis, within which limits. Read from TOML, frozen, and from then on
the same value everywhere: in Redis and in the store it stands as canonical JSON.

The keys, with their units and bounds, are described in `docs/campaign.md`.
"""

from __future__ import annotations

import datetime
import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, is_dataclass, replace
from functools import cached_property
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any

from crawler.campaign_checks import prefix_objection, sweep_objection
from crawler.campaign_sections import About, AddressLimit, Identity, Limits, MatchRules, Network, ScopeRules, Seeds
from crawler.errors import CampaignExpired, CampaignInvalid, RecordCorrupt
from crawler.plain_rules import PlainRules
from crawler.ranges import PrefixSet, parse_address, unwrapped
from crawler.records import Rejected
from crawler.sections import file_names, read, section
from crawler.seeds import seed_lines, seed_urls

MAX_FILE = 262_144
"""Longest campaign file, in bytes."""

MAX_LINE = 4_096
"""Longest line of it, in characters: parsing time grows with the square of a dotted key's length."""


@dataclass(frozen=True)
class Campaign:
    """A valid campaign. Every section is present; what the file left out has its default."""

    about: Annotated[About, section(About), "campaign"]
    scope: Annotated[ScopeRules, section(ScopeRules)]
    seeds: Annotated[Seeds, section(Seeds)]
    identity: Annotated[Identity, section(Identity)] = field(default_factory=Identity)
    limits: Annotated[Limits, section(Limits)] = field(default_factory=Limits)
    match: Annotated[MatchRules, section(MatchRules)] = field(default_factory=MatchRules)
    network: Annotated[Network, section(Network)] = field(default_factory=Network)

    @property
    def name(self) -> str:
        return self.about.name

    def limits_for(self, address: str) -> tuple[float, int]:
        """(requests per second, concurrency) for an address or politeness key; the most specific override wins.

        Raises ValueError when `address` is neither.
        """
        limit = self._overrides.get(self._override_prefixes.around(unwrapped(ip_address(address.partition("/")[0]))))
        if limit is None:
            return self.limits.requests_per_second, self.limits.concurrency
        return limit.requests_per_second, limit.concurrency

    def plain_rules(self) -> PlainRules:
        """The part of the scope that needs no address table."""
        return PlainRules(
            map(ip_network, self.scope.prefixes),
            map(ip_network, self.scope.exclude_prefixes),
            domains=self.scope.exclude_domains,
            ports=self.scope.ports,
            allow_private=self.network.allow_private,
        )

    def is_swept(self, host: str, port: int) -> bool:
        """Whether a host (an IP address, IPv6 without brackets) and port are asked by the campaign's sweep."""
        if port not in self.seeds.sweep_ports or not self.seeds.sweep:
            return False
        address = parse_address(host)
        return not isinstance(address, Rejected) and self._sweep_prefixes.around(address) is not None

    def seed_urls(self) -> Iterator[str]:
        """Canonical URLs of all seeds but pointers and sweeps: urls, then domains, then files, read as a stream.

        Raises CampaignInvalid naming file and line for a seed file that changed into something unreadable.
        """
        yield from self.seeds.urls
        for name in self.seeds.domains:
            yield from (f"https://{name}/", f"http://{name}/")
        for file in self.seeds.files:
            for line, seed in seed_lines(Path(file)):
                found = seed_urls(seed)
                if not isinstance(found, tuple):
                    raise CampaignInvalid(f"{file}: line {line}: {found.detail}")
                yield from found

    def to_json(self) -> str:
        """Canonical JSON: keys as in the file, sorted, no spaces; equal campaigns have equal text."""
        return json.dumps(_document(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, document: str) -> Campaign:
        """The campaign that `to_json` wrote. Raises RecordCorrupt for anything else."""
        try:
            table = json.loads(document)
            table["campaign"]["valid_until"] = datetime.date.fromisoformat(table["campaign"]["valid_until"])
            return read(cls, table, source="stored campaign")
        except (ValueError, TypeError, KeyError, RecursionError, CampaignInvalid) as error:
            raise RecordCorrupt(f"stored campaign is damaged ({error}); create it again from its file") from error

    @cached_property
    def _overrides(self) -> dict[Any, AddressLimit]:
        return {ip_network(limit.prefix): limit for limit in self.limits.address}

    @cached_property
    def _sweep_prefixes(self) -> PrefixSet:
        return PrefixSet(map(ip_network, self.seeds.sweep))

    @cached_property
    def _override_prefixes(self) -> PrefixSet:
        return PrefixSet(self._overrides)


def load_campaign(path: Path, *, lab: bool) -> Campaign:
    """The campaign in a TOML file; its seed files, relative to it, are read through once.

    lab: whether lab settings are in force, which alone permit private addresses and a campaign without identity.
    Raises CampaignInvalid naming file, key and reason.
    """
    try:
        if not path.is_file():
            raise CampaignInvalid(f"{path}: {'is no regular file' if path.exists() else 'does not exist'}")
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE + 1)
    except OSError as error:
        raise CampaignInvalid(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE:
        raise CampaignInvalid(f"{path}: longer than {MAX_FILE} bytes; move seeds into seeds.files")
    try:
        content = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CampaignInvalid(f"{path}: is not UTF-8 text (byte {error.start})") from error
    campaign = parse_campaign(content, str(path), lab=lab)
    files = tuple(str(path.absolute().parent / name) for name in campaign.seeds.files)
    campaign = replace(campaign, seeds=replace(campaign.seeds, files=files))
    _check_seed_files(campaign)
    return campaign


def parse_campaign(content: str, source: str, *, lab: bool) -> Campaign:
    """The campaign that TOML text describes. source: what messages call it. Seed files are not opened.

    Raises CampaignInvalid naming source, key and reason.
    """
    for line, row in enumerate(content.splitlines(), 1):
        if len(row) > MAX_LINE:
            raise CampaignInvalid(f"{source}: line {line}: longer than {MAX_LINE} characters; break it")
    try:
        table = tomllib.loads(content)
    except (ValueError, RecursionError) as error:
        raise CampaignInvalid(f"{source}: is no valid TOML: {error}") from error
    campaign = read(Campaign, table, source=source)
    for found in (
        _settings_objection(campaign, table, lab=lab),
        _scope_objection(campaign),
        _seeds_objection(campaign),
    ):
        if found is not None:
            raise CampaignInvalid(f"{source}: {found.reason}: {found.detail}")
    return campaign


def check_startable(campaign: Campaign, today: datetime.date) -> None:
    """Raises CampaignExpired when `today` is past the campaign's last day."""
    if today > campaign.about.valid_until:
        raise CampaignExpired(
            f"campaign {campaign.name!r} was valid until {campaign.about.valid_until}; renew the authorisation and "
            "campaign.valid_until"
        )


def _settings_objection(campaign: Campaign, table: dict[str, Any], *, lab: bool) -> Rejected | None:
    """What depends on the settings in force, or on two keys at once. A Rejected's reason is the key."""
    if not lab:
        if campaign.network.allow_private:
            return Rejected("network.allow_private", "private addresses are only crawled with lab settings")
        for name in ("user_agent", "contact"):
            if name not in table.get("identity", {}):
                return Rejected(f"identity.{name}", "is required: servers must be able to see who visits them")
    if campaign.limits.robots == "record" and not campaign.limits.robots_basis:
        return Rejected("limits.robots_basis", 'is required when robots = "record": say on which ground')
    seen = set()
    for position, limit in enumerate(campaign.limits.address):
        network = ip_network(limit.prefix)
        if network.version == 6 and network.prefixlen > 64:
            return Rejected(f"limits.address[{position}].prefix", "is longer than /64, which counts as one address")
        if limit.prefix in seen:
            return Rejected(f"limits.address[{position}].prefix", f"{limit.prefix} stands there twice")
        seen.add(limit.prefix)
    return None


def _scope_objection(campaign: Campaign) -> Rejected | None:
    scope = campaign.scope
    if not (scope.countries or scope.prefixes or scope.asns):
        return Rejected("scope", "admits nothing; give countries, prefixes or asns")
    found = prefix_objection(scope.prefixes, allow_private=campaign.network.allow_private)
    return found and Rejected(f"scope.prefixes{found.reason}", found.detail)


def _seeds_objection(campaign: Campaign) -> Rejected | None:
    seeds, scope = campaign.seeds, campaign.scope
    rules, tables = campaign.plain_rules(), bool(scope.countries or scope.asns)
    if not (seeds.urls or seeds.domains or seeds.files or seeds.pointers or seeds.sweep):
        return Rejected("seeds", "names nothing to start from; give urls, domains, files, pointers or sweep")
    if seeds.pointers and scope.pointers == "none":
        return Rejected("seeds.pointers", 'needs scope.pointers = "pages"')
    # A pointer needs no rule that admits it; what is special or excluded is out of bounds for it too.
    for key, urls, admitted_elsewhere in (("urls", seeds.urls, tables), ("pointers", seeds.pointers, True)):
        for position, seed in enumerate(urls):
            why = rules.objection(seed, tables=admitted_elsewhere)
            if why:
                return Rejected(f"seeds.{key}[{position}]", why)
    for position, name in enumerate(seeds.domains):
        if not rules.judge_host_name(name).in_scope:
            return Rejected(f"seeds.domains[{position}]", "is in scope.exclude_domains")
    return _sweep_objection(campaign, rules, tables=tables)


def _sweep_objection(campaign: Campaign, rules: PlainRules, *, tables: bool) -> Rejected | None:
    seeds, scope = campaign.seeds, campaign.scope
    admitted, excluded = [*map(ip_network, scope.prefixes)], [*map(ip_network, scope.exclude_prefixes)]
    for position, swept in enumerate(seeds.sweep):
        private = campaign.network.allow_private
        why = sweep_objection(swept, admitted, excluded, tables=tables, allow_private=private)
        if why:
            return Rejected(f"seeds.sweep[{position}]", why)
    for position, port in enumerate(seeds.sweep_ports if seeds.sweep else ()):
        if not rules.permits_port(port):
            return Rejected(f"seeds.sweep_ports[{position}]", f"port {port} is not in scope.ports")
    return None


def _check_seed_files(campaign: Campaign) -> None:
    """Read the seed files through, so that a bad line stops the start and not the night."""
    rules, tables = campaign.plain_rules(), bool(campaign.scope.countries or campaign.scope.asns)
    for file in campaign.seeds.files:
        for line, seed in seed_lines(Path(file)):
            urls = seed_urls(seed)
            why = urls.detail if isinstance(urls, Rejected) else rules.objection(urls[0], tables=tables)
            if why:
                raise CampaignInvalid(f"{file}: line {line}: {why}")


def _document(section: Any) -> dict[str, Any]:
    """A section as the table that `read` takes."""
    return {name: _plain(getattr(section, row.name)) for name, row in file_names(type(section)).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime.date):
        return value.isoformat()
    return _document(value) if is_dataclass(value) else value
