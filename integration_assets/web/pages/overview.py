"""The widget: the state of the interactions of one folder or of all, as the supervision process wrote it down.

It only reads. What is told beside the row is its age, and that it is stale where the process has stopped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from integration_assets.domain.supervision.interactions import PAUSED, STALE, Interactions
from integration_assets.web.forms import line
from integration_assets.web.languages import Language
from integration_assets.web.visits import Visit

_COUNTS: Final = (
    "syncs_today",
    "installations_today_not_ok",
    "installations_not_ok",
    "notifications_not_ok",
    "runs_with_rejections",
    "documents_not_ok",
)
_HARMLESS: Final = ("syncs_today",)


@dataclass(frozen=True)
class Indicator:
    """A number of the widget, under the key of its label; `bad`: it is to catch the eye."""

    name: str
    text: str
    bad: bool


@dataclass(frozen=True)
class Card:
    """One folder as it is shown. `level` is ok, warning, error, paused or stale, and decides the colour."""

    row: Interactions
    level: str
    state: str
    age: str
    indicators: Sequence[Indicator]


def overview(visit: Visit) -> Response:
    """The widget with its frame: `?folder=` one folder, `?wall=1` for a screen on the wall."""
    folder = line(visit.query, "folder")
    cards = _cards(visit, folder)
    wall = visit.query.get("wall") == "1"
    alarms = [] if wall else visit.site.cache.alarms.open(folder)
    status = 404 if folder is not None and not cards else 200
    return visit.render("overview.html", status=status, cards=cards, folder=folder, wall=wall, alarms=alarms)


def widget(visit: Visit) -> Response:
    """The widget alone, for the script that refreshes it."""
    return visit.render("widget.html", cards=_cards(visit, line(visit.query, "folder")))


def _cards(visit: Visit, folder: str | None) -> list[Card]:
    states = visit.site.cache.interactions
    rows = states.all() if folder is None else [row for row in [states.of(folder)] if row is not None]
    return [_card(visit, row) for row in rows]


def _card(visit: Visit, row: Interactions) -> Card:
    language, shown = visit.language, row.shown_state(visit.now)
    levels = {STALE: "stale", PAUSED: "paused"}
    # An alert outweighs whatever else is open: nothing arrives.
    level = levels.get(shown) or ("error" if shown != "Normal" else row.severity)
    return Card(
        row=row,
        level=level,
        state=_state(language, row, shown),
        age=language.age(visit.now - row.refreshed_at),
        indicators=[
            Indicator(name, language.number(value), name not in _HARMLESS and value > 0)
            for name in _COUNTS
            for value in [getattr(row, name)]
        ],
    )


def _state(language: Language, row: Interactions, shown: str) -> str:
    """The state in the reader's language; what the process wrote in another form is shown as it is."""
    if shown in (STALE, PAUSED):
        return language.t(f"state.{shown.lower()}")
    if shown == "Normal":
        return language.t("state.normal")
    if shown == f"Alerte > {row.alert_delay_min}":
        return language.t("state.alert", minutes=row.alert_delay_min)
    return shown
