"""The worklist: what waits for a person, found by what she knows, and the actions that take it off the list."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, cast
from urllib.parse import urlencode

from starlette.responses import Response, StreamingResponse

from integration_assets.cache.washing_store import NoWashingIndex
from integration_assets.cache.worklist import MOST_COUNTED, Acknowledged, Filter
from integration_assets.cache.worklist_position import Position
from integration_assets.cache.worklist_rows import Item, Kind
from integration_assets.flows.address_cases import address_case
from integration_assets.flows.address_decisions import DecisionRefused, decide
from integration_assets.web.forms import day, is_personal, line, remark
from integration_assets.web.languages import COPENHAGEN, LIST_SEPARATORS
from integration_assets.web.rendering import masked
from integration_assets.web.visits import Visit

PAGE_SIZE: Final = 50
_KINDS: Final = ("rejection", "delivery")
_AGES: Final = ("1", "7", "30", "90")
_FIELDS: Final = ("kind", "reason", "asset", "area", "number", "older", "acknowledged", "order")
_COLUMNS: Final = (
    "kind", "reason", "asset", "customer_number", "installation_number", "areas", "since", "attempts", "next_attempt",
    "text",
)  # fmt: skip
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def worklist(visit: Visit) -> Response:
    """A page of the list, by the filter of the address."""
    wanted, given = _filter(visit)
    page = visit.site.cache.worklist.page(wanted, visit.now, PAGE_SIZE, **_place(visit))
    acknowledged = _acknowledged(visit, page.items) if wanted.acknowledged != "no" else {}

    def address(**more: str) -> str:
        return f"/worklist?{urlencode({**given, **more})}"

    return visit.render(
        "worklist.html",
        items=page.items,
        acknowledged=acknowledged,
        given=given,
        reasons=visit.site.cache.worklist.reasons(),
        most=MOST_COUNTED,
        ages=_AGES,
        back=address(before=page.start.text()) if page.before else None,
        on=address(after=page.end.text()) if page.after else None,
        first=address(),
        export=f"/worklist.csv?{urlencode(given)}",
        age=lambda item: _age(visit, item),
    )


def choose(visit: Visit) -> Response:
    """Turns the form of the filter into an address that can be kept; personal numbers never get there."""
    if is_personal(line(visit.form, "number")):
        return visit.go("/worklist", notice="personal_number")
    given = {name: text for name in _FIELDS if (text := line(visit.form, name)) is not None}
    return visit.go("/worklist", **given)


def export(visit: Visit) -> Response:
    """All items of the filter as CSV, a line as soon as it is read."""
    wanted, _ = _filter(visit)
    headers = {"Content-Disposition": 'attachment; filename="worklist.csv"'}
    return StreamingResponse(_csv(visit, wanted), headers=headers, media_type="text/csv; charset=utf-8")


def item(visit: Visit) -> Response:
    """One item: what is wrong, what was tried, when it is tried again, and what can be done."""
    found = _asked(visit)
    if found is None:
        return visit.message(404, "no_item")
    return _shown(visit, found)


def act(visit: Visit) -> Response:
    """Carries out the action that the form names."""
    found = _asked(visit)
    if found is None:
        return visit.message(404, "no_item")
    actions = {"retry": _retry, "decide": _decide, "acknowledge": _acknowledge, "withdraw": _withdraw}
    action = actions.get(visit.form.get("action", ""))
    return visit.message(400, "form") if action is None else action(visit, found)


def _shown(visit: Visit, found: Item, *, status: int = 200, refused: str | None = None) -> Response:
    cache = visit.site.cache
    history = cache.acknowledgements.history(found.kind, found.key)
    return visit.render(
        "item.html",
        status=status,
        item=found,
        case=address_case(cache, found),
        history=history,
        standing=next((each for each in history if each.holds(visit.now)), None),
        refused=refused,
        age=_age(visit, found),
        last_run=_last_run(visit, found),
        tomorrow=(visit.now + timedelta(days=1)).date(),
    )


def _age(visit: Visit, found: Item) -> str:
    """How long an item has waited: rejections by business days, deliveries by the clock."""
    if found.kind == "rejection":
        waited = visit.site.today() - found.since.date()
        return visit.language.age(waited) if waited.days > 0 else visit.language.t("age.today")
    return visit.language.age(visit.now - found.since)


def _retry(visit: Visit, found: Item) -> Response:
    done = visit.site.cache.worklist.retry(found.kind, found.key, visit.site.today())
    return visit.go(visit.request.url.path, notice="retried" if done else "not_retried")


def _decide(visit: Visit, found: Item) -> Response:
    """Remembers what an address text means, and has the rejection tried again at once."""
    site = visit.site
    case = address_case(site.cache, found)
    chosen = visit.form.get("address", "")
    if chosen == "other":
        chosen = line(visit.form, "other") or ""
    if case is None or not chosen:
        return _shown(visit, found, status=400, refused=visit.language.t("decide.nothing_chosen"))
    try:
        decide(
            site.cache.washings,
            site.washing.index(),
            case.kind,
            case.text,
            None if chosen == "none" else chosen,
            by=visit.who.name,
            note=remark(visit.form, "note"),
            now=visit.now,
        )
    except (DecisionRefused, NoWashingIndex) as error:
        return _shown(visit, found, status=400, refused=str(error))
    site.cache.worklist.retry(found.kind, found.key, site.today())
    return visit.go(visit.request.url.path, notice="decided")


def _acknowledge(visit: Visit, found: Item) -> Response:
    reason = remark(visit.form, "reason")
    until = day(visit.form, "until")
    if reason is None:
        return _shown(visit, found, status=400, refused=visit.language.t("acknowledge.no_reason"))
    if visit.form.get("until") and (until is None or until <= visit.now.date()):
        return _shown(visit, found, status=400, refused=visit.language.t("acknowledge.bad_day"))
    visit.site.cache.acknowledgements.give(
        found.kind, found.key, by=visit.who.name, reason=reason, now=visit.now, until=_end_of(until)
    )
    return visit.go(visit.request.url.path, notice="acknowledged")


def _withdraw(visit: Visit, found: Item) -> Response:
    visit.site.cache.acknowledgements.withdraw(found.kind, found.key, by=visit.who.name, now=visit.now)
    return visit.go(visit.request.url.path, notice="withdrawn")


def _asked(visit: Visit) -> Item | None:
    """The item that the address names."""
    parameters = visit.request.path_params
    kind, key = parameters["kind"], parameters["key"]
    if kind not in _KINDS or not key.isprintable():
        return None
    return visit.site.cache.worklist.item(cast("Kind", kind), key)


def _filter(visit: Visit) -> tuple[Filter, dict[str, str]]:
    """What the address asks for, and its fields as they are put into further addresses."""
    given = {name: text for name in _FIELDS if (text := line(visit.query, name)) is not None}
    if is_personal(given.get("number")):
        del given["number"]
    if given.get("kind") not in _KINDS:
        given.pop("kind", None)
    if given.get("older") not in _AGES:
        given.pop("older", None)
    older = given.get("older")
    acknowledged = given.get("acknowledged", "no")
    return (
        Filter(
            kind=cast("Kind | None", given.get("kind")),
            reason=given.get("reason"),
            asset=given.get("asset"),
            area=given.get("area"),
            number=given.get("number"),
            until=None if older is None else visit.site.today() - timedelta(days=int(older)),
            acknowledged=cast("Acknowledged", acknowledged if acknowledged in ("yes", "any") else "no"),
            newest_first=given.get("order") == "newest",
        ),
        given,
    )


def _place(visit: Visit) -> dict[str, Position]:
    """From where on, or up to where, the address asks; what is no place is the beginning."""
    for name in ("after", "before"):
        if name in visit.query:
            try:
                return {name: Position.parse(visit.query[name])}
            except ValueError:
                return {}
    return {}


def _acknowledged(visit: Visit, items: Any) -> dict[tuple[str, str], Any]:
    """The acknowledgements that hold of the items of a page, by kind and key."""
    found: dict[tuple[str, str], Any] = {}
    for kind in _KINDS:
        keys = [each.key for each in items if each.kind == kind]
        if keys:
            holding = visit.site.cache.acknowledgements.holding(cast("Kind", kind), visit.now, keys)
            found |= {(kind, key): given for key, given in holding.items()}
    return found


@dataclass(frozen=True)
class LastRun:
    """The last step that worked on an item's asset and area: its run, when it ended, and its counts."""

    run_id: str
    ended_at: datetime
    counts: Mapping[str, int]


