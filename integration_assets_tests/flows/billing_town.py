"""A town of agreements that clerks change day by day, and the plain truth about the facts of its installations.

Only frames as the billing assets take them, nobody's names: places with one or two installations, meters of two types,
agreements that begin, end, are moved, annulled and put right, prices that rise. The truth is computed day by day with
loops and shares nothing with the product.
"""

import random
from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl

from integration_assets.cache.rejections import FOUND
from integration_assets.cache.store import Cache
from integration_assets.domain.facts.tariffs import book_of
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.tables import KMD_INSTALLATIONS
from integration_assets.flows.agreement_events import derive_events
from integration_assets.flows.installation_facts import carry_out_events

AREA = "8000"
FIRST = date(2025, 1, 1)
DAY = timedelta(days=1)
SMALL, BIG = "qp 0,6", "qp 2,5"
PRODUCT = {SMALL: "LILLE", BIG: "STOR"}
TYPE_CODE = {"LILLE": "T100", "STOR": "T200"}
ENERGY = {
    "LILLE": [(date.min, 0.5), (date(2025, 7, 1), 0.55), (date(2026, 1, 1), 0.6)],
    "STOR": [(date.min, 0.4), (date(2026, 1, 1), 0.45)],
}
BOOK = {
    "operands": [
        {"name": "ENERGIPRIS", "category": "QPRICE", "prodrel": "X"},
        {"name": "TARIFTYPE", "category": "RATETYPE", "prodrel": "X"},
        {"name": "ACONTO", "category": "AMOUNT", "conrel": "X"},
    ],
    "templates": [
        {"product": product, "operand": operand, "kind": kind, "ref": ref}
        for product in TYPE_CODE
        for operand, kind, ref in (
            ("ENERGIPRIS", "PARAMETER", "energi"),
            ("TARIFTYPE", "CONSTANT", TYPE_CODE[product]),
            ("ACONTO", "PARAMETER", "aconto"),
        )
    ],
    "prices": [
        *(
            {"product": product, "parameter": "energi", "valid_from": "" if day == date.min else day.isoformat(),
             "value": str(value)}
            for product, prices in ENERGY.items()
            for day, value in prices
        ),
        *({"product": product, "parameter": "aconto", "value": "1200"} for product in TYPE_CODE),
    ],
    "products": [{"product": "LILLE"}, {"product": "STOR", "meter_type": BIG}],
}  # fmt: skip


@dataclass
class Agreement:
    """A row of the billing system. `seen` are the periods that nights ever saw; `last_seen` is its period (None:
    annulled) and `meters` those of its place when a night saw it last: what vanished stays as it was known."""

    number: str
    place: int
    moved_in: date
    moved_out: date | None = None
    annulled: bool = False
    vanished: bool = False
    seen: set[tuple[date, date | None]] = field(default_factory=set)
    last_seen: tuple[date, date | None] | None = None
    meters: dict[str, list[list[object]]] = field(default_factory=dict)

    def holds(self, day: date) -> bool:
        if self.last_seen is None:
            return False
        first, after = self.last_seen
        return first <= day and (after is None or day < after)


