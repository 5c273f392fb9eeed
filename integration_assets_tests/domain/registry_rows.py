"""Registry rows of every kind, and a picture of how LoRa 1.3.0 takes and answers objects.

The picture was written from recorded exchanges of a real LoRa and not from the code under test.
"""

import itertools
import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from integration_assets.domain.registry.objects import Tenant
from integration_assets.domain.tables import REGISTRY_ROWS

TENANT = Tenant("cccccccc-0000-4000-8000-000000000001", "cccccccc-0000-4000-8000-000000000002")
UUIDS = [f"{n}{n}{n}{n}{n}{n}{n}{n}-1111-4111-8111-111111111111" for n in "123456789"]

ADDRESS = UUIDS[0]
PERSON: dict[str, Any] = {
    "party_kind": "person",
    "number": "0101701234",
    "user_key": "1001",
    "name": "Anna Bjerg Carlsen",
    "kmd_name": "ANNA CARLSEN",
    "first_name": "Anna",
    "middle_name": "Bjerg",
    "last_name": "Carlsen",
    "gender": "K",
    "civil_status": "G",
    "address_protected": False,
    "business_code": None,
    "company_form": None,
    "master_id": "77",
    "phone": "86123456",
    "mobile": "20 30 40 50",
    "email": "anna@example.dk",
    "address_id": ADDRESS,
    "ended_on": None,
    "history": [],
}
COMPANY: dict[str, Any] = PERSON | {
    "party_kind": "company",
    "number": "12345678",
    "name": "Bageriet ApS",
    "kmd_name": "BAGERIET",
    "first_name": None,
    "middle_name": None,
    "last_name": None,
    "gender": None,
    "civil_status": None,
    "business_code": "107110",
    "company_form": "80",
}
RELATION: dict[str, Any] = {
    "customer_number": "1001",
    "name": "Varme, Åboulevarden 3B 2.th, 5000 Odense C",
    "utility": "Varme",
    "address_id": ADDRESS,
    "valid_from": "2020-01-15",
    "valid_to": "2024-07-01",
    "history": [],
}
ROLE: dict[str, Any] = {
    "customer_number": "1001",
    "role_code": "915240006",
    "role_name": "Ligestillingskunde",
    "party_id": UUIDS[1],
    "party_kind": "person",
    "relation_id": UUIDS[2],
    "valid_from": "2020-01-15",
    "valid_to": None,
}
INSTALLATION: dict[str, Any] = {
    "installation_number": "4711",
    "utility": "Varme",
    "address_id": ADDRESS,
    "meters": [
        {
            "meter_number": "111",
            "meter_type": "qp 1,5",
            "meter_make": "Kamstrup",
            "from": "2010-01-01",
            "to": "2019-12-01",
        },
        {"meter_number": "222", "meter_type": "qp 9,9", "meter_make": None, "from": "2019-12-01", "to": None},
    ],
    "valid_from": "2010-01-01",
    "valid_to": None,
    "history": [],
}
AGREEMENT: dict[str, Any] = {
    "customer_number": "1001",
    "name": "Varme, 222, qp 9,9",
    "utility": "Varme",
    "relation_id": UUIDS[2],
    "billing_address_id": ADDRESS,
    "installations": [{"installation_id": UUIDS[3], "from": "2020-01-15", "to": None}],
    "valid_from": "2020-01-15",
    "valid_to": None,
    "history": [],
}


def piece(field: str, start: str | None, value: str | None) -> dict[str, Any]:
    return {"field": field, "from": start, "value": value}


MARRIED: dict[str, Any] = PERSON | {
    "number": "0101701242",
    "last_name": "Dam",
    "address_protected": False,
    "address_id": None,
    "ended_on": "2026-05-01",
    "history": [
        piece("address_id", None, ADDRESS), piece("address_id", "2026-05-01", None),
        piece("address_protected", None, "false"), piece("address_protected", "2026-02-01", "true"),
        piece("address_protected", "2027-02-01", "false"),
        piece("last_name", None, "Carlsen"), piece("last_name", "2026-02-01", "Dam"),
        piece("number", None, "0101701234"), piece("number", "2026-03-01", "0101701242"),
    ],
}  # fmt: skip
MOVED: dict[str, Any] = COMPANY | {
    "name": "Brød ApS",
    "business_code": "471000",
    "history": [
        piece("business_code", None, "107110"), piece("business_code", "2026-03-01", "471000"),
        piece("name", None, "Bageriet ApS"), piece("name", "2026-04-01", "Brød ApS"),
    ],
}  # fmt: skip

