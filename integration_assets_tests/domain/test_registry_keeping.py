"""What other systems put into our objects stays when they are written: checked moment by moment."""

import json
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.domain.registry.content import same_content
from integration_assets.domain.registry.dialect import PLAIN
from integration_assets.domain.registry.keeping import Foreign, foreign, with_foreign, without_foreign
from integration_assets.domain.registry.objects import to_object
from integration_assets_tests.domain.registry_rows import AGREEMENT, INSTALLATION, PERSON, RELATION, TENANT, UUIDS

Json = dict[str, Any]
BRUGER, KLASSE = "organisation/bruger", "klassifikation/klasse"
SINCE = {"from": "2018-06-01 05:00:00+00", "to": "infinity"}


def registration(name: str, attributes: list[Json], relations: dict[str, list[Json]] | None = None) -> Json:
    return {"attributter": {f"{name}egenskaber": attributes}, "relationer": relations or {}}


def test_what_is_ours_is_not_foreign() -> None:
    body = to_object("customers", PERSON, TENANT, PLAIN)
    assert foreign(BRUGER, body) == Foreign()


def test_urns_of_other_kinds_relations_attributes_and_keys_are_foreign_and_named_without_their_values() -> None:
    found = registration(
        "bruger",
        [
            {
                "brugervendtnoegle": "1001",
                "brugertype": "privat",
                "integrationsdata": json.dumps({"ava_masterid": "7", "arosia_rute": "4"}),
                "virkning": SINCE,
            }
        ],
        {
            "adresser": [
                {"urn": "urn:tel:86123456", "virkning": SINCE},
                {"urn": "urn:arosia_tel:86999999", "virkning": SINCE},
                {"uuid": UUIDS[0], "virkning": SINCE},
                {"virkning": SINCE},
            ],
            "tilknyttedepersoner": [
                {"urn": "urn:0101701234", "virkning": SINCE},
                {"uuid": UUIDS[1], "virkning": SINCE},
            ],
            "tilknyttedeitsystemer": [{"urn": "urn:0101701234", "virkning": SINCE}],
        },
    )
    others = foreign(BRUGER, found)
    assert others.relations == {
        "adresser": [{"urn": "urn:arosia_tel:86999999", "virkning": SINCE}],
        "tilknyttedepersoner": [{"uuid": UUIDS[1], "virkning": SINCE}],
        "tilknyttedeitsystemer": [{"urn": "urn:0101701234", "virkning": SINCE}],
    }
    assert others.names() == [
        "adresser urn:arosia_tel:",
        "brugertype",
        "integrationsdata arosia_rute",
        "tilknyttedeitsystemer",
        "tilknyttedepersoner",
    ]
    assert others.lost == ()


def test_a_document_by_urn_is_of_others_and_the_billing_address_is_ours() -> None:
    theirs = {"urn": "urn:arosia_brev:7", "virkning": SINCE}
    items = [{"uuid": UUIDS[0], "indeks": 1, "virkning": SINCE}, {**theirs, "indeks": 2}]
    others = foreign("indsats/indsats", registration("indsats", [], {"indsatsdokument": items}))
    assert others.relations == {"indsatsdokument": [theirs]}
    ours = to_object("agreements", AGREEMENT, TENANT, PLAIN)
    body, _ = with_foreign(ours, others)
    assert body["relationer"]["indsatsdokument"] == [*ours["relationer"].get("indsatsdokument", []), theirs]


def test_what_a_put_would_lose_is_named() -> None:
    word = {"soegeordidentifikator": "a", "beskrivelse": "b", "soegeordskategori": "c"}
    found = registration("klasse", [{"soegeord": [word], "integrationsdata": "free text", "virkning": SINCE}])
    assert foreign(KLASSE, found).lost == ("integrationsdata", "soegeord")
    several = registration("klasse", [{"soegeord": [word, {"beskrivelse": "d"}], "virkning": SINCE}])
    ((values, *_),) = foreign(KLASSE, several).attributes
    assert values == {"soegeord": [["a", "b", "c"], ["", "d", ""]]}


