"""Whether an object says already what it should, against a reading of both at every moment on which one changes."""

import copy
import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_assets.domain.registry.content import same_content
from integration_assets.domain.registry.dialect import EXTENDED, PLAIN, Dialect
from integration_assets.domain.registry.objects import to_object
from integration_assets_tests.domain.registry_rows import (
    AGREEMENT,
    EXAMPLES,
    INSTALLATION,
    PERSON,
    RELATION,
    ROLE,
    ROWS,
    TENANT,
    UUIDS,
    answered,
    moment,
)

FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, tzinfo=UTC)
Object = dict[str, Any]


def lines(content: Object) -> list[tuple[str, list[Object]]]:
    return [
        (f"{section}.{name}", pieces)
        for section in ("attributter", "tilstande", "relationer")
        for name, pieces in (content.get(section) or {}).items()
    ]


def span(piece: Object) -> tuple[datetime, datetime]:
    return moment(piece["virkning"]["from"]) or FIRST, moment(piece["virkning"]["to"]) or LAST


def said_at(content: Object, at: datetime) -> set[str]:
    """All that an object says at a moment, value by value."""
    said: set[str] = set()
    for name, pieces in lines(content):
        for piece in (piece for piece in pieces if span(piece)[0] <= at < span(piece)[1]):
            values = {field: value for field, value in piece.items() if field not in ("virkning", "indeks") and value}
            for field in ("starttidspunkt", "sluttidspunkt"):
                if field in values:
                    values[field] = datetime.fromisoformat(values[field]).astimezone(UTC).isoformat()
            if name.startswith("relationer"):
                said |= {f"{name} {json.dumps(values, sort_keys=True)}"} if set(values) - {"objekttype"} else set()
            else:
                said |= {f"{name} {field} {value}" for field, value in values.items()}
    return said


def alike_at_all_times(one: Object, other: Object) -> bool:
    edges = {FIRST} | {edge for each in (one, other) for _, pieces in lines(each) for p in pieces for edge in span(p)}
    return all(said_at(one, edge) == said_at(other, edge) for edge in edges)


@st.composite
def disturbances(draw: st.DrawFn) -> list[tuple[str, int]]:
    kinds = ("drop", "blank", "value", "later", "twice", "split", "foreign", "actor", "cleared", "reset")
    return draw(st.lists(st.tuples(st.sampled_from(kinds), st.integers(0, 99)), max_size=2))


def disturb(found: Object, kind: str, number: int) -> None:
    """Changes a read object in one place, in a way that may or may not change what it says."""
    registration = found["registreringer"][0]
    all_pieces = [pieces for _, pieces in lines(registration) if pieces]
    pieces = all_pieces[number % len(all_pieces)]
    piece = pieces[number % len(pieces)]
    fields = sorted(set(piece) - {"virkning", "indeks"})
    field = fields[number % len(fields)] if fields else "brugervendtnoegle"
    is_value = field not in ("starttidspunkt", "sluttidspunkt", "integrationsdata")
    start, end = span(piece)
    match kind:
        case "drop":
            pieces.remove(piece)
        case "blank":
            piece[field] = ""
        case "value" if is_value:
            piece[field] = UUIDS[number % len(UUIDS)] if field == "uuid" else f"urn:{number % 3}"
        case "later" if end - start > timedelta(days=2):
            piece["virkning"]["from"] = (start + timedelta(days=1)).isoformat(" ")
        case "twice":
            pieces.append(copy.deepcopy(piece))
        case "split" if end - start > timedelta(days=2):
            middle = (start + timedelta(days=1)).isoformat(" ")
            pieces.append({**piece, "virkning": {**piece["virkning"], "from": middle}})
            piece["virkning"] = {**piece["virkning"], "to": middle}
        case "foreign":
            registration.setdefault("relationer", {})["opgaver"] = [{"urn": "urn:x", "virkning": piece["virkning"]}]
        case "actor":
            piece["virkning"] |= {"aktoerref": UUIDS[5], "notetekst": "somebody else"}
        case "cleared":
            pieces.append({"virkning": {"from": "1950-01-01 00:00:00+00", "to": "1951-01-01 00:00:00+00"}})
        case _:
            registration["brugerref"] = UUIDS[4]


