"""A picture of how well addresses were found, for an asset's page: a bar per category and per reason of rejection."""

import base64
from collections.abc import Mapping
from html import escape
from typing import Final

import dagster as dg
import polars as pl

_CATEGORIES: Final = (
    ("A", "as the register writes it", "#2a9d55"),
    ("B", "written differently, certain", "#8bc34a"),
    ("H", "only the house is certain", "#f2b134"),
    ("C", "not certain", "#d1495b"),
)
_WIDTH: Final = 560
_ROW: Final = 22
_LABEL: Final = 250
_REASON_COLOUR: Final = "#6c7a89"


def address_chart(rows: pl.DataFrame, rejections: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """The shares of the categories of `rows` (column category), and the rejections by their column reason, as a
    picture in Markdown."""
    categories = dict(rows.group_by("category").len().iter_rows())
    reasons = dict(rejections.group_by("reason").len().sort("reason").iter_rows())
    bars = [(f"{name}: {says}", categories.get(name, 0), colour) for name, says, colour in _CATEGORIES]
    bars += [(f"rejected: {reason}", number, _REASON_COLOUR) for reason, number in reasons.items()]
    told = ", ".join(f"{label} {number}" for label, number, _ in bars)
    picture = base64.b64encode(_svg(bars).encode()).decode()
    return dg.MetadataValue.md(f"![{escape(told)}](data:image/svg+xml;base64,{picture})")


def _svg(bars: list[tuple[str, int, str]]) -> str:
    """Horizontal bars, the longest as wide as there is room."""
    most = max([number for _, number, _ in bars] + [1])
    room = _WIDTH - _LABEL - 70
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_ROW * len(bars) + 8}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_ROW * len(bars) + 8}" fill="white"/>',
    ]
    for row, (label, number, colour) in enumerate(bars):
        top = 4 + row * _ROW
        width = round(room * number / most)
        parts += [
            f'<text x="4" y="{top + 14}">{escape(label)}</text>',
            f'<rect x="{_LABEL}" y="{top + 3}" width="{width}" height="{_ROW - 8}" fill="{colour}"/>',
            f'<text x="{_LABEL + width + 6}" y="{top + 14}">{number:,}</text>',
        ]
    return "".join([*parts, "</svg>"])


def category_counts(rows: pl.DataFrame) -> Mapping[str, int]:
    """How many rows there are, and of each category and method, by the names that the journal keeps them under."""
    counts = {"rows": rows.height}
    for column, prefix in (("category", "category"), ("method", "by")):
        for value, number in rows.group_by(column).len().sort(column).iter_rows():
            counts[f"{prefix}_{value}"] = number
    return counts
