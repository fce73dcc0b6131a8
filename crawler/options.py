"""Every option of an installation: name, type, unit, default and help. `docs/options.md` is generated from here.

An option `send_window` is set as `VANGNET_SEND_WINDOW` in the settings module or in the environment, which wins.
`redis_url` is `REDIS_URL`, as in scrapy-redis. What belongs to one campaign stands in its file, not here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from importlib import import_module
from math import isfinite
from typing import Any, get_type_hints

from crawler.errors import OptionInvalid

MODULE_ONLY = frozenset({"lab", "require_campaign_approval", "worker_enrolment", "recheck_spacing"})
"""Options that only a settings module sets: an environment variable must not open loopback, skip an approval, let
workers in or make a removal easier to see."""

CHOICES = {"worker_enrolment": ("open", "closed"), "smtp_security": ("starttls", "tls", "none")}
"""Options of type str that have one of a few values."""


_MAY_BE_ZERO = frozenset(
    {"min_rate", "screen_margin", "unchanged_mib", "quarantine_domains", "metrics_port", "revisit_spacing"}
)
_LAST_PORT = 65_535


def _option(default: Any, unit: str, help: str) -> Any:
    return field(default=default, metadata={"unit": unit, "help": help})


@dataclass(frozen=True, slots=True)
class Options:
    """The options in force, read once at start and plain values from there on."""

    lab: bool = _option(False, "", "Loopback and private addresses may be crawled, URLs are shown, no sign-in.")
    require_campaign_approval: bool = _option(True, "", "A campaign starts only after a second person approved it.")
    worker_enrolment: str = _option(
        "open", "", "open: who reaches REDIS_URL may join as a worker. closed: after `vangnet worker --enrol KEY` only."
    )

    redis_url: str = _option("", "URL", "The shared Redis or Valkey server. Empty: an embedded one under the home.")
    key_prefix: str = _option("vangnet", "", "First part of every key in Redis.")
    partitions: int = _option(1, "partitions", "Shards of the frontier; a property of the deployment, never changed.")

    lease_seconds: float = _option(90.0, "s", "Life of a lease beyond send_by; exceeds the total deadline of a fetch.")
    send_window: float = _option(0.1, "s", "How late after its slot a request may leave; later it is given back.")
    claim_lookahead: float = _option(0.1, "s", "How far ahead of now a claim hands out slots.")
    dns_patience: float = _option(155.0, "s", "How long, in three tries, a name in DNS trouble is waited for.")
    dns_floor: float = _option(60.0, "s", "Answers of the DNS are kept at least so long, whatever their TTL.")
    dns_ceiling: float = _option(86_400.0, "s", "Answers of the DNS are kept at most so long, whatever their TTL.")
    dns_negative: float = _option(300.0, "s", "How long it is believed that there is no such name or address.")
    dns_parallel: int = _option(256, "names", "Names asked for at once by one worker process, in each run.")
    host_sticky: float = _option(3_600.0, "s", "A host stays at an address that its name gives no more for so long.")
    host_doubted: float = _option(60.0, "s", "The same, for an address at which nobody answers.")
    attempts: int = _option(4, "deliveries", "Deliveries of one URL before it counts as failed.")
    backlog_limit: int = _option(5_000, "entries", "Unread discoveries or results above which claims pause.")
    max_discoveries: int = _option(5_000, "URLs", "Candidates taken from one page; the rest is counted as cut.")

    page_concurrency: int = _option(32, "requests", "Pages in flight in one worker, beside those of silent servers.")
    image_concurrency: int = _option(64, "requests", "Images in flight in one worker, beside those of silent servers.")
    sweep_concurrency: int = _option(256, "requests", "Swept addresses in flight in one worker process.")
    image_memory_mib: int = _option(256, "MiB", "Bytes of images and pages in flight in one worker process.")

    connect_timeout: float = _option(10.0, "s", "TCP set-up, and as long again for TLS.")
    header_timeout: float = _option(15.0, "s", "From the request sent to the last header.")
    idle_timeout: float = _option(10.0, "s", "Longest silence inside a body.")
    total_timeout: float = _option(60.0, "s", "The whole fetch, from the wait for a socket to the last byte.")
    min_rate: float = _option(1024.0, "bytes/s", "Slower bodies are given up after twenty seconds. 0: no minimum.")
    max_page_bytes: int = _option(10_485_760, "bytes", "Longest page that is read, after decompression.")

    render_processes: int = _option(1, "browsers", "Headless browsers of one worker; each renders a page at a time.")
    render_seconds: float = _option(30.0, "s", "Longest time for one page in a browser, waits for slots included.")
    render_memory_mib: int = _option(1_024, "MiB", "Memory of one browser, all its processes together.")
    render_directory: str = _option("", "directory", "Where browsers keep their profiles, on tmpfs. Empty: /dev/shm.")

    kernels: str = _option("", "directory", "Where compiled kernels are kept, mode 0700. Empty: under the home.")
    sandbox_processes: int = _option(1, "processes", "Fingerprinting processes of one worker.")
    sandbox_memory_mib: int = _option(768, "MiB", "Address space of a sandbox process beyond its warm state.")
    image_deadline: float = _option(10.0, "s", "Longest time for one image in the sandbox.")
    recycle_after: int = _option(5_000, "images", "A sandbox process is replaced after so many images.")
    screen_margin: int = _option(10, "bits", "The fast codes screen at the campaign's distance plus this.")

    data_sources: str = _option("", "URLs", "Where `vangnet data update` fetches from. Empty: docs/address-tables.md.")

    robots_ttl: float = _option(86_400.0, "s", "How long robots rules are believed (at most a day).")
    unchanged_mib: int = _option(64, "MiB", "Validators (ETag, Last-Modified) of clean images in Redis. 0: none.")
    unchanged_ttl: float = _option(1_209_600.0, "s", "After so long at the latest an image is fetched in full again.")
    audit_heads: str = _option("", "directory", "The auditor's: a signed head of the audit chain goes there each day.")

    retention_rejected: float = _option(
        90.0, "days", "URLs of rejected hits and their sightings are erased after that."
    )
    retention_closed: float = _option(730.0, "days", "Those of removed and moved hits.")

    seen_ttl: float = _option(2_592_000.0, "s", "How long seen numbers of a finished run are kept.")

    quarantine_domains: int = _option(
        25, "domains", "Unrelated registered domains with near-only matches that quarantine an entry. 0: never."
    )
    quarantine_window: float = _option(2_592_000.0, "s", "How far back such matches count.")
    alert_escalation: float = _option(14_400.0, "s", "An alert that nobody answers rises a level this often.")
    revisit_spacing: float = _option(
        86_400.0, "s", "Least time between two re-visits of a campaign that grown lists start. 0: they start none."
    )
    alert_address: str = _option("", "address", "Who is told of alerts by mail, by the way that notices take.")
    escalation_address: str = _option("", "address", "Who is told as well when an alert rises. Empty: nobody else.")
    checks_per_day: int = _option(500, "values", "Values that one person may look up with `hashes check` in a day.")
    authority: str = _option("", "", "Name of the authority on whose behalf notices leave; required for them.")
    notice_sender: str = _option("", "address", "Mail address that notices come from; required for them.")
    notice_contact: str = _option("", "address", "Where answers and objections go. Empty: the sender's address.")
    outbox: str = _option("", "directory", "Where notices are put as files, in place of SMTP.")
    smtp_host: str = _option("", "host", "Mail server that takes notices. Empty: the outbox directory is used.")
    smtp_port: int = _option(587, "port", "Port of the mail server.")
    smtp_security: str = _option("starttls", "", "starttls, tls or none; none for a server on this machine only.")
    smtp_user: str = _option("", "", "Account at the mail server. Empty: no sign-in.")
    smtp_password_file: str = _option(
        "", "file", "Holds the password. Empty: vangnet-smtp in the credentials directory of systemd."
    )
    recheck_spacing: float = _option(180.0, "s", "Least time between the three visits that show that an image is gone.")
    metrics_port: int = _option(0, "port", "Prometheus metrics of worker and recorder, on 127.0.0.1. 0: none.")


def environment_name(name: str) -> str:
    """The name of an option in the environment and in a settings module."""
    return "REDIS_URL" if name == "redis_url" else f"VANGNET_{name.upper()}"


def option_rows() -> list[Field[Any]]:
    """The fields of `Options`, in order; metadata has "unit" and "help"."""
    return list(fields(Options))


def options_markdown() -> str:
    """`docs/options.md`: one row per option."""
    lines = [
        "# Options",
        "",
        "Options of an installation, set in the settings module or in the environment (which wins). What belongs to",
        "one campaign stands in its file: see [campaign.md](campaign.md). Made from `crawler/options.py`.",
        "",
        "| name | type | unit | default | what it is |",
        "| --- | --- | --- | --- | --- |",
    ]
    types = get_type_hints(Options)
    for row in option_rows():
        default = "" if row.default == "" else f"`{row.default}`"
        name, unit = environment_name(row.name), row.metadata["unit"]
        where = " (settings module only)" if row.name in MODULE_ONLY else ""
        lines.append(f"| `{name}` | {types[row.name].__name__} | {unit} | {default} | {row.metadata['help']}{where} |")
    return "\n".join(lines) + "\n"


def load_options(settings_module: str) -> Options:
    """The options of a settings module, overlaid with this process's environment.

    Raises OptionInvalid for a module that does not exist and for a value of the wrong type.
    """
    try:
        module = vars(import_module(settings_module))
    except ImportError as error:
        raise OptionInvalid(
            f"settings module {settings_module!r} cannot be imported: {error}; give --settings or unset "
            "SCRAPY_SETTINGS_MODULE"
        ) from error
    return options_from(module)


def options_from(settings: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Options:
    """The options in a settings mapping, overlaid with the environment (default: this process's).

    Raises OptionInvalid for a value of the wrong type.
    """
    environment = os.environ if environment is None else environment
    types = get_type_hints(Options)
    values: dict[str, Any] = {}
    for row in option_rows():
        name = environment_name(row.name)
        if name in environment and row.name not in MODULE_ONLY:
            values[row.name] = _parse(name, environment[name], types[row.name])
        elif name in settings:
            values[row.name] = _checked(name, settings[name], types[row.name])
    options = Options(**values)
    for row in option_rows():
        value = getattr(options, row.name)
        if isinstance(value, int | float) and not isinstance(value, bool) and not _sensible(row.name, value):
            raise OptionInvalid(f"{environment_name(row.name)} = {value} is out of range; give a number above 0")
        if row.metadata["unit"] == "port" and value > _LAST_PORT:
            raise OptionInvalid(f"{environment_name(row.name)} = {value} is no port; give a number up to {_LAST_PORT}")
        if value not in CHOICES.get(row.name, (value,)):
            allowed = " or ".join(map(repr, CHOICES[row.name]))
            raise OptionInvalid(f"{environment_name(row.name)} = {value!r} is not known; give {allowed}")
    return options


def _sensible(name: str, value: float) -> bool:
    return isfinite(value) and (value > 0 or (value == 0 and name in _MAY_BE_ZERO))


def _parse(name: str, text: str, type_: type) -> Any:
    if type_ is bool:
        if text.lower() in ("1", "true", "yes", "on"):
            return True
        if text.lower() in ("0", "false", "no", "off", ""):
            return False
        raise OptionInvalid(f"{name}={text!r} is not a yes or no; give 1 or 0")
    try:
        return type_(text)
    except ValueError as error:
        raise OptionInvalid(f"{name}={text!r} is not of type {type_.__name__}") from error


def _checked(name: str, value: Any, type_: type) -> Any:
    if type_ is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, type_) or (type_ is int and isinstance(value, bool)):
        raise OptionInvalid(f"{name} = {value!r} in the settings module is not of type {type_.__name__}")
    return value