@dataclass
class BillingTown:
    """The town, and how each day changes it."""

    places: int
    draw: random.Random
    agreements: list[Agreement] = field(default_factory=list)
    meters: dict[str, list[list[object]]] = field(default_factory=dict)
    place_of: dict[str, int] = field(default_factory=dict)
    overlapping: list[tuple[Agreement, date]] = field(default_factory=list)
    happened: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for place in range(self.places):
            for number in range(1 + (place % 3 == 0)):
                name = f"{place}{number}"
                self.place_of[name] = place
                self.meters[name] = [[self.draw.choice([SMALL, BIG]), FIRST - 900 * DAY, None]]
            start = FIRST - self.draw.randint(1, 500) * DAY
            self.agreements.append(Agreement(str(200000 + len(self.agreements)), place, start))

    def of_place(self, place: int) -> list[Agreement]:
        """Those that are not annulled, by their first days."""
        living = [one for one in self.agreements if one.place == place and not one.annulled]
        return sorted(living, key=lambda one: one.moved_in)

    def play(self, today: date) -> None:
        """A handful of things that happen on a day."""
        for one, until in list(self.overlapping):
            if today >= until:
                one.moved_out = min(
                    other.moved_in for other in self.of_place(one.place) if other.moved_in > one.moved_in
                )
                self.overlapping.remove((one, until))
        for _ in range(max(1, self.places // 10)):
            place = self.draw.randrange(self.places)
            if any(one.place == place for one, _until in self.overlapping):
                continue
            event = self.draw.choice(
                ["out", "out", "in", "in", "succeeded", "too_early", "other_end", "no_end", "earlier", "later", "annul",
                 "not_annulled", "meter", "meter", "meter_was_wrong", "vanish"]
            )  # fmt: skip
            if getattr(self, f"_{event}")(place, today):
                self.happened.add(event)

    def end_overlaps(self, today: date = date.max) -> None:
        """The move-outs are typed that should have been when the successor was."""
        for one, until in [pair for pair in self.overlapping if pair[1] <= today]:
            one.moved_out = min(other.moved_in for other in self.of_place(one.place) if other.moved_in > one.moved_in)
            self.overlapping.remove((one, until))

    def _last(self, place: int) -> Agreement | None:
        living = self.of_place(place)
        return living[-1] if living and not living[-1].vanished else None

    def _new(self, place: int, moved_in: date) -> bool:
        self.agreements.append(Agreement(str(200000 + len(self.agreements)), place, moved_in))
        return True

    def _out(self, place: int, today: date) -> bool:
        one = self._last(place)
        day = today + self.draw.randint(-40, 30) * DAY
        if one is None or one.moved_out is not None or day <= one.moved_in:
            return False
        one.moved_out = day
        return True

    def _in(self, place: int, today: date) -> bool:
        one = self._last(place)
        if one is not None and one.moved_out is None:
            return False
        start = today - self.draw.randint(0, 20) * DAY
        start = max(start, *(other.moved_out or start for other in self.of_place(place)), start)
        return self._new(place, start)

    def _succeeded(self, place: int, today: date) -> bool:
        one = self._last(place)
        if one is None or one.moved_out is not None or one.moved_in >= today:
            return False
        one.moved_out = today
        return self._new(place, today)

    def _too_early(self, place: int, today: date) -> bool:
        """The successor is typed days before the move-out is."""
        one = self._last(place)
        if one is None or one.moved_out is not None or one.moved_in >= today:
            return False
        self.overlapping.append((one, today + 3 * DAY))
        return self._new(place, today)

    def _other_end(self, place: int, _today: date) -> bool:
        one = self._last(place)
        if one is None or one.moved_out is None:
            return False
        day = one.moved_out + self.draw.randint(-30, 30) * DAY
        if day <= one.moved_in:
            return False
        one.moved_out = day
        return True

    def _no_end(self, place: int, _today: date) -> bool:
        one = self._last(place)
        if one is None or one.moved_out is None:
            return False
        one.moved_out = None
        return True

    def _earlier(self, place: int, _today: date) -> bool:
        one = self._last(place)
        if one is None:
            return False
        day = one.moved_in - self.draw.randint(1, 30) * DAY
        before = [other for other in self.of_place(place) if other is not one]
        if any(other.moved_out is None or other.moved_out > day for other in before):
            return False
        one.moved_in = day
        return True

    def _later(self, place: int, _today: date) -> bool:
        one = self._last(place)
        if one is None:
            return False
        day = one.moved_in + self.draw.randint(1, 30) * DAY
        if one.moved_out is not None and day >= one.moved_out:
            return False
        one.moved_in = day
        return True

    def _annul(self, place: int, today: date) -> bool:
        one = self._last(place)
        if one is None or one.moved_in < today - 60 * DAY:
            return False
        one.annulled = True
        return True

    def _not_annulled(self, place: int, _today: date) -> bool:
        gone = [one for one in self.agreements if one.place == place and one.annulled and not one.vanished]
        living = self.of_place(place)
        if not gone or any(one.moved_out is None or one.moved_out > gone[-1].moved_in for one in living):
            return False
        gone[-1].annulled, gone[-1].moved_out = False, None
        return True

    def _vanish(self, place: int, today: date) -> bool:
        """What ended long ago leaves the window: no event."""
        old = [one for one in self.of_place(place) if one.moved_out is not None and one.moved_out < today - 60 * DAY]
        for one in old:
            one.vanished = True
        return bool(old)

    def _meter(self, place: int, today: date) -> bool:
        name = self.draw.choice([name for name, at in self.place_of.items() if at == place])
        last = self.meters[name][-1]
        day = today - self.draw.randint(0, 20) * DAY
        if not isinstance(last[1], date) or day <= last[1]:
            return False
        last[2] = day
        self.meters[name].append([self.draw.choice([SMALL, BIG]), day, None])
        return True

    def _meter_was_wrong(self, place: int, _today: date) -> bool:
        """The clerk had typed the wrong type, or a replacement that never was."""
        name = self.draw.choice([name for name, at in self.place_of.items() if at == place])
        if len(self.meters[name]) > 1 and self.draw.random() < 0.5:
            self.meters[name].pop()
            self.meters[name][-1][2] = None
        else:
            last = self.meters[name][-1]
            last[0] = SMALL if last[0] == BIG else BIG
        return True

    # what the assets are given

    def resolved(self) -> pl.DataFrame:
        rows = [
            (one.number, AREA, f"partner of {one.number}", one.moved_in, one.moved_out, one.place)
            for one in self.agreements
            if not one.vanished
        ]
        schema = {
            "customer_number": pl.String, "supply_area": pl.String, "party_id": pl.String, "moved_in": pl.Date,
            "moved_out": pl.Date, "consumption_place_id": pl.Int64,
        }  # fmt: skip
        return pl.DataFrame(rows, schema=schema, orient="row")

    def meter_rows(self) -> pl.DataFrame:
        rows = [
            {
                "meter_period": f"{name}|{place}", "supply_area": AREA, "installation_number": name,
                "consumption_place_id": self.place_of[name], "meter_number": f"{name}-{place}", "meter_type": kind,
                "meter_from": first, "meter_to": last,
            }
            for name, meters in self.meters.items()
            for place, (kind, first, last) in enumerate(meters)
        ]  # fmt: skip
        return pl.DataFrame(rows, schema=KMD_INSTALLATIONS.schema)

    def annulled(self) -> pl.DataFrame:
        rows = [
            {"record_key": one.number, "reason": "annulled_move_in", "text": "", "customer_number": one.number,
             "supply_area": AREA}
            for one in self.agreements
            if one.annulled
        ]  # fmt: skip
        return pl.DataFrame(rows, schema=FOUND)

    def night(self, cache: Cache, ids: ObjectIds, today: date) -> int:
        """What the night's run does; how many calls were refused for now."""
        self.look(cache, ids, today)
        return carry_out_events(cache, book_of(BOOK).engine_rules(), [AREA], today).refused

    def look(self, cache: Cache, ids: ObjectIds, today: date) -> None:
        """The first half of a night's run: what happened becomes events."""
        for one in (one for one in self.agreements if not one.vanished):
            one.last_seen = None if one.annulled else (one.moved_in, one.moved_out)
            one.seen |= {one.last_seen} if one.last_seen else set()
            here = (name for name, place in self.place_of.items() if place == one.place)
            one.meters = {name: [list(meter) for meter in self.meters[name]] for name in here}
        cache.rejections.replace("kmd_ee/customers", [AREA], self.annulled(), today)
        derive_events(cache, ids, self.resolved(), self.meter_rows(), book_of(BOOK), [AREA], today)

    # the truth

    def truth(self, installation: str, day: date) -> dict[str, object] | None:
        """What holds on a day on which somebody has the installation; None on other days."""
        here = self.place_of[installation]
        holder = next((one for one in self.agreements if one.place == here and one.holds(day)), None)
        if holder is None:
            return None
        begun = [kind for kind, first, _last in holder.meters[installation] if isinstance(first, date) and first <= day]
        kind = begun[-1] if begun else holder.meters[installation][0][0]
        product = PRODUCT[str(kind)]
        return {
            "ENERGIPRIS": [value for since, value in ENERGY[product] if since <= day][-1],
            "TARIFTYPE": TYPE_CODE[product],
            "ACONTO": 1200,
        }

    def ever_held(self, installation: str, day: date) -> bool:
        """Whether somebody had the installation on a day by what once was typed."""
        return any(
            first <= day and (last is None or day < last)
            for one in self.agreements
            if one.place == self.place_of[installation]
            for first, last in one.seen
        )


def differences(town: BillingTown, cache: Cache, last: date) -> list[str]:
    """Where stored facts are not the truth, day by day up to the last one.

    On days on which nobody has the installation only what was once written may stand: constants of an annulled move-in,
    and what lies before a move-in that was put off.
    """
    found: list[str] = []
    for installation in town.place_of:
        rows = [row for row in cache.facts.slices(installation) or [] if not row["inactive"]]
        day = FIRST - 500 * DAY
        while day <= last:
            told = {row["operand"]: row["value"] for row in rows if row["ab"] <= day.isoformat() <= row["bis"]}
            truth = town.truth(installation, day)
            if truth is not None and told != truth:
                found.append(f"{installation} on {day}: {told} and not {truth}")
            if truth is None and told and not town.ever_held(installation, day):
                found.append(f"{installation} on {day}: {told}, and nobody ever had it")
            day += DAY
    return found


def agreement(number: str, moved_in: date, moved_out: date | None = None, place: int = 0) -> Agreement:
    return Agreement(number, place, moved_in, moved_out)


def village(*agreements: Agreement) -> BillingTown:
    """Installation 01 stands at place 0 alone, with a small meter since 2014."""
    town = BillingTown(1, random.Random("a village"))
    town.agreements = list(agreements)
    town.meters = {"01": [[SMALL, date(2014, 1, 1), None]]}
    town.place_of = {"01": 0}
    return town
