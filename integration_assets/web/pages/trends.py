"""Trends: what runs did on the last days, as charts that are drawn here, each with its figures as a table."""

from typing import Final

from starlette.responses import Response

from integration_assets.cache.trends import OUTCOMES
from integration_assets.web.charts import Chart, bars
from integration_assets.web.visits import Visit

_SPANS: Final = ("7", "30", "90")


def trends(visit: Visit) -> Response:
    """The charts of the last 7, 30 or 90 days."""
    span = visit.query.get("days", "")
    span = span if span in _SPANS else "30"
    language = visit.language
    days = visit.site.trends.last(int(span), visit.now)
    series = {
        "delivered": {name: [day.delivered[name] for day in days] for name in OUTCOMES if name != "failed"},
        "failed": {"failed": [day.delivered["failed"] for day in days]},
        "rejected": {"rejected": [day.rejected for day in days]},
        "runs": {"runs": [day.runs for day in days]},
        "minutes": {"minutes": [round(day.seconds / 60) for day in days]},
    }
    charts = [
        Chart(
            name=name,
            title=language.t(f"trend.{name}"),
            labels=[language.short_day(day.day) for day in days],
            series={each: (language.t(f"series.{each}"), values) for each, values in lines.items()},
        )
        for name, lines in series.items()
    ]
    drawn = [(chart, bars(chart, language)) for chart in charts]
    return visit.render("trends.html", charts=drawn, span=span, spans=_SPANS)
