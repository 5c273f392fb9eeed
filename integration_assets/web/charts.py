"""Bar charts as SVG, drawn on the server: no script, no style inside, colours by class so that both modes fit."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

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
    inner = WIDTH - _LEFT - _RIGHT
    step = inner / max(1, len(totals))
    scale = (HEIGHT - _TOP - _BOTTOM) / top
    parts = [_axis(top, scale, language)]
    heights = [0.0] * len(totals)
    for number, (text, values) in enumerate(chart.series.values(), 1):
        for place, value in enumerate(values):
            if value <= 0:
                continue
            height = value * scale
            heights[place] += height
            tip = Markup("<title>{}: {} {}</title>").format(chart.labels[place], language.number(value), text)
            parts.append(
                Markup('<rect class="bar bar-{}" x="{}" y="{}" width="{}" height="{}">{}</rect>').format(
                    number if len(chart.series) > 1 else chart.name,
                    _short(_LEFT + place * step + step * 0.1),
                    _short(HEIGHT - _BOTTOM - heights[place]),
                    _short(step * 0.8),
                    _short(height),
                    tip,
                )
            )
    parts.append(_labels(chart.labels, step))
    largest = language.t("trend.description", largest=language.number(max(totals, default=0)), days=len(totals))
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-labelledby="{}-title {}-about">'
        '<title id="{}-title">{}</title><desc id="{}-about">{}</desc>{}</svg>'
    ).format(
        *(WIDTH, HEIGHT, chart.name, chart.name),
        *(chart.name, chart.title, chart.name, largest, Markup("").join(parts)),
    )


def round_up(value: int) -> int:
    """The next number above that an axis ends with: 1, 2 or 5 times a power of ten, and four at least."""
    if value <= 4:
        return 4
    power = 10 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value)


def _axis(top: int, scale: float, language: Language) -> Markup:
    lines: list[Markup] = []
    for quarter in range(5):
        value = top * quarter / 4
        y = _short(HEIGHT - _BOTTOM - value * scale)
        lines.append(Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(_LEFT, WIDTH - _RIGHT, y, y))
        if value == int(value):
            text = language.number(value)
            lines.append(Markup('<text class="tick" x="{}" y="{}" dy="4" text-anchor="end">{}</text>').format(
                _LEFT - 8, y, text))  # fmt: skip
    return Markup("").join(lines)


def _labels(labels: Sequence[str], step: float) -> Markup:
    every = max(1, math.ceil(len(labels) / _MOST_LABELS))
    return Markup("").join(
        Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(
            _short(_LEFT + place * step + step / 2), HEIGHT - 8, label
        )
        for place, label in enumerate(labels)
        if place % every == 0
    )


def _short(value: float) -> str:
    return f"{value:.1f}"