REACHED: dict[str, Any] = PERSON | {
    "phone": None,
    "email": "dam@example.dk",
    "history": [
        piece("email", None, "anna@example.dk"), piece("email", "2026-03-02", "dam@example.dk"),
        piece("phone", None, "86123456"), piece("phone", "2026-03-02", None),
    ],
}  # fmt: skip
RENAMED: dict[str, Any] = RELATION | {
    "name": "Varme, Åboulevarden 3B 2.tv, 5000 Odense C",
    "address_id": UUIDS[4],
    "history": [
        piece("address_id", None, ADDRESS), piece("address_id", "2024-03-01", UUIDS[4]),
        piece("name", None, RELATION["name"]),
        piece("name", "2024-03-01", "Varme, Åboulevarden 3B 2.tv, 5000 Odense C"),
    ],
}  # fmt: skip
PLACED: dict[str, Any] = INSTALLATION | {
    "address_id": UUIDS[4],
    "history": [piece("address_id", None, ADDRESS), piece("address_id", "2015-03-01", UUIDS[4])],
}
BILLED: dict[str, Any] = AGREEMENT | {
    "valid_to": "2026-01-01",
    "billing_address_id": UUIDS[5],
    "installations": [{"installation_id": UUIDS[3], "from": "2020-01-15", "to": "2026-01-01"}],
    "history": [
        piece("billing_address_id", None, ADDRESS), piece("billing_address_id", "2025-03-01", UUIDS[4]),
        piece("billing_address_id", "2026-02-01", UUIDS[5]),
        piece("name", None, "Varme, 111"), piece("name", "2021-01-01", "Varme, 222, qp 9,9"),
    ],
}  # fmt: skip


SINGLE = {
    "tilhoerer", "virksomhed", "virksomhedstype", "branche", "organisatoriskfunktionstype", "ejer",
    "overordnetklasse", "indsatsmodtager", "indsatstype", "ava_opstillingsadresse",
}  # fmt: skip
STATES = {
    "bruger": {"brugergyldighed"},
    "organisation": {"organisationgyldighed"},
    "organisationfunktion": {"organisationfunktiongyldighed"},
    "interessefaellesskab": {"interessefaellesskabgyldighed"},
    "klasse": {"klassepubliceret"},
    "indsats": {"indsatspubliceret", "indsatsfremdrift"},
}


def moment(text: str) -> datetime | None:
    return None if "infinity" in text else datetime.fromisoformat(text).astimezone(UTC)


def in_utc(text: str) -> str:
    at = moment(text)
    return text if at is None else at.strftime("%Y-%m-%d %H:%M:%S").rjust(19, "0") + "+00"


def accepted(name: str, body: dict[str, Any]) -> None:
    """LoRa's own checks on a PUT."""
    assert set(body) <= {"attributter", "tilstande", "relationer", "note"}
    assert set(body["attributter"]) == {f"{name}egenskaber"}
    assert set(body["tilstande"]) == STATES[name]
    lines = [body["attributter"][f"{name}egenskaber"], *body["tilstande"].values()]
    for line in lines:
        times = sorted(
            (moment(item["virkning"]["from"]) or datetime.min.replace(tzinfo=UTC),
             moment(item["virkning"]["to"]) or datetime.max.replace(tzinfo=UTC))
            for item in line
        )  # fmt: skip
        assert times
        assert all(start < end for start, end in times)
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(times))
    for item in body["attributter"][f"{name}egenskaber"]:
        assert item["brugervendtnoegle"]
        assert all(isinstance(value, str) and value for field, value in item.items() if field != "virkning")
        assert name != "klasse" or item["titel"]
    for relation, items in body["relationer"].items():
        assert items
        assert relation not in SINGLE or len(items) == 1
        for item in items:
            assert len({"uuid", "urn"} & set(item)) == 1
            assert set(item) <= {"uuid", "urn", "objekttype", "virkning"}
            assert item.get("urn", "urn:x").startswith("urn:")
            assert " " not in item.get("urn", "")
            start, end = moment(item["virkning"]["from"]), moment(item["virkning"]["to"])
            assert start is None or end is None or start < end


