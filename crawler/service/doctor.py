"""What is missing or unsafe in an installation, and how to mend it. Looks, and changes nothing.

To add a check, write a function that takes a `Look` and returns `Finding`s, and put it into `CHECKS`.
"""

from __future__ import annotations

import datetime
import shutil
import stat
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from crawler.bus.binary import choose_binary
from crawler.bus.durability import Durability, durability
from crawler.errors import VangnetError
from crawler.home import Home
from crawler.options import Options
from crawler.render.machine import MEMORY, program, unavailable, weakness
from crawler.service import heads
from crawler.service.actors import identify, require
from crawler.service.alarms import check_alerts
from crawler.service.data import data_status
from crawler.service.findings import Check, Finding, Level, Look, ok, problem, warning
from crawler.service.machine import check_nameservers, check_network, check_open_files
from crawler.service.notices import issuer_of, notice_json
from crawler.service.session import signed_in
from crawler.store import audit, lists, notices, schedules
from crawler.store.actors import anyone_has_a_role
from crawler.store.database import open_store
from crawler.store.times import iso

_GIB: Final = 1 << 30
_SKEW: Final = 1.0
_OLD_LIST: Final = 90 * 86_400.0
_OLD_HEAD: Final = 2 * 86_400.0


def examine(home: Home, options: Options, user: str | None, *, checks: Sequence[Check] | None = None) -> dict[str, Any]:
    """{"ok": no problem was found, "findings": [{"check", "level", "what", "mend"}]}, in the order of the checks.

    user: as --user gave it. Raises NotAuthorised; what else goes wrong is a finding.
    """
    found: list[Finding] = []
    try:
        with open_store(home, busy_seconds=5.0) as db:
            require(db, identify(db, user, signed_in=signed_in(db)), "doctor.read")
            found.append(ok("database", f"{home.database.stat().st_size >> 10} KiB, opened with its keys"))
            found += _run(Look(home, options, db, time.time()), checks or CHECKS)
    except VangnetError as error:
        if error.exit_code == 3:
            raise
        found.append(Finding("database", Level.PROBLEM, str(error), "see the message"))
        found += _run(Look(home, options, None, time.time()), checks or CHECKS)
    return {
        "ok": all(each.level is not Level.PROBLEM for each in found),
        "findings": [each.to_json() for each in found],
    }


def _run(look: Look, checks: Sequence[Check]) -> list[Finding]:
    found: list[Finding] = []
    for check in checks:
        name = check.__name__.removeprefix("check_").replace("_", "-")
        try:
            found += check(look)
        except VangnetError as error:
            found.append(Finding(name, Level.PROBLEM, str(error), "see the message"))
    return found


def check_server(look: Look) -> list[Finding]:
    """Whether the server keeps what it is given, and has the time that we have."""
    if not look.options.redis_url:
        return [ok("server", f"an embedded one when needed, by {choose_binary(None).path}; its settings are ours")]
    told = durability(look.options.redis_url)
    found = [*_durable(told)]
    if abs(told.skew) > _SKEW:
        mend = "keep both machines' clocks by NTP; leases and politeness go by the server's"
        found.append(warning("clock", f"the server's clock differs from ours by {told.skew:+.1f} s", mend))
    else:
        found.append(ok("clock", "the server's clock is ours"))
    return found


def _durable(told: Durability) -> list[Finding]:
    found = []
    if told.append_only is False:
        found.append(problem("server", "it keeps nothing when it stops (appendonly no)", "set appendonly yes"))
    if told.append_only is None:
        found.append(warning("server", "it does not tell whether it keeps its data", "see that appendonly is on"))
    if told.fsync == "no":
        found.append(problem("server", "it leaves it to chance when data are on disk", "set appendfsync everysec"))
    if told.cluster and told.fsync != "always":
        what = f"a cluster with appendfsync {told.fsync or 'unknown'}"
        mend = "set appendfsync always: nodes must not fall back to different moments"
        found.append(warning("server", what, mend))
    if told.eviction not in (None, "noeviction"):
        what = f"it throws data away when memory is short (maxmemory-policy {told.eviction})"
        found.append(problem("server", what, "set maxmemory-policy noeviction"))
    return found or [ok("server", f"version {told.version}, append-only, nothing is evicted")]


def check_files(look: Look) -> list[Finding]:
    """Whether others can read the home."""
    found = []
    for path in (look.home.root, look.home.keys, look.home.index, look.home.logs, look.home.kernels):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077 and (path != look.home.root or mode & 0o022):
            found.append(problem("files", f"{path} is open to other accounts ({mode:o})", f"chmod 700 {path}"))
    for path in (look.home.database, *_files(look.home.keys)):
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            found.append(problem("files", f"{path} is open to other accounts", f"chmod 600 {path}"))
    return found or [ok("files", "only this account may read keys and database")]


def check_disk(look: Look) -> list[Finding]:
    """Whether there is room to write."""
    free = shutil.disk_usage(look.home.root).free
    if free < _GIB:
        return [problem("disk", f"{free >> 20} MiB are free", "make room: a full disk stops the recorder")]
    return [ok("disk", f"{free / _GIB:.0f} GiB are free")]


