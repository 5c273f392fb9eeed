"""Claims of the town: which bills were not paid and handed over to the debt authority, and which must be recalled.

Belongs here: the claims that a town begins with, annulling agreements, and what follows from it. The same seed and
size give the same claims, number for number.
"""

import random
from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from integration_assets.sandbox.debt_authority.ledger import Claim, Debtor, Ledger, Payment
from integration_assets.sandbox.register_surplus import participant
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.town_builder import day_after
from integration_assets.sandbox.town_model import Customer, Town
from integration_assets.sandbox.town_rules import exported_rows, installations_by_place, is_visible

Json = dict[str, Any]

CREDITOR: Final = 1999
PERIODS: Final = (("2025-01-01", "2025-03-31"), ("2025-04-01", "2025-06-30"), ("2025-07-01", "2025-09-30"))
"""Billing periods of the bills that were handed over."""

_SHARE: Final = 0.05
_FEWEST: Final = 10
_FIRST_CLAIM: Final = 10_000_000
_ONE_MAN_BUSINESS: Final = "10"
_BUSINESSES_OF_ONE: Final = 4
_FEE: Final = Decimal("100.00")
_YEARS_TO_LIMITATION: Final = 3
_DAYS_TO_HANDING_OVER: Final = (75, 110)
_COMPANY_DIGITS: Final = 8


def hand_over(store: Store, town: Town, companies: dict[str, Json], seed: int) -> None:
    """Put the claims of a new town on the books of the debt authority, replacing all that is there."""
    draw = random.Random(f"claims of town {seed} {town.meta['size']}")
    claims: list[Claim] = []
    bills: dict[str, Json] = {}
    debtors = _Debtors(companies)
    for row, period in _unpaid(town, draw):
        made = _claims_of(row, period, _FIRST_CLAIM + 10 * len(bills), debtors, draw)
        claims += made
        bills[str(made[0].id)] = {"customer": row.number, "from": period[0], "to": period[1]}
    ledger = Ledger(store)
    ledger.clear()
    ledger.write(claims)
    town.meta["bills"] = bills


def to_recall(town: Town, claims: Iterable[Claim]) -> Json:
    """What follows for the claims from the agreements as they stand.

    `recalls`: the reason by main claim id (sub-claims follow). `write_downs`: main claims of a period that reaches
    beyond the agreement, which a person has to write down. `claims`: customer number, main claim and period by id.
    """
    bills: dict[str, Json] = town.meta.get("bills", {})
    recalls: dict[str, str] = {}
    write_downs: list[str] = []
    for main, bill in sorted(bills.items()):
        row = town.customers[bill["customer"]]
        first, after = row.moved_in, row.moved_out or "9999-12-31"
        if after <= first or bill["to"] < first or bill["from"] >= after:
            recalls[main] = "FEJL"
        elif bill["from"] < first or bill["to"] >= after:
            write_downs.append(main)
    known = {
        str(claim.id): {"main": str(claim.main), "customer_number": str(bill["customer"]), **bill}
        for claim in claims
        if (bill := bills.get(str(claim.main))) is not None
    }
    return {"recalls": recalls, "write_downs": write_downs, "claims": known}


def annul_rows(town: Town, day: str, customers: list[int], count: int) -> list[Customer]:
    """Annul agreements: those of the customers, and of so many others that have claims; which they were.

    The usual way to annul a move: the move-out is dated before the move-in. The registry keeps what it knows of the
    row, which is refused from now on. Raises LookupError for rows that cannot be annulled, or when there are too few.
    """
    with_claims = sorted({bill["customer"] for bill in town.meta.get("bills", {}).values()})
    fitting = [number for number in with_claims if _is_in_order(town.customers[number], day)]
    random.Random(f"annulments {town.meta['seed']} {day}").shuffle(fitting)
    chosen = [*customers, *[number for number in fitting if number not in customers][:count]]
    if len(chosen) < len(customers) + count:
        raise LookupError(f"There are only {len(fitting)} agreements with claims that can be annulled.")
    rows: list[Customer] = []
    for number in chosen:
        row = town.customers.get(number)
        if row is None or not _is_in_order(row, day):
            raise LookupError(f"The agreement of customer {number} cannot be annulled: it is not in force.")
        row.good = dict(vars(row))
        row.moved_out, row.reason = day_after(row.moved_in, -1), "annulled_move_in"
        rows.append(row)
    return rows


