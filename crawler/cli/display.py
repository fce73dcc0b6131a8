"""What a person sees of a crawl: a live display on stderr while it runs, a summary on stdout at the end."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from crawler.service.accounting import CrawlSummary
from crawler.service.crawl import Progress

_LOG_EVERY = 5.0
_REASONS = 6


class CrawlDisplay:
    """A context manager. On a terminal it redraws in place; elsewhere it writes a line every five seconds."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)
        self._logged = 0.0
        self._before: tuple[float, int] = (0.0, 0)
        self._rate = 0.0

    def __enter__(self) -> CrawlDisplay:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def update(self, progress: Progress) -> None:
        """Show where the run stands."""
        self._measure(progress)
        if self._console.is_terminal:
            self._live.update(self._panel(progress))
        elif time.monotonic() - self._logged >= _LOG_EVERY:
            self._logged = time.monotonic()
            self._console.print(self._line(progress), highlight=False, soft_wrap=True)

    def note(self, line: str) -> None:
        """A line that stays, about what is done beside crawling."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _measure(self, progress: Progress) -> None:
        ended = _ended(progress)
        at, count = self._before
        if progress.seconds - at >= 1.0:
            self._rate = (ended - count) / (progress.seconds - at)
            self._before = (progress.seconds, ended)

    def _line(self, progress: Progress) -> str:
        counts, tally = progress.counts, progress.counts.tally
        return (
            f"{progress.run} {progress.seconds:6.0f} s: {_ended(progress)} of {counts.discovered} URLs, "
            f"{tally.get('images', 0)} images, {tally.get('hits', 0)} hits, "
            f"{sum(counts.failed.values())} failed, {self._rate:.0f}/s{_held(progress)}"
        )

    def _panel(self, progress: Progress) -> Group:
        counts, tally = progress.counts, progress.counts.tally
        table = Table.grid(padding=(0, 2))
        rows = (
            ("pages", tally.get("pages", 0)),
            ("images", tally.get("images", 0)),
            ("hits", tally.get("hits", 0)),
            ("URLs ended", f"{_ended(progress)} of {counts.discovered}"),
            ("rate", f"{self._rate:.0f} URLs/s"),
            ("waiting", sum(counts.waiting.values())),
        )
        for name, value in rows:
            table.add_row(Text(name, style="dim"), str(value))
        return Group(
            Text(f"{progress.run}  {progress.seconds:.0f} s{_held(progress)}", style="bold"),
            table,
            _reasons("failed", counts.failed),
            _reasons("skipped", counts.skipped),
        )


def print_summary(summary: CrawlSummary) -> None:
    """The end of a crawl, for people."""
    console = Console()
    urls = summary.urls
    table = Table(title=f"{summary.run}", title_justify="left", show_header=False, box=None, padding=(0, 2))
    table.add_row("URLs discovered", str(urls["discovered"]))
    table.add_row("  fetched", str(urls["fetched"]))
    for name in ("failed", "skipped"):
        table.add_row(f"  {name}", str(sum(urls[name].values())))
        for reason, n in sorted(urls[name].items(), key=lambda item: -item[1]):
            table.add_row(Text(f"    {reason}", style="dim"), str(n))
    if urls["pending"]:
        table.add_row("  pending", str(urls["pending"]))
    if "rendered" in summary.notes:
        table.add_row("pages rendered by a browser", str(summary.notes["rendered"]))
    if "pointer:pages" in summary.notes:
        table.add_row("pages read for links only", str(summary.notes["pointer:pages"]))
    table.add_row("images looked at", str(summary.images))
    for name, shown in (("unchanged", "images unchanged"), ("digested", "files hashed")):
        if summary.notes.get(name):
            table.add_row(shown, str(summary.notes[name]))
    table.add_row("hits", str(summary.hits))
    table.add_row("matches in them", str(summary.matches))
    table.add_row("seconds", f"{summary.seconds:.1f}")
    console.print(table)
    if summary.interrupted:
        console.print("interrupted: the same command resumes this run", style="yellow")


def _held(progress: Progress) -> str:
    """What is still to come, and what keeps the crawl from going on."""
    seeds = "" if progress.seeds is None else f", {progress.seeds:,} seeds read"
    stops = f", {progress.stops} emergency stops in force" if progress.stops else ""
    return f"{seeds}{', paused' if progress.paused else ''}{stops}"


def _ended(progress: Progress) -> int:
    return progress.counts.discovered - progress.counts.pending


def _reasons(title: str, reasons: dict[str, int]) -> Text:
    if not reasons:
        return Text(f"{title}: none", style="dim")
    top = sorted(reasons.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{reason} {n}" for reason, n in top[:_REASONS])
    more = f" and {len(top) - _REASONS} more" if len(top) > _REASONS else ""
    return Text(f"{title}: {shown}{more}", style="dim")