def answered(body: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """The object as a read of all validity gives it: shuffled, blank for T, database time zone, order lost."""

    def line(items: list[dict[str, Any]], numbered: bool = False) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for number, item in enumerate(items, 1):
            period = item["virkning"]
            stored = {name: value for name, value in item.items() if name != "virkning"}
            for field in ("starttidspunkt", "sluttidspunkt"):
                if field in stored:
                    at = datetime.fromisoformat(stored[field]).astimezone(UTC)
                    stored[field] = at.isoformat()
            if numbered:
                stored["indeks"] = number
            times = [in_utc(period["from"]), in_utc(period["to"])]
            if times[0] < "2005-06-01 00:00:00+00" < times[1] and chance.random() < 0.5:
                times.insert(1, "2005-06-01 00:00:00+00")  # somebody updated it piece by piece
            for start, end in itertools.pairwise(times):
                effect = {"from": start, "to": end, "to_included": False, "aktoerref": TENANT.actor}
                found.append(
                    {**stored, "virkning": {**effect, **({} if start == "-infinity" else {"from_included": True})}}
                )
        chance.shuffle(found)
        return found

    is_indsats = "indsatsegenskaber" in body["attributter"]
    registration: dict[str, Any] = {
        "brugerref": UUIDS[8],
        "fratidspunkt": {"graenseindikator": True, "tidsstempeldatotid": "2026-11-21T17:24:20.0018+00:00"},
        "livscykluskode": "Importeret",
        "tiltidspunkt": {"tidsstempeldatotid": "infinity"},
        "attributter": {name: line(items) for name, items in body["attributter"].items()},
        "tilstande": {name: line(items) for name, items in body["tilstande"].items()},
    }
    relations = {
        name: line(items, is_indsats and name not in SINGLE) for name, items in body["relationer"].items() if items
    }
    if relations:
        registration["relationer"] = relations
    return {"id": UUIDS[7], "registreringer": [registration]}


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
MAYBE = st.none() | TEXT
ID = st.sampled_from(UUIDS)
DAY = st.dates(date(1900, 1, 1), date(2099, 12, 31)).map(date.isoformat)


PERSON_FIELDS = ("first_name", "last_name", "gender", "civil_status")
COMPANY_FIELDS = ("name", "business_code", "company_form")


@st.composite
def customers(draw: st.DrawFn) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(REGISTRY_ROWS["customers"])
    of_both = ("name", "kmd_name", "master_id", "phone", "mobile", "email")
    row |= {name: draw(MAYBE) for name in of_both}
    row |= {
        "user_key": draw(TEXT),
        "address_id": draw(st.none() | ID),
        "address_protected": draw(st.none() | st.booleans()),
    }
    row |= {"ended_on": draw(st.none() | DAY), "history": []}
    if draw(st.booleans()):
        row |= {"party_kind": "person", "number": draw(st.from_regex(r"\A[0-9]{10}\Z"))}
        row |= {name: draw(MAYBE) for name in ("first_name", "middle_name", "last_name", "gender", "civil_status")}
    else:
        row |= {"party_kind": "company", "number": draw(st.from_regex(r"\A[0-9]{8}\Z"))}
        row |= {name: draw(MAYBE) for name in ("business_code", "company_form")}
    own = PERSON_FIELDS if row["party_kind"] == "person" else COMPANY_FIELDS
    changed = ("address_id", "address_protected", "number", "user_key", *of_both, *own)
    for field in sorted(draw(st.sets(st.sampled_from(changed), max_size=3))):
        draw(histories(row, field, VALUES.get(field, MAYBE), DAY))
    return row


VALUES = {"address_id": st.none() | ID, "address_protected": st.sampled_from(["true", "false"]), "user_key": TEXT}


@st.composite
def histories(
    draw: st.DrawFn, row: dict[str, Any], field: str, values: st.SearchStrategy[Any], days: st.SearchStrategy[str]
) -> None:
    """Gives a field of the row up to four values over time."""
    line = draw(st.lists(values, min_size=2, max_size=4))
    line = [value for n, value in enumerate(line) if n == 0 or value != line[n - 1]]
    if len(line) > 1:
        changes = [None, *sorted(draw(st.sets(days, min_size=len(line) - 1, max_size=len(line) - 1)))]
        row["history"] += [piece(field, day, value) for day, value in zip(changes, line, strict=True)]
        row[field] = line[-1] == "true" if field == "address_protected" else line[-1]


def _day_after(day: str) -> date:
    return date.fromisoformat(day) + timedelta(days=1)


@st.composite
def changing(draw: st.DrawFn, rows: st.SearchStrategy[dict[str, Any]], **fields: st.SearchStrategy[Any]) -> Any:
    """Rows whose fields change while they are valid, or in the years after their end."""
    row = {**draw(rows), "history": []}
    days = st.dates(_day_after(row["valid_from"] or "1899-12-31"), date(2120, 12, 31)).map(date.isoformat)
    if "meters" in row:
        # Of the days on which it has no meter an installation says nothing.
        begun = [_day_after(meter["from"]).isoformat() for meter in row["meters"]]
        said = [day for day, meter in zip(begun, row["meters"], strict=True) if day < (meter["to"] or "9999")]
        days = st.sampled_from([*said, *(f"21{year}-01-01" for year in range(21, 24))])
    for field, values in sorted(fields.items()):
        if draw(st.booleans()):
            draw(histories(row, field, values, days))
    end = row["valid_to"] or "9999"
    # That a relation leads nowhere any more is not told of an object that has ended.
    assume(not any(told["value"] is None and (told["from"] or "") >= end for told in row["history"]))
    return row


@st.composite
def validity(draw: st.DrawFn) -> dict[str, Any]:
    return {"valid_from": draw(st.none() | DAY), "valid_to": draw(st.none() | DAY)}


def rows_with_validity(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(lambda row, period: row | period, st.fixed_dictionaries(fields), validity())


def lines_of_time(what: st.SearchStrategy[dict[str, Any]], size: int = 4) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Periods in order that do not touch, the last one open or not."""

    @st.composite
    def build(draw: st.DrawFn) -> list[dict[str, Any]]:
        days = sorted(draw(st.sets(DAY, min_size=2, max_size=size * 2)))
        pairs = list(zip(days[::2], days[1::2], strict=False))
        result = [{**draw(what), "from": start, "to": end} for start, end in pairs]
        if draw(st.booleans()):
            result[-1]["to"] = None
        return result

    return build()


METER = st.fixed_dictionaries({"meter_number": TEXT, "meter_type": MAYBE, "meter_make": MAYBE})


@st.composite
def installations(draw: st.DrawFn) -> dict[str, Any]:
    meters = draw(lines_of_time(METER))
    return {
        "installation_number": draw(TEXT),
        "utility": draw(TEXT),
        "address_id": draw(st.none() | ID),
        "meters": meters,
        "valid_from": meters[0]["from"],
        "valid_to": meters[-1]["to"],
        "history": [],
    }


@st.composite
def agreements(draw: st.DrawFn) -> dict[str, Any]:
    held = [
        {"installation_id": installation, "from": period["from"], "to": period["to"]}
        for installation in sorted(draw(st.sets(ID, max_size=3)))
        for period in draw(lines_of_time(st.just({}), 2))
    ]
    return draw(
        rows_with_validity(
            customer_number=TEXT, name=TEXT, utility=TEXT, relation_id=ID, billing_address_id=st.none() | ID,
            installations=st.just(held),
        )
    )  # fmt: skip


ROWS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "customers": customers(),
    "customer_relations": changing(
        rows_with_validity(customer_number=TEXT, name=MAYBE, utility=TEXT, address_id=st.none() | ID),
        name=MAYBE,
        address_id=st.none() | ID,
    ),
    "customer_roles": rows_with_validity(
        customer_number=TEXT,
        role_code=st.sampled_from(["915240004", "915240006"]),
        role_name=TEXT,
        party_id=ID,
        party_kind=st.sampled_from(["person", "company"]),
        relation_id=ID,
    ),
    "installations": changing(installations(), address_id=st.none() | ID),
    "agreements": changing(agreements(), name=TEXT, billing_address_id=st.none() | ID),
}


EXAMPLES: list[tuple[str, dict[str, Any]]] = [
    ("customers", PERSON),
    ("customers", COMPANY),
    ("customers", MARRIED),
    ("customers", MOVED),
    ("customer_relations", RELATION),
    ("customer_relations", RELATION | {"valid_to": RELATION["valid_from"]}),
    ("customer_roles", ROLE),
    ("installations", INSTALLATION),
    ("agreements", AGREEMENT),
    ("agreements", AGREEMENT | {"valid_to": AGREEMENT["valid_from"], "installations": []}),
    ("customers", REACHED),
    ("customer_relations", RENAMED),
    ("installations", PLACED),
    ("agreements", BILLED),
]
"""A row of every kind, with its entity."""
