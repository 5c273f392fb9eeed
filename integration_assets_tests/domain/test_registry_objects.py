"""Registry rows as LoRa objects and back, against LoRa's rules and against an independent picture of its answers."""

import itertools
import json
import random
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_assets.domain.registry.objects import (
    LORA_CLASSES,
    Tenant,
    from_object,
    in_two_steps,
    lora_class,
    to_object,
)
from integration_assets.domain.registry.time import midnight
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
}


def virkning(start: str, end: str) -> dict[str, str]:
    return {"from": start, "to": end, "aktoerref": TENANT.actor, "aktoertypekode": "Bruger"}


ALWAYS = virkning("-infinity", "infinity")


def test_a_person_is_a_bruger() -> None:
    assert lora_class("customers", PERSON) == "organisation/bruger"
    body = to_object("customers", PERSON, TENANT)
    (attributes,) = body["attributter"]["brugeregenskaber"]
    assert attributes.pop("integrationsdata") == (
        '{"ava_adressebeskyttelse":false,"ava_civilstand":"G","ava_efternavn":"Carlsen","ava_fornavn":"Anna",'
        '"ava_kmdnavn":"ANNA CARLSEN","ava_koen":"K","ava_masterid":"77","ava_mellemnavn":"Bjerg"}'
    )
    assert attributes == {"brugervendtnoegle": "1001", "brugernavn": "Anna Bjerg Carlsen", "virkning": ALWAYS}
    assert body["tilstande"] == {"brugergyldighed": [{"gyldighed": "Aktiv", "virkning": ALWAYS}]}
    assert body["relationer"] == {
        "tilhoerer": [{"uuid": TENANT.organisation, "virkning": ALWAYS}],
        "tilknyttedepersoner": [{"urn": "urn:0101701234", "virkning": ALWAYS}],
        "adresser": [
            {"urn": "urn:tel:86123456", "virkning": ALWAYS},
            {"urn": "urn:mobile:20%2030%2040%2050", "virkning": ALWAYS},
            {"urn": "urn:email:anna@example.dk", "virkning": ALWAYS},
            {"uuid": ADDRESS, "virkning": ALWAYS},
        ],
    }


def test_a_company_is_an_organisation() -> None:
    assert lora_class("customers", COMPANY) == "organisation/organisation"
    body = to_object("customers", COMPANY, TENANT)
    (attributes,) = body["attributter"]["organisationegenskaber"]
    assert attributes["organisationsnavn"] == "Bageriet ApS"
    assert json.loads(attributes["integrationsdata"])["ava_masterid"] == "77"
    relations = body["relationer"]
    assert relations["virksomhed"] == [{"urn": "urn:12345678", "virkning": ALWAYS}]
    assert relations["virksomhedstype"] == [{"urn": "urn:80", "virkning": ALWAYS}]
    assert relations["branche"] == [{"urn": "urn:107110", "virkning": ALWAYS}]


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


def test_what_the_person_register_changed_holds_from_its_own_days() -> None:
    body = to_object("customers", MARRIED, TENANT)
    told = [
        (attributes["virkning"]["from"], unpacked["ava_efternavn"], unpacked["ava_adressebeskyttelse"])
        for attributes in body["attributter"]["brugeregenskaber"]
        for unpacked in [json.loads(attributes["integrationsdata"])]
    ]
    assert told == [
        ("-infinity", "Carlsen", False),
        ("2026-02-01T00:00:00+01:00", "Dam", True),
        ("2027-02-01T00:00:00+01:00", "Dam", False),
    ]
    assert body["tilstande"]["brugergyldighed"] == [
        {"gyldighed": "Aktiv", "virkning": virkning("-infinity", "2026-05-01T00:00:00+02:00")},
        {"gyldighed": "Inaktiv", "virkning": virkning("2026-05-01T00:00:00+02:00", "infinity")},
    ]
    assert body["relationer"]["tilknyttedepersoner"] == [
        {"urn": "urn:0101701234", "virkning": virkning("-infinity", "2026-03-01T00:00:00+01:00")},
        {"urn": "urn:0101701242", "virkning": virkning("2026-03-01T00:00:00+01:00", "infinity")},
    ]
    assert body["relationer"]["adresser"][-1] == {
        "uuid": ADDRESS,
        "virkning": virkning("-infinity", "2026-05-01T00:00:00+02:00"),
    }


