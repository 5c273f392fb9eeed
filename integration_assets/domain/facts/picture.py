"""The slices of an installation as a picture: one lane per operand, years across, inactive slices dashed."""

from collections.abc import Mapping, Sequence
from datetime import date
from html import escape
from typing import Any, Final

from integration_assets.domain.facts.days import INFINITY

_LABELS, _WIDTH, _LANE, _TOP = 150, 900, 26, 24
_BEYOND: Final = 365
"""Days that are shown after the last bound for what has no end."""

_COLOURS: Final = {"CONSTANT": "#7b9acc", "PARAMETER": "#76b39d", "VIRTUAL": "#c9a66b", "MANUAL": "#b58bb0"}


def picture(rows: Sequence[Mapping[str, Any]]) -> str:
    """An SVG document of rows of the exchange format; an empty picture where there are none."""
    lanes = sorted({_lane(row) for row in rows})
    bounds = [date.fromisoformat(row[name]) for row in rows for name in ("ab", "bis")]
    known = [day for day in bounds if day != INFINITY] or [date(2000, 1, 1)]
    first, last = min(known).toordinal(), max(known).toordinal() + _BEYOND
    scale = _WIDTH / (last - first)
    height = _TOP + _LANE * len(lanes) + 8

    def across(day: date) -> float:
        return _LABELS + (min(day.toordinal(), last) - first) * scale

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LABELS + _WIDTH}" height="{height}" '
        'font-family="sans-serif" font-size="11">'
    ]
    for year in range(date.fromordinal(first).year + 1, date.fromordinal(last).year + 1):
        x = across(date(year, 1, 1))
        parts.append(f'<line x1="{x:.1f}" y1="{_TOP - 6}" x2="{x:.1f}" y2="{height}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.1f}" y="14" fill="#666">{year}</text>')
    for lane, name in enumerate(lanes):
        parts.append(f'<text x="4" y="{_TOP + lane * _LANE + 15}">{escape(name)}</text>')
    for row in rows:
        x, y = across(date.fromisoformat(row["ab"])), _TOP + lanes.index(_lane(row)) * _LANE
        width = max(1.0, across(date.fromisoformat(row["bis"])) - x + scale)
        parts.append(_bar(row, x, y, width))
    return "\n".join([*parts, "</svg>"])


def _bar(row: Mapping[str, Any], x: float, y: int, width: float) -> str:
    colour = _COLOURS.get(row["binding"], "#999999")
    look = f'fill="none" stroke="{colour}" stroke-dasharray="4 3"' if row["inactive"] else f'fill="{colour}"'
    told = f"{row['ab']} – {row['bis']}: {row['value']} ({row['binding']}, {row['contract']}, {row['process']})"
    return (
        f'<g><title>{escape(told)}</title><rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_LANE - 8}" {look}/>'
        f'<text x="{x + 3:.1f}" y="{y + 13}">{escape(str(row["value"]))}</text></g>'
    )


def _lane(row: Mapping[str, Any]) -> str:
    season = row.get("season")
    return f"{row['operand']} {season}" if season else row["operand"]