def check_lists(look: Look) -> list[Finding]:
    """Whether there is anything to match against, and how old it is."""
    if look.db is None:
        return []
    rows = [row for row in lists.all_lists(look.db) if row.enabled and row.kind == "block"]
    if not rows:
        return [problem("lists", "no hash list is enabled: campaigns refuse to start", "run `vangnet hashes import`")]
    newest = look.db.value("SELECT max(imported_at) FROM list_versions") or 0.0
    if look.now - newest > _OLD_LIST:
        return [warning("lists", f"the newest list came in at {iso(newest)}", "import current versions")]
    return [ok("lists", f"{len(rows)} enabled, the newest from {iso(newest)}")]


def check_data(look: Look) -> list[Finding]:
    """How old the address tables are."""
    today = datetime.datetime.fromtimestamp(look.now, datetime.UTC).date()
    found = data_status(look.home, today=today)
    return [
        warning("data", text, "run `vangnet data update`, or load current tables") for text in found["warnings"]
    ] or [ok("data", f"{len(found['tables'])} address tables, none of them old")]


def check_people(look: Look) -> list[Finding]:
    """Whether acts are tied to people."""
    if look.db is None or look.home.lab:
        return []
    if not anyone_has_a_role(look.db):
        what = "nobody is registered: whoever owns this account may do everything"
        return [warning("people", what, "run `vangnet users add NAME --role R`; notices take two people")]
    return [ok("people", "acts are tied to people and their roles")]


def check_browser(look: Look) -> list[Finding]:
    """Whether pages that need a browser can be rendered, and with which of its walls."""
    reason = unavailable(Path(look.options.render_directory or MEMORY))
    if reason is not None:
        return [warning("browser", f"pages made by script are not rendered: {reason}", "see docs/rendering.md")]
    without = weakness()
    if without is not None:
        return [warning("browser", without, "allow user namespaces (user.max_user_namespaces)")]
    return [ok("browser", f"{program()}, off the network and in its sandbox")]


def check_schedule(look: Look) -> list[Finding]:
    """Whether anything runs by itself, and how it went."""
    if look.db is None:
        return []
    planned = [each for each in schedules.schedules(look.db) if not each.paused]
    found = []
    if not any(each.campaign for each in planned):
        found.append(
            warning("schedule", "no crawl is planned", "run `vangnet schedule add NAME --campaign C --cron …`")
        )
    for each in planned:
        (last,) = schedules.history(look.db, each.name, 1) or (None,)
        if last and last["result"] in ("failed", "missed", "interrupted"):
            what = f"{each.name}: the run planned at {last['planned_at']} was {last['result']}"
            mend = "see `vangnet schedule list --json`; a timer or `schedule loop` has to be running"
            found.append(warning("schedule", what, mend))
    return found or [ok("schedule", f"{len(planned)} planned")]


def check_notices(look: Look) -> list[Finding]:
    """Whether notices can leave, and what became of them."""
    found: list[Finding] = []
    try:
        issuer_of(look.options)
    except VangnetError as error:
        found.append(warning("notices", str(error), "set it in /etc/vangnet/environment or the settings module"))
    if not (look.options.smtp_host or look.options.outbox or look.home.lab):
        mend = "set VANGNET_SMTP_HOST or VANGNET_OUTBOX"
        found.append(warning("notices", "they have no way out yet", mend))
    if look.db is not None:
        db = look.db
        shown = [notice_json(db, row) for row in notices.all_notices(db) if row.state not in ("draft", "withdrawn")]
        doubtful = [row for row in shown if row["state"] in ("doubt", "sending")]
        turned_away = [row for row in shown if row["state"] == "approved" and row["attempts"]]
        for what, chosen, mend in (
            ("in doubt", doubtful, "`vangnet notices resolve`"),
            ("not taken by the mail server yet", turned_away, "`vangnet notices send` says why"),
            ("overdue", [row for row in shown if row["overdue"]], "`vangnet notices draft --again`"),
            ("bounced", [row for row in shown if row["bounced"]], "find another contact"),
        ):
            if chosen:
                found.append(warning("notices", f"{len(chosen)} {what}: {chosen[0]['id']} …", mend))
    return found or [ok("notices", "they can leave, and none is in doubt or overdue")]


def check_record(look: Look) -> list[Finding]:
    """Whether somebody else could tell that the end of the audit record was cut off."""
    kept = look.options.audit_heads
    if not kept:
        what = "no head is kept outside of the home: nobody could tell that its end was cut off"
        mend = "set VANGNET_AUDIT_HEADS to a directory of the auditor's"
        return [] if look.home.lab else [warning("record", what, mend)]
    if look.db is None:
        return []
    found = heads.read(Path(kept), audit.public_key(look.db))
    newest = max((path.stat().st_mtime for path in Path(kept).glob("head-*.json")), default=0.0)
    if audit.head(look.db) is not None and look.now - newest > _OLD_HEAD:
        mend = "see that `vangnet recorder` runs, or run `vangnet audit head` every day"
        return [problem("record", f"{len(found)} heads, and none of the last two days", mend)]
    return [ok("record", f"{len(found)} heads in {kept}")]


def _files(directory: Path) -> list[Path]:
    return [path for path in directory.iterdir() if path.is_file()]


CHECKS: Final[tuple[Check, ...]] = (
    check_files,
    check_disk,
    check_people,
    check_lists,
    check_data,
    check_server,
    check_open_files,
    check_network,
    check_nameservers,
    check_browser,
    check_schedule,
    check_notices,
    check_record,
    check_alerts,
)
"""What `vangnet doctor` looks at, in this order."""