def test_a_single_relation_that_changed_is_put_and_then_patched() -> None:
    body = to_object("customers", MOVED, TENANT)
    whole, over_time = in_two_steps("organisation/organisation", body)
    new = {"urn": "urn:471000", "virkning": virkning("2026-03-01T00:00:00+01:00", "infinity")}
    assert whole["relationer"]["branche"] == [new]
    assert over_time == {
        "relationer": {
            "branche": [{"urn": "urn:107110", "virkning": virkning("-infinity", "2026-03-01T00:00:00+01:00")}, new]
        }
    }
    assert in_two_steps("organisation/organisation", to_object("customers", COMPANY, TENANT))[1] is None
    assert in_two_steps("organisation/bruger", to_object("customers", MARRIED, TENANT))[1] is None


def test_validity_follows_business_days_in_copenhagen() -> None:
    body = to_object("customer_relations", RELATION, TENANT)
    start, end = "2020-01-15T00:00:00+01:00", "2024-07-01T00:00:00+02:00"
    (attributes,) = body["attributter"]["interessefaellesskabegenskaber"]
    assert attributes == {
        "brugervendtnoegle": "1001",
        "interessefaellesskabsnavn": RELATION["name"],
        "interessefaellesskabstype": "Varme",
        "virkning": virkning(start, "infinity"),
    }
    assert body["tilstande"]["interessefaellesskabgyldighed"] == [
        {"gyldighed": "Aktiv", "virkning": virkning(start, end)},
        {"gyldighed": "Inaktiv", "virkning": virkning(end, "infinity")},
    ]
    assert body["relationer"]["adresser"] == [{"uuid": ADDRESS, "virkning": virkning(start, end)}]


def test_a_role_names_its_party_and_has_no_owner() -> None:
    body = to_object("customer_roles", ROLE | {"party_kind": "company"}, TENANT)
    period = virkning("2020-01-15T00:00:00+01:00", "infinity")
    assert body["relationer"] == {
        "organisatoriskfunktionstype": [{"urn": "urn:915240006", "virkning": period}],
        "tilknyttedebrugere": [{"uuid": UUIDS[1], "objekttype": "Organisation", "virkning": period}],
        "tilknyttedeinteressefaellesskaber": [{"uuid": UUIDS[2], "virkning": period}],
    }
    (attributes,) = body["attributter"]["organisationfunktionegenskaber"]
    assert (attributes["brugervendtnoegle"], attributes["funktionsnavn"]) == ("915240006", "Ligestillingskunde")


def test_an_installation_has_a_period_per_meter() -> None:
    body = to_object("installations", INSTALLATION, TENANT)
    first, second = body["attributter"]["klasseegenskaber"]
    assert (first["titel"], first["eksempel"], first["beskrivelse"]) == ("111, Kamstrup qp 1,5", "111", "qp 1,5")
    assert first["virkning"] == virkning("2010-01-01T00:00:00+01:00", "2019-12-01T00:00:00+01:00")
    assert (second["titel"], second["brugervendtnoegle"]) == ("222, qp 9,9", "4711")
    assert second["virkning"] == virkning("2019-12-01T00:00:00+01:00", "infinity")
    assert json.loads(second["integrationsdata"]) == {"ava_opstillingsadresse": ADDRESS}
    assert body["tilstande"]["klassepubliceret"][0]["publiceret"] == "Publiceret"
    assert body["relationer"]["overordnetklasse"][0]["urn"] == "urn:Varme"
    assert body["relationer"]["ejer"][0]["uuid"] == TENANT.organisation


def test_an_agreement_without_end_runs_to_the_year_9999() -> None:
    body = to_object("agreements", AGREEMENT, TENANT)
    (attributes,) = body["attributter"]["indsatsegenskaber"]
    assert attributes["starttidspunkt"] == "2020-01-15T00:00:00+01:00"
    assert attributes["sluttidspunkt"] == "9999-12-31T00:00:00+00:00"
    assert (attributes["brugervendtnoegle"], attributes["beskrivelse"]) == ("Varme, 222, qp 9,9", "1")
    states = body["tilstande"]
    assert states["indsatspubliceret"][0]["publiceret"] == "IkkePubliceret"
    assert [state["fremdrift"] for state in states["indsatsfremdrift"]] == ["Disponeret"]
    assert [item["uuid"] for item in body["relationer"]["indsatskvalitet"]] == [UUIDS[3]]
    assert body["relationer"]["indsatsdokument"][0]["uuid"] == ADDRESS
    assert body["relationer"]["indsatstype"][0]["urn"] == "urn:Varme"


