"""Bar charts as SVG, drawn on the server: no script, no style inside, colours by class so that both modes fit."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

from integration_assets.web.languages import Language

WIDTH: Final = 720
HEIGHT: Final = 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 8, 12, 28
_MOST_LABELS: Final = 10


@dataclass(frozen=True)
class Chart:
    """Series of whole numbers, stacked, one value for each label: name -> (its text, its values)."""

    name: str
    title: str
    labels: Sequence[str]
    series: Mapping[str, tuple[str, Sequence[int]]]

    def totals(self) -> list[int]:
        """The height of each stack."""
        return [sum(column) for column in zip(*(values for _, values in self.series.values()), strict=True)]


def bars(chart: Chart, language: Language) -> Markup:
    """The chart as an SVG element with title and description, for eyes and for readers."""
    totals = chart.totals()
    top = round_up(max(totals, default=0))
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(totals))
    scale = (HEIGHT - _TOP - _BOTTOM) / top
    labels = [escape(label) for label in chart.labels]
    heights = [0.0] * len(totals)
    parts: list[str] = []
    for number, (text, values) in enumerate(chart.series.values(), 1):
        colour, name = number if len(chart.series) > 1 else chart.name, escape(text)
        for place, value in enumerate(values):
            if value > 0:
                height = value * scale
                heights[place] += height
                parts.append(
                    f'<rect class="bar bar-{colour}" x="{_LEFT + place * step + step * 0.1:.1f}" '
                    f'y="{HEIGHT - _BOTTOM - heights[place]:.1f}" width="{step * 0.8:.1f}" height="{height:.1f}">'
                    f"<title>{labels[place]}: {language.number(value)} {name}</title></rect>"
                )
    about = language.t("trend.description", largest=language.number(max(totals, default=0)), days=len(totals))
    return Markup(
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-labelledby="{chart.name}-title {chart.name}-about"><title id="{chart.name}-title">{escape(chart.title)}'
        f'</title><desc id="{chart.name}-about">{escape(about)}</desc>{_axis(top, scale, language)}'
        f"{''.join(parts)}{_labels(labels, step)}</svg>"
    )


def round_up(value: int) -> int:
    """The next number above that an axis ends with: 1, 2 or 5 times a power of ten, and four at least."""
    if value <= 4:
        return 4
    power = 10 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value)


def _axis(top: int, scale: float, language: Language) -> str:
    lines: list[str] = []
    for quarter in range(5):
        value = top * quarter / 4
        y = f"{HEIGHT - _BOTTOM - value * scale:.1f}"
        lines.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
        if value == int(value):
            text = language.number(value)
            lines.append(f'<text class="tick" x="{_LEFT - 8}" y="{y}" dy="4" text-anchor="end">{text}</text>')
    return "".join(lines)


def _labels(labels: Sequence[str], step: float) -> str:
    every = max(1, math.ceil(len(labels) / _MOST_LABELS))
    return "".join(
        f'<text class="tick" text-anchor="middle" x="{_LEFT + place * step + step / 2:.1f}" y="{HEIGHT - 8}">{label}'
        "</text>"
        for place, label in enumerate(labels)
        if place % every == 0
    )