def test_everything_goes_into_the_body_beside_what_is_ours() -> None:
    ours = to_object("customers", PERSON, TENANT, PLAIN)
    piece = {"brugertype": "privat", "integrationsdata": '{"arosia_rute":"4"}', "virkning": SINCE}
    item = {"urn": "urn:arosia_tel:86999999", "virkning": SINCE}
    body, over_time = with_foreign(ours, foreign(BRUGER, registration("bruger", [piece], {"adresser": [item]})))
    assert over_time == {}
    assert body["relationer"]["adresser"] == [*ours["relationer"]["adresser"], item]
    (own,) = ours["attributter"]["brugeregenskaber"]
    before, after = body["attributter"]["brugeregenskaber"]
    edge = "2018-06-01T05:00:00.000000+00:00"
    assert before == {**own, "virkning": {**own["virkning"], "to": edge}}
    assert after["brugertype"] == "privat"
    assert after["virkning"] == {**own["virkning"], "from": edge}
    assert json.loads(after["integrationsdata"]) == json.loads(own["integrationsdata"]) | {"arosia_rute": "4"}


def test_a_single_relation_that_changed_over_time_follows_by_patch() -> None:
    first = {"uuid": UUIDS[3], "virkning": {"from": "2018-01-01 00:00:00+01", "to": "2020-01-01 00:00:00+01"}}
    second = {"uuid": UUIDS[4], "virkning": {"from": "2020-01-01 00:00:00+01", "to": "infinity"}}
    found = registration("interessefaellesskab", [], {"ava_ejendom": [second, first]})
    ours = to_object("customer_relations", RELATION, TENANT, PLAIN)
    body, over_time = with_foreign(ours, foreign("organisation/interessefaellesskab", found))
    assert body["relationer"]["ava_ejendom"] == [second]
    assert over_time == {"ava_ejendom": [second, first]}


def test_too_much_for_integrationsdata_is_refused_in_a_sentence() -> None:
    piece = {"integrationsdata": json.dumps({"arosia_note": "x" * 2700}), "virkning": SINCE}
    others = foreign(BRUGER, registration("bruger", [piece]))
    with pytest.raises(ValueError, match="LoRa holds"):
        with_foreign(to_object("customers", PERSON, TENANT, PLAIN), others)


DAYS = st.integers(0, 4000).map(lambda days: date(2015, 1, 1) + timedelta(days=days))


@given(st.lists(DAYS, min_size=2, max_size=6, unique=True).map(sorted), DAYS)
def test_each_says_its_own_at_every_moment(edges: list[date], day: date) -> None:
    """Foreign values in periods that touch; at any day an installation says its own and what holds of the others."""
    pieces = [
        {"omfang": str(number), "virkning": {"from": f"{start} 00:00:00+00", "to": f"{end} 00:00:00+00"}}
        for number, (start, end) in enumerate(pairwise(edges))
    ]
    ours = to_object("installations", INSTALLATION, TENANT, PLAIN)
    body, _ = with_foreign(ours, foreign(KLASSE, registration("klasse", pieces)))
    moment = f"{day}T12:00:00+00:00"

    def said(group: Json) -> list[Json]:
        found = group["attributter"]["klasseegenskaber"]
        return [
            {name: value for name, value in piece.items() if name != "virkning"}
            for piece in found
            if holds(piece["virkning"], moment)
        ]

    theirs = [piece["omfang"] for piece in pieces if holds(piece["virkning"], moment)]
    expected = [own | ({"omfang": theirs[0]} if theirs else {}) for own in said(ours)]
    assert said(body) == expected


def holds(virkning: Json, moment: str) -> bool:
    def at(text: str) -> float:
        if text in ("infinity", "-infinity"):
            return float(text.replace("infinity", "inf"))
        return datetime.fromisoformat(text).timestamp()

    return at(virkning["from"]) <= at(moment) < at(virkning["to"])


def test_without_what_others_put_there_an_object_says_what_we_wrote_and_still_shows_what_others_changed() -> None:
    ours = to_object("customers", PERSON, TENANT, PLAIN)
    piece = {"brugertype": "privat", "integrationsdata": '{"arosia_rute":"4"}', "virkning": SINCE}
    items = {
        "adresser": [{"urn": "urn:arosia_tel:86999999", "virkning": SINCE}],
        "tilknyttedeitsystemer": [{"uuid": UUIDS[0], "virkning": SINCE}],
    }
    body, _ = with_foreign(ours, foreign(BRUGER, registration("bruger", [piece], items)))
    found = {"id": UUIDS[1], "registreringer": [body]}
    assert not same_content(ours, found)
    assert same_content(ours, without_foreign(BRUGER, found))
    renamed = {
        **body,
        "attributter": {
            "brugeregenskaber": [{**each, "brugernavn": "Anden"} for each in body["attributter"]["brugeregenskaber"]]
        },
    }
    assert not same_content(ours, without_foreign(BRUGER, {"id": UUIDS[1], "registreringer": [renamed]}))