def test_extension_fields_that_lora_cannot_hold_are_refused_without_the_personal_number() -> None:
    row = PERSON | {"last_name": "æ" * 1300}
    with pytest.raises(ValueError, match="1001") as refused:
        to_object("customers", row, TENANT)
    assert PERSON["number"] not in str(refused.value)


def test_midnight_knows_summer_and_winter() -> None:
    assert midnight("2020-06-01") == "2020-06-01T00:00:00+02:00"
    assert midnight("2020-12-01") == "2020-12-01T00:00:00+01:00"


def test_dates_are_taken_as_well_as_texts() -> None:
    row = RELATION | {"valid_from": date(2020, 1, 15), "valid_to": date(2024, 7, 1)}
    assert to_object("customer_relations", row, TENANT) == to_object("customer_relations", RELATION, TENANT)


# A small picture of how LoRa 1.3.0 answers, written from its recorded exchanges and not from the code under test.

SINGLE = {
    "tilhoerer", "virksomhed", "virksomhedstype", "branche", "organisatoriskfunktionstype", "ejer",
    "overordnetklasse", "indsatsmodtager", "indsatstype",
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
    row = dict.fromkeys(REGISTRY_ROWS["customers"])
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
    values = {"address_id": st.none() | ID, "address_protected": st.sampled_from(["true", "false"])}
    own = PERSON_FIELDS if row["party_kind"] == "person" else COMPANY_FIELDS
    changed = ("address_id", "address_protected", "number", *own)
    for field in sorted(draw(st.sets(st.sampled_from(changed), max_size=3))):
        line = draw(st.lists(values.get(field, MAYBE), min_size=2, max_size=4))
        line = [value for n, value in enumerate(line) if n == 0 or value != line[n - 1]]
        if len(line) > 1:
            days = [None, *sorted(draw(st.sets(DAY, min_size=len(line) - 1, max_size=len(line) - 1)))]
            row["history"] += [piece(field, day, value) for day, value in zip(days, line, strict=True)]
            row[field] = line[-1] == "true" if field == "address_protected" else line[-1]
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
    "customer_relations": rows_with_validity(customer_number=TEXT, name=MAYBE, utility=TEXT, address_id=st.none() | ID),
    "customer_roles": rows_with_validity(
        customer_number=TEXT,
        role_code=st.sampled_from(["915240004", "915240006"]),
        role_name=TEXT,
        party_id=ID,
        party_kind=st.sampled_from(["person", "company"]),
        relation_id=ID,
    ),
    "installations": installations(),
    "agreements": agreements(),
}


@pytest.mark.parametrize("entity", sorted(ROWS))
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_what_was_put_is_read_back(entity: str, data: st.DataObject) -> None:
    row = data.draw(ROWS[entity])
    body = to_object(entity, row, TENANT)
    name = lora_class(entity, row)
    assert name in LORA_CLASSES[entity]
    whole, over_time = in_two_steps(name, body)
    accepted(name.partition("/")[2], whole)
    assert set((over_time or {"relationer": {}})["relationer"]) <= SINGLE
    assert body == to_object(entity, json.loads(json.dumps(row)), TENANT)
    chance = random.Random(data.draw(st.integers(0, 1000)))
    assert from_object(entity, answered(body, chance)) == row


@pytest.mark.parametrize(
    ("entity", "row"),
    [
        ("customers", PERSON),
        ("customers", COMPANY),
        ("customers", MARRIED),
        ("customers", MOVED),
        ("customer_relations", RELATION),
        ("customer_relations", RELATION | {"valid_to": RELATION["valid_from"]}),
        ("customer_roles", ROLE),
        ("installations", INSTALLATION),
        ("agreements", AGREEMENT | {"valid_to": AGREEMENT["valid_from"], "installations": []}),
    ],
)
def test_rows_of_the_schema_come_back_whole(entity: str, row: dict[str, Any]) -> None:
    assert list(row) == list(REGISTRY_ROWS[entity])
    back = from_object(entity, answered(to_object(entity, row, TENANT), random.Random(1)))
    assert list(back) == list(row)
    assert back == row


def test_an_object_emptied_by_others_is_read_as_blanks() -> None:
    bare = {"id": UUIDS[0], "registreringer": [{"livscykluskode": "Rettet"}]}
    for entity in LORA_CLASSES:
        assert set(from_object(entity, bare)) == set(REGISTRY_ROWS[entity])


def test_an_object_without_registration_is_refused() -> None:
    with pytest.raises(ValueError, match="registration"):
        from_object("customers", {"id": UUIDS[0]})
