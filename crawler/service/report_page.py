"""The report as one self-contained HTML page: nothing is loaded, nothing runs."""

from __future__ import annotations

from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from crawler.service import plots

_MOST_BARS: Final = 25
_REASONS: Final = {
    "blocked": "the server does not answer us",
    "unreachable": "no answer",
    "expired": "the URLs were signed and have run out",
    "changed": "other pictures are there; people have to look",
    "unknown": "the answers could not be judged",
}


def page(report: dict[str, Any]) -> str:
    """The page of a report, as `crawler.service.report.make_report` gives it. Texts of strangers are escaped."""
    environment = Environment(
        loader=PackageLoader("crawler.service"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    totals, horizon = report["totals"], report["horizon_hours"]
    noticed = [row for row in report["hosters"] if row["noticed"]][:_MOST_BARS]
    # What `plots` draws has its texts escaped already.
    drawn = {
        "curve": plots.curve(report["curve"], totals["noticed"], horizon=horizon, followed=report["followed_hours"]),
        "shares": plots.shares(noticed, horizon=horizon) if noticed else "",
        "ages": plots.ages(report["open_by_age"]),
    }
    return environment.get_template("report.html").render(
        report=report,
        tiles=[
            ("Hits", totals["hits"]),
            ("Images", totals["images"]),
            ("Matches", totals["matches"]),
            ("Notices delivered", totals["notices"]),
            ("Hits noticed", totals["noticed"]),
            ("Removed", totals["removed"]),
            ("Moved", totals["moved"]),
            ("Still up", totals["still_up"]),
            ("Not settled", totals["unsettled"]),
            (f"Removed in {horizon} h", _share(totals["within"])),
        ],
        share=_share,
        hours=_hours,
        reasons=_REASONS,
        **{name: Markup(svg) for name, svg in drawn.items()},  # noqa: S704  our own drawing, escaped where it is drawn
    )


def _share(within: dict[str, Any]) -> str:
    return "–" if within["share"] is None else f"{within['share']:.0%} of {within['judged']}"


def _hours(hours: float | None) -> str:
    """Hours as people read them; a tenth of an hour says nothing of the first one."""
    if hours is None or hours >= 1.0:
        return "–" if hours is None else f"{hours:.1f} h"
    return f"{hours * 60.0:.0f} min" if hours * 60.0 >= 1.0 else "< 1 min"
