"""An independent model of the processes that knows no intervals: for each operand a list of days, one cell a day.

Days are numbers; the last one, OPEN, stands for all days that follow. A cell names the note that was written there; a
slice is a run of days with the same note. It is slow and plain on purpose, and shares nothing with the engine.
"""

from calendar import monthrange
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

OPEN = 400
FIRST = date(2025, 1, 1)


class No(Exception):
    """The call is refused."""


def number(text: str) -> int:
    return OPEN if text == "9999-12-31" else (date.fromisoformat(text) - FIRST).days


def text(day: int) -> str:
    return "9999-12-31" if day >= OPEN else (FIRST + timedelta(days=day)).isoformat()


def month_later(day: int, months: int) -> int:
    start = FIRST + timedelta(days=day)
    month = start.month - 1 + months
    year, month = start.year + month // 12, month % 12 + 1
    return (start.replace(year=year, month=month, day=min(start.day, monthrange(year, month)[1])) - FIRST).days


@dataclass(eq=False)
class Note:
    """What was written in one go; identity counts, not content."""

    value: Any
    binding: str
    contract: str | None
    altbis: int | None = None


@dataclass
class Parked:
    """An inactive slice."""

    first: int
    last: int
    note: Note


@dataclass
class Deal:
    """A contract."""

    id: str
    partner: str
    start: int
    end: int
    products: list[list[Any]]
    status: str = "ACTIVE"

    def product(self, day: int) -> list[Any]:
        valid = [entry for entry in self.products if entry[0] <= day]
        return valid[-1] if valid else self.products[0]

    def restart(self, start: int) -> None:
        current = self.product(start)
        after = [e for e in self.products if e[0] > start and e is not current and e is not self.products[0]]
        self.products = [[start, current[1]], *after]
        self.start = start


