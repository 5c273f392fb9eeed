"""The widget: the state of the interactions of one folder or of all, as the supervision process wrote it down.

It only reads. What is told beside the row is its age, and that it is stale where the process has stopped. An operator
may have the process run at once, which sends no mail, and acknowledge alarms.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from integration_assets.domain.supervision.interactions import PAUSED, STALE, Interactions
from integration_assets.flows.supervision import Means, refresh
from integration_assets.web.forms import line, remark
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
    cache = visit.site.cache
    alarms = [] if wall else cache.alarms.open(folder)
    return visit.render(
        "overview.html",
        status=404 if folder is not None and not cards else 200,
        cards=cards,
        folder=folder,
        wall=wall,
        alarms=alarms,
        acknowledged=cache.acknowledgements.holding("alarm", visit.now, [alarm.key for alarm in alarms]),
    )


def widget(visit: Visit) -> Response:
    """The widget alone, for the script that refreshes it."""
    return visit.render("widget.html", cards=_cards(visit, line(visit.query, "folder")))


def refresh_now(visit: Visit) -> Response:
    """Runs the supervision process by hand, of one folder or of all that the settings name; it sends no mail."""
    site, name = visit.site, line(visit.form, "folder")
    means = Means.of(site.settings, site.cache)
    for folder in site.settings.supervision_folders:
        if name in (None, folder.name):
            refresh(means, folder, visit.now, mail=False, today=site.today())
    return visit.go("/", folder=name, notice="refreshed")


def acknowledge(visit: Visit) -> Response:
    """Takes note of an alarm, or takes that back."""
    book, key = visit.site.cache.acknowledgements, str(visit.request.path_params["alarm"])
    if visit.form.get("action") == "withdraw":
        book.withdraw("alarm", key, by=visit.who.name, now=visit.now)
        return visit.go("/", notice="withdrawn")
    reason = remark(visit.form, "reason")
    if reason is None:
        return visit.go("/", notice="no_reason")
    if key not in {alarm.key for alarm in visit.site.cache.alarms.open()}:
        return visit.message(404, "no_item")
    book.give("alarm", key, by=visit.who.name, reason=reason, now=visit.now)
    return visit.go("/", notice="acknowledged")


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