@pytest.mark.parametrize("entity", sorted(ROWS))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_it_is_the_same_where_it_says_the_same_at_all_times(entity: str, data: st.DataObject) -> None:
    dialect = data.draw(st.sampled_from(Dialect))
    body = to_object(entity, data.draw(ROWS[entity]), TENANT, dialect)
    found = answered(body, random.Random(data.draw(st.integers(0, 1000))))
    assert same_content(body, found)
    for kind, number in data.draw(disturbances()):
        disturb(found, kind, number)
    assert same_content(body, found) is alike_at_all_times(body, found["registreringer"][0])


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("one", range(len(EXAMPLES)))
def test_no_row_is_taken_for_another(one: int, dialect: Dialect) -> None:
    body = to_object(*EXAMPLES[one], TENANT, dialect)
    for other, (entity, row) in enumerate(EXAMPLES):
        found = answered(to_object(entity, row, TENANT, dialect), random.Random(other))
        assert same_content(body, found) is (one == other)


def test_every_field_of_a_row_counts() -> None:
    changes: dict[str, Any] = {"first_name": "Ane", "phone": None, "address_protected": True, "ended_on": "2026-01-01"}
    for dialect in Dialect:
        found = answered(to_object("customers", PERSON, TENANT, dialect), random.Random(1))
        for field, value in changes.items():
            assert not same_content(to_object("customers", PERSON | {field: value}, TENANT, dialect), found), field


def test_an_agreement_keeps_its_times_in_whatever_zone_the_database_is() -> None:
    body = to_object("agreements", AGREEMENT, TENANT)
    found = answered(body, random.Random(1))
    for piece in found["registreringer"][0]["attributter"]["indsatsegenskaber"]:
        piece["starttidspunkt"] = "2020-01-15T00:00:00+01:00"
        piece["sluttidspunkt"] = "9999-12-31T01:00:00+01:00"
    assert same_content(body, found)


@pytest.mark.parametrize("code", ["Slettet", "Passiveret"])
def test_what_a_deleted_or_passive_object_says_does_not_count(code: str) -> None:
    body = to_object("customer_relations", RELATION, TENANT)
    found = answered(body, random.Random(1))
    assert same_content(body, found)
    found["registreringer"][0]["livscykluskode"] = code
    assert not same_content(body, found)


def test_an_object_without_content_is_another() -> None:
    body = to_object("customer_relations", RELATION, TENANT)
    assert not same_content(body, {"id": UUIDS[0]})
    assert not same_content(body, {"id": UUIDS[0], "registreringer": [{"livscykluskode": "Rettet"}]})


@pytest.mark.parametrize("far", ["10000-01-01 00:00:00+00", "0044-03-15 00:00:00+00 BC", "0001-01-01 00:00:00+01"])
def test_times_beyond_the_calendar_make_another_object(far: str) -> None:
    body = to_object("customer_relations", RELATION, TENANT)
    found = answered(body, random.Random(1))
    found["registreringer"][0]["tilstande"]["interessefaellesskabgyldighed"][0]["virkning"]["from"] = far
    assert not same_content(body, found)


def test_integrationsdata_is_compared_as_json_and_foreign_texts_as_texts() -> None:
    body = to_object("installations", INSTALLATION, TENANT, PLAIN)
    found = answered(body, random.Random(1))
    pieces = found["registreringer"][0]["attributter"]["klasseegenskaber"]
    for piece in pieces:
        piece["integrationsdata"] = json.dumps(json.loads(piece["integrationsdata"]), indent=1)
    assert same_content(body, found)
    pieces[0]["integrationsdata"] = "seen by Bo"
    assert not same_content(body, found)


def test_what_kind_of_object_a_relation_leads_to_counts() -> None:
    body = to_object("customer_roles", ROLE, TENANT)
    found = answered(body, random.Random(1))
    assert same_content(body, found)
    found["registreringer"][0]["relationer"]["tilknyttedebrugere"][0]["objekttype"] = "Organisation"
    assert not same_content(body, found)


def test_the_other_dialect_is_other_content() -> None:
    found = answered(to_object("customers", PERSON, TENANT, PLAIN), random.Random(1))
    assert not same_content(to_object("customers", PERSON, TENANT, EXTENDED), found)
