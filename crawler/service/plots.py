"""Plots as SVG, drawn in code: no script, no font from elsewhere, readable in black and white too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any, Final

WIDTH: Final = 760
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 24, 44
_INK, _SOFT, _GRID, _DOUBT = "#16324f", "#5b6b7a", "#dde4ea", "#b9cfe0"
_MARK: Final = "#b3541e"
_ROW: Final = 30
_NAME: Final = 210
_NICE: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


def curve(steps: Sequence[dict[str, Any]], noticed: int, *, horizon: float, followed: float) -> str:
    """The share that remains, over hours; the pale boxes are where a removal lies between two visits.

    followed: hours after a delivery at which any hit was looked at last; the line ends there, for it knows no more.
    """
    height = 320
    most: float = max([horizon * 1.25, *(float(step["to_hours"]) * 1.08 for step in steps)])
    wide, high = WIDTH - _LEFT - _RIGHT, height - _TOP - _BOTTOM

    def x(hours: float) -> float:
        return _LEFT + wide * hours / most

    def y(share: float) -> float:
        return _TOP + high * (1.0 - share)

    parts = [_axis_y(x(most), y)]
    tick = _tick(most)
    parts += [_text(x(n * tick), height - _BOTTOM + 18, f"{n * tick:g}", "middle") for n in range(int(most / tick) + 1)]
    parts.append(_text(_LEFT + wide / 2, height - 6, "hours after the notice was delivered", "middle", _SOFT))
    parts.append(_line(x(horizon), _TOP, x(horizon), _TOP + high, _MARK, dash="4 4"))
    parts.append(_text(x(horizon) + 5, _TOP + 12, f"{horizon:g} h", "start", _MARK))
    share, at, path = 1.0, 0.0, [f"M{x(0):.1f} {y(1):.1f}"]
    for step in steps:
        left, right, low = x(step["from_hours"]), x(step["to_hours"]), y(step["remaining"])
        parts.append(_rect(left, y(share), max(right - left, 1.0), low - y(share), _DOUBT))
        path.append(f"H{right:.1f}V{low:.1f}")
        share, at = step["remaining"], step["to_hours"]
    end = min(max(at, followed), most)
    path.append(f"H{x(end):.1f}")
    parts.append(f'<path d="{"".join(path)}" fill="none" stroke="{_INK}" stroke-width="2.5"/>')
    if end < most:
        parts.append(f'<circle cx="{x(end):.1f}" cy="{y(share):.1f}" r="4" fill="{_INK}"/>')
        if end < most * 0.75:
            parts.append(_text(x(end) + 10, y(share) + 4, "no visit was later", "start", _SOFT))
    title = f"Share of {noticed} noticed hits that remains"
    return _svg(height, title, parts)


def shares(rows: Sequence[dict[str, Any]], *, horizon: float) -> str:
    """For each hoster the share removed within the horizon, with its interval; without a judged hit, a word instead."""
    height = _TOP + _ROW * max(len(rows), 1) + _BOTTOM
    wide = WIDTH - _NAME - 90

    def x(share: float) -> float:
        return _NAME + wide * share

    bottom = height - _BOTTOM
    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(_line(x(share), _TOP - 6, x(share), bottom, _GRID))
        parts.append(_text(x(share), bottom + 18, f"{share:.0%}", "middle"))
    parts.append(_text(_NAME + wide / 2, height - 6, f"removed within {horizon:g} h of delivery", "middle", _SOFT))
    for number, row in enumerate(rows):
        middle = _TOP + _ROW * number + _ROW / 2
        within = row["within"]
        parts.append(_text(_NAME - 10, middle + 4, _short(row["name"]), "end"))
        if within["share"] is None:
            parts.append(
                _text(
                    _NAME + 6,
                    middle + 4,
                    f"{within['pending']} not due yet, {within['undetermined']} not known",
                    "start",
                    _SOFT,
                )
            )
            continue
        parts.append(_line(x(within["low"]), middle, x(within["high"]), middle, _INK, width=2))
        for end in (within["low"], within["high"]):
            parts.append(_line(x(end), middle - 5, x(end), middle + 5, _INK, width=2))
        parts.append(f'<circle cx="{x(within["share"]):.1f}" cy="{middle}" r="5" fill="{_MARK}"/>')
        parts.append(_text(WIDTH - 6, middle + 4, f"{within['removed']} of {within['judged']}", "end"))
    return _svg(height, f"Share removed within {horizon:g} hours, by hoster", parts)


def ages(rows: Sequence[dict[str, Any]]) -> str:
    """Open hits by the age of their notice."""
    height = _TOP + _ROW * len(rows) + 16
    wide, most = WIDTH - _NAME - 60, max([1, *(row["hits"] for row in rows)])
    parts = []
    for number, row in enumerate(rows):
        top, long = _TOP + _ROW * number, wide * row["hits"] / most
        parts.append(_text(_NAME - 10, top + 18, row["age"], "end"))
        parts.append(_rect(_NAME, top + 4, max(long, 1.0), _ROW - 10, _INK if row["hits"] else _GRID))
        parts.append(_text(_NAME + long + 8, top + 18, str(row["hits"]), "start"))
    return _svg(height, "Open hits by the age of their notice", parts)


def _axis_y(right: float, y: Callable[[float], float]) -> str:
    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(_line(_LEFT, y(share), right, y(share), _GRID))
        parts.append(_text(_LEFT - 8, y(share) + 4, f"{share:.0%}", "end"))
    return "".join(parts)


def _tick(most: float) -> int:
    return next((step for step in _NICE if most / step <= 12), _NICE[-1])


def _short(text: str) -> str:
    return text if len(text) <= 26 else text[:25] + "…"


def _svg(height: float, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(title)}" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title>{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str, fill: str = _INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" font-size="13">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, stroke: str, *, width: float = 1, dash: str = "") -> str:
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}" stroke-width="{width}"'
        f"{dashed}/>"
    )


def _rect(x: float, y: float, width: float, height: float, fill: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}"/>'