def _last_run(visit: Visit, found: Item) -> LastRun | None:
    row = visit.site.cache.journal.last(found.asset, found.areas)
    return None if row is None else LastRun(row["run_id"], row["ended_at"], row["counts"])


def _end_of(until: date | None) -> datetime | None:
    """The end of a day in Denmark."""
    return None if until is None else datetime.combine(until + timedelta(days=1), datetime.min.time(), COPENHAGEN)


def _csv(visit: Visit, wanted: Filter) -> Iterator[str]:
    language = visit.language
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=LIST_SEPARATORS[language.code], lineterminator="\r\n")

    def written(cells: list[str]) -> str:
        writer.writerow([neutral(cell) for cell in cells])
        text = buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        return text

    # The mark at the beginning tells spreadsheets that it is UTF-8.
    yield "\ufeff" + written([language.t(f"column.{name}") for name in _COLUMNS])
    for found in visit.site.cache.worklist.all(wanted, visit.now):
        yield written(
            [
                language.t(f"kind.{found.kind}"),
                language.named("reason", found.reason),
                found.asset,
                masked(found.customer_number) if found.customer_number else "",
                masked(found.installation_number) if found.installation_number else "",
                " ".join(found.areas),
                found.since.date().isoformat(),
                str(found.attempts),
                "" if found.next_attempt is None else found.next_attempt.isoformat(),
                masked(found.text),
            ]
        )


def neutral(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula (CSV injection): an apostrophe before what begins like one."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