@dataclass
class Model:
    """The facts of one installation, and how each process changes them."""

    operands: dict[str, dict[str, Any]]
    mdts: dict[str, list[dict[str, Any]]]
    cells: dict[str, list[Note | None]] = field(default_factory=dict)
    parked: dict[str, list[Parked]] = field(default_factory=dict)
    deals: dict[str, Deal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.operands:
            self.cells.setdefault(name, [None] * (OPEN + 1))
            self.parked.setdefault(name, [])

    # what is told of it

    def timeline(self, operand: str) -> list[tuple[str, str, Any]]:
        told: list[list[Any]] = []
        for day, note in enumerate(self.cells[operand]):
            if note is None:
                continue
            if told and told[-1][1] == day - 1 and told[-1][2] == note.value:
                told[-1][1] = day
            else:
                told.append([day, day, note.value])
        return [(text(a), text(b), value) for a, b, value in told]

    def contracts(self) -> list[dict[str, Any]]:
        return [
            {
                "id": d.id, "partner": d.partner, "start": text(d.start), "end": text(d.end),
                "products": [[text(day), product] for day, product in d.products], "status": d.status,
            }
            for d in self.deals.values()
        ]  # fmt: skip

    # small steps

    def related(self, relation: str) -> list[str]:
        return [name for name, row in self.operands.items() if row["relation"] == relation]

    def put(self, operand: str, first: int, last: int, note: Note) -> None:
        for day in range(first, last + 1):
            self.cells[operand][day] = note

    def strange(self, deal: Deal, note: Note | None) -> bool:
        return note is not None and note.contract in set(self.deals) - {deal.id}

    def runs(self, operand: str) -> list[tuple[int, int, Note]]:
        found: list[tuple[int, int, Note]] = []
        for day, note in enumerate(self.cells[operand]):
            if note is None:
                continue
            if found and found[-1][1] == day - 1 and found[-1][2] is note:
                found[-1] = (found[-1][0], day, note)
            else:
                found.append((day, day, note))
        return found

    def limit(self, deal: Deal, operand: str, last: int, *, park: bool = False) -> None:
        for first, until, note in self.runs(operand):
            if until <= last or self.strange(deal, note):
                continue
            for day in range(max(first, last + 1), until + 1):
                self.cells[operand][day] = None
            if first <= last:
                altbis = until if note.altbis is None else note.altbis
                self.put(operand, first, last, replace(note, altbis=altbis))
            if park:
                rest = Note(note.value, note.binding, note.contract or deal.id)
                self.parked[operand].append(Parked(max(first, last + 1), until, rest))

    def restore(self, deal: Deal, operand: str) -> None:
        """Parked slices come back, where nothing of this contract lies now; cells of others are set aside meanwhile."""
        for one in list(self.parked[operand]):
            cut = [run for run in self.runs(operand) if run[1] == one.first - 1]
            continues = [
                run
                for run in cut
                if run[2].altbis == one.last and run[2].value == one.note.value and not self.strange(deal, run[2])
            ]
            if continues:
                first, last, note = continues[0]
                whole = replace(note, altbis=None)
                self.put(operand, first, last, whole)
            elif one.note.contract == deal.id:
                whole = one.note
            else:
                continue
            self.parked[operand].remove(one)
            for day in range(one.first, one.last + 1):
                if self.cells[operand][day] is None:
                    self.cells[operand][day] = whole

    def with_own(self, deal: Deal, operand: str, steps: Any) -> None:
        """Runs the steps while what others wrote is out of the way; then theirs is put on top."""
        theirs = {day: n for day, n in enumerate(self.cells[operand]) if self.strange(deal, n)}
        for day in theirs:
            self.cells[operand][day] = None
        steps()
        for day, note in theirs.items():
            self.cells[operand][day] = note

    def value(self, operand: str, day: int) -> Any:
        note = self.cells[operand][day]
        return None if note is None else note.value

    def database(self, product: str, day: int) -> dict[str, Any]:
        told: dict[str, Any] = {}
        for row in self.template(product):
            if row["kind"] == "PARAMETER" and self.value(row["operand"], day) is not None:
                told.setdefault(row["ref"], self.value(row["operand"], day))
        return told

    def template(self, product: str) -> list[dict[str, Any]]:
        if product not in self.mdts:
            raise No
        return self.mdts[product]

    def generate(
        self, deal: Deal, product: str, sent: dict[str, Any], first: int, last: int, only_product: bool = False
    ) -> None:
        for row in self.template(product):
            if only_product and self.operands[row["operand"]]["relation"] != "PRODUCT":
                continue
            value = row["ref"] if row["kind"] == "CONSTANT" else sent.get(row["ref"])
            if value is None:
                continue
            if self.operands[row["operand"]]["category"] in ("FACTOR", "AMOUNT", "QUANT") and isinstance(value, str):
                raise No
            a = deal.start if row.get("ab") else first
            b = month_later(deal.start, row["bis"][1]) - 1 if row.get("bis") else last
            if not (first <= a <= last and first <= b <= last and a <= b):
                a, b = first, last
            self.put(row["operand"], a, b, Note(value, row["kind"], deal.id))

    def differs(self, product: str, sent: dict[str, Any] | None, day: int) -> bool:
        return bool(sent) and any(
            row["kind"] == "PARAMETER"
            and sent.get(row["ref"]) is not None
            and sent[row["ref"]] != self.value(row["operand"], day)
            for row in self.template(product)
        )

    def free(self, deal: Deal, first: int, last: int) -> None:
        for other in self.deals.values():
            if other.id != deal.id and other.status == "ACTIVE" and other.start <= last and first <= other.end:
                raise No

    def active(self, call: dict[str, Any]) -> Deal:
        deal = self.deals.get(call["contract"])
        if deal is None or deal.status != "ACTIVE":
            raise No
        return deal

    # the processes

    def new_contract(self, call: dict[str, Any]) -> None:
        start = number(call["start"])
        if call["contract"] in self.deals:
            raise No
        deal = Deal(call["contract"], call["partner"], start, OPEN, [[start, call["product"]]])
        self.free(deal, start, OPEN)
        same = {other.id for other in self.deals.values() if other.partner == deal.partner}
        for name in self.related("CONTRACT"):
            for one in list(self.parked[name]):
                if one.note.contract not in same or one.last < start:
                    continue
                self.parked[name].remove(one)
                if one.first < start:
                    self.parked[name].append(Parked(one.first, start - 1, one.note))
                note = Note(one.note.value, one.note.binding, deal.id)
                for day in range(max(start, one.first), one.last + 1):
                    if self.cells[name][day] is None:
                        self.cells[name][day] = note
        self.deals[deal.id] = deal
        self.generate(deal, call["product"], call["container"], start, OPEN)

    def end(self, deal: Deal, last: int, call: dict[str, Any]) -> None:
        if last < deal.start:
            raise No
        if last > deal.end:
            self.free(deal, deal.end + 1, last)
        since, product = deal.product(last)
        full = self.differs(product, call.get("container"), last) or call.get("prices", False)
        was, deal.end = deal.end, last
        for name in self.related("CONTRACT"):

            def steps(name: str = name) -> None:
                if was < OPEN:
                    self.restore(deal, name)
                self.limit(deal, name, last, park=True)

            self.with_own(deal, name, steps)
        for name in self.operands:
            row = self.operands[name]
            if row["relation"] == "PRODUCT" or (row["relation"] == "NONE" and row["umzug"] == 0):
                self.limit(deal, name, last)
        if full:
            self.generate(deal, product, call.get("container") or {}, max(deal.start, since), last)

    def move_out(self, call: dict[str, Any]) -> None:
        self.end(self.active(call), number(call["date"]), call)

    def product_change(self, call: dict[str, Any]) -> None:
        deal, day = self.active(call), number(call["date"])
        if not deal.start <= day <= deal.end:
            raise No
        for name in self.related("PRODUCT"):
            self.limit(deal, name, day - 1)
        deal.products = [e for e in deal.products if e[0] < day] + [[day, call["product"]]]
        self.generate(deal, call["product"], call["container"] or {}, day, deal.end, only_product=True)

    def product_change_cancel(self, call: dict[str, Any]) -> None:
        deal, day = self.active(call), number(call["date"])
        if not deal.start < day <= deal.end or day not in [e[0] for e in deal.products]:
            raise No
        old = [e for e in deal.products if e[0] < day]
        sent = call.get("container")
        values = self.database(old[-1][1], day - 1) if sent is None else sent
        for name in self.related("PRODUCT"):
            for first, last, note in self.runs(name):
                if first >= day and not self.strange(deal, note):
                    for gone in range(first, last + 1):
                        self.cells[name][gone] = None
        deal.products = old
        self.generate(deal, old[-1][1], values, day, deal.end, only_product=True)

    def cancel_contract_start(self, call: dict[str, Any]) -> None:
        deal = self.active(call)
        had = any(
            o.partner == deal.partner and o.start < deal.start and o.status == "ACTIVE" for o in self.deals.values()
        )
        for name in self.operands:
            contractual = self.operands[name]["relation"] == "CONTRACT"
            for first, last, note in self.runs(name):
                if note.contract != deal.id or not (contractual or note.binding == "PARAMETER"):
                    continue
                for gone in range(first, last + 1):
                    self.cells[name][gone] = None
                if contractual and had:
                    self.parked[name].append(Parked(first, last, Note(note.value, note.binding, deal.id)))
            if contractual and not had:
                self.parked[name] = [one for one in self.parked[name] if one.note.contract != deal.id]
        deal.status = "CANCELLED"

    def longer(self, deal: Deal, last: int) -> None:
        if last <= deal.end:
            raise No
        old = deal.end
        self.free(deal, old + 1, last)
        product = deal.product(old)[1]
        values = self.database(product, old)
        deal.end = last
        for name in self.related("CONTRACT"):

            def steps(name: str = name) -> None:
                self.restore(deal, name)
                self.limit(deal, name, last, park=True)

            self.with_own(deal, name, steps)
        self.generate(deal, product, values, old + 1, last)

    def earlier(self, deal: Deal, start: int) -> None:
        if start >= deal.start:
            raise No
        old = deal.start
        self.free(deal, start, old - 1)
        product = deal.product(old)[1]
        values = self.database(product, old)
        deal.restart(start)
        self.generate(deal, product, values, start, old - 1)

    def change_move_out_date(self, call: dict[str, Any]) -> None:
        deal, day = self.active(call), number(call["date"])
        if day > deal.end:
            self.longer(deal, day)
        elif day < deal.end:
            self.end(deal, day, call)

    def change_move_in_date(self, call: dict[str, Any]) -> None:
        deal, day = self.active(call), number(call["date"])
        if day < deal.start:
            self.earlier(deal, day)
        elif day > deal.end:
            raise No
        else:
            deal.restart(day)

    def rgen(self, call: dict[str, Any]) -> None:
        deal = self.active(call)
        if "new_end" in call:
            self.longer(deal, number(call["new_end"]))
        else:
            self.earlier(deal, number(call["new_start"]))

    def cancel_contract_end(self, call: dict[str, Any]) -> None:
        deal = self.active(call)
        if deal.end == OPEN:
            raise No
        self.longer(deal, OPEN)

    def contract_change(self, call: dict[str, Any]) -> None:
        deal = self.active(call)
        start = number(call["new_start"]) if call.get("new_start") else deal.start
        if start > deal.end:
            raise No
        moved = start != deal.start
        if start < deal.start:
            self.free(deal, start, deal.start - 1)
        if moved:
            deal.restart(start)
        product = deal.product(start)[1]
        if moved or self.differs(product, call.get("container"), start) or call.get("prices"):
            self.generate(deal, product, call.get("container") or {}, start, deal.end)

    def maintain(self, call: dict[str, Any]) -> None:
        self.active(call)
        if self.operands[call["operand"]]["relation"] == "PRODUCT":
            raise No
        self.put(call["operand"], number(call["start"]), OPEN, Note(call["value"], "MANUAL", call["contract"]))