def moved_out_rows(town: Town, day: str, moved_out: str, count: int) -> list[Customer]:
    """Let so many customers with claims have moved out on a day that has long passed; which they were.

    Those move out who have their place for themselves and were there before the day. Raises LookupError when there are
    too few.
    """
    shared = Counter(row.place for row in town.customers.values())
    parties = Counter(party for row in town.customers.values() for party in {row.party, row.co} if party)
    placed = installations_by_place(town)

    def fits(row: Customer) -> bool:
        meters = [meter for each in placed.get(row.place, []) for meter in each.meters]
        alone = shared[row.place] == 1 and all(parties[each] == 1 for each in (row.party, row.co) if each)
        here = row.moved_out is None and row.moved_in < moved_out and all(meter[4] < moved_out for meter in meters)
        return _is_in_order(row, day) and row.co_reason is None and alone and here

    with_claims = sorted({bill["customer"] for bill in town.meta.get("bills", {}).values()})
    fitting = [town.customers[number] for number in with_claims if fits(town.customers[number])]
    if len(fitting) < count:
        raise LookupError(f"Only {len(fitting)} customers with claims can have moved out on {moved_out}.")
    chosen = random.Random(f"move-outs {town.meta['seed']} {day} {moved_out}").sample(fitting, count)
    for row in chosen:
        row.moved_out = moved_out
    return sorted(chosen, key=lambda row: row.number)


def _is_in_order(row: Customer, day: str) -> bool:
    return row.exported and row.reason is None and row.good is None and is_visible(row, day) and row.moved_in < day


def _unpaid(town: Town, draw: random.Random) -> Iterable[tuple[Customer, tuple[str, str]]]:
    """Rows with the periods of their unpaid bills, which lie wholly within the agreement."""
    rows = [row for row in exported_rows(town) if row.reason is None and _billed(row)]
    wanted = max(_FEWEST, round(len(rows) * _SHARE))
    for row in sorted(draw.sample(rows, min(wanted, len(rows))), key=lambda row: row.number):
        periods = _billed(row)
        for period in sorted(draw.sample(periods, min(len(periods), draw.choice((1, 1, 1, 2))))):
            yield row, period


def _billed(row: Customer) -> list[tuple[str, str]]:
    """The billing periods wholly within an agreement."""
    return [
        (first, last)
        for first, last in PERIODS
        if row.moved_in <= first and (row.moved_out is None or last < row.moved_out)
    ]


def _claims_of(
    row: Customer, period: tuple[str, str], number: int, debtors: "_Debtors", draw: random.Random
) -> list[Claim]:
    """A bill that was handed over: the main claim, its reminder fee, and now and then interest of the utility."""
    invoice = f"{row.number}-{date.fromisoformat(period[1]):%Y%m}{draw.randrange(100):02d}"
    last = date.fromisoformat(period[1])
    came = last + timedelta(days=draw.randint(*_DAYS_TO_HANDING_OVER))
    amount = Decimal(draw.randint(40_000, 900_000)) / 100
    owed_by = debtors.of(row, last.replace(year=last.year + _YEARS_TO_LIMITATION, day=28))
    paid = Payment(came + timedelta(days=20), (amount / 4).quantize(Decimal("0.01"))) if draw.random() < 0.2 else None
    main = Claim(
        id=number,
        main=number,
        art="MODR" if draw.random() < 0.04 else "INDR",
        type="FOFAKFY",
        creditor=CREDITOR,
        reference=invoice,
        amount=amount,
        received_at=datetime.combine(came, time(8)),
        debtors=owed_by,
        payments=(paid,) if paid else (),
        interest=number + 3,
        state_refund=draw.random() < 0.04,
    )
    shared: Json = {"main": number, "creditor": CREDITOR, "received_at": main.received_at, "debtors": owed_by}
    shared["art"] = main.art
    found = [main, Claim(id=number + 1, type="CVRYKOP", reference=f"{invoice}-G", amount=_FEE, **shared)]
    if draw.random() < 0.5:
        interest = (amount * Decimal(draw.randint(8, 30)) / 1000).quantize(Decimal("0.01"))
        found.append(Claim(id=number + 2, type="OPKRÆTV", reference=f"{invoice}-R", amount=interest, **shared))
    return found


class _Debtors:
    """Gives the debtors of rows, with the customer numbers that the authority has of them."""

    def __init__(self, companies: dict[str, Json]) -> None:
        self._companies = companies
        self._numbers: dict[str, str] = {}

    def of(self, row: Customer, limitation: date) -> tuple[Debtor, ...]:
        """Who owes the bills of a row: the customer, and the co-customer with her."""
        return tuple(self._debtor(party, limitation) for party in (row.party, row.co) if party is not None)

    def _debtor(self, party: str, limitation: date) -> Debtor:
        # Ten digits as in the messages; a number of the authority's own, which says nothing of who it is.
        number = self._numbers.setdefault(party, f"{len(self._numbers) + 1:010d}")
        if len(party) != _COMPANY_DIGITS:
            return Debtor(number, "PERSON", limitation)
        company = self._companies.get(party)
        if company is None:
            return Debtor(number, "VIRKSOMHED", limitation, cvr=party)
        # The town founds companies only; the authority takes some for businesses of one man, whose number it tells.
        alone = sum(map(int, party)) % _BUSINESSES_OF_ONE == 0
        return Debtor(
            number,
            "VIRKSOMHED",
            limitation,
            cvr=party,
            name=company["name"][:80],
            form=_ONE_MAN_BUSINESS if alone else company["company_form"],
            owner=participant(company) if alone else None,
        )
