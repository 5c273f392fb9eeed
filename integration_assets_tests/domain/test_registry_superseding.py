"""How objects end that others stand for, and when."""

from datetime import date
from typing import Any

import polars as pl

from integration_assets.domain.registry.adoption import ADOPTED
from integration_assets.domain.registry.superseding import ending, superseded
from integration_assets.sandbox.original_bodies import Bodies

Json = dict[str, Any]
ACTOR = "cccccccc-0000-4000-8000-000000000002"
BODIES = Bodies("cccccccc-0000-4000-8000-000000000001", ACTOR, extended=False)
DAY = "2026-03-01"
THEN_ON = {"from": f"{DAY}T00:00:00+01:00", "to": "infinity", "aktoerref": ACTOR, "aktoertypekode": "Bruger"}
SINCE = "2018-03-01 04:00:12+00"


def answered(body: Json) -> Json:
    return {"id": "x", "registreringer": [body]}


def test_a_party_becomes_inactive_and_nothing_else_of_it_changes() -> None:
    body = BODIES.person(SINCE, "0102804411", {"brugervendtnoegle": "1"}, {}, [])
    assert ending("organisation/bruger", answered(body), DAY, ACTOR) == {
        "tilstande": {"brugergyldighed": [{"gyldighed": "Inaktiv", "virkning": THEN_ON}]}
    }


def test_an_agreement_is_delivered_and_has_an_end() -> None:
    body = BODIES.agreement(SINCE, "2016-04-01", [], [], ACTOR, None)
    patch = ending("indsats/indsats", answered(body), DAY, ACTOR)
    assert patch is not None
    assert patch["tilstande"] == {"indsatsfremdrift": [{"fremdrift": "Leveret", "virkning": THEN_ON}]}
    (piece,) = patch["attributter"]["indsatsegenskaber"]
    assert piece["sluttidspunkt"] == f"{DAY}T00:00:00+01:00"
    assert (piece["virkning"]["from"], piece["virkning"]["to"]) == (f"{DAY}T00:00:00+01:00", "infinity")


def test_nothing_is_laid_over_what_says_nothing() -> None:
    """LoRa takes no attribute where the object has none."""
    body = BODIES.agreement(SINCE, "2016-04-01", [], [], ACTOR, None)
    (piece,) = body["attributter"]["indsatsegenskaber"]
    later = {**piece, "virkning": {**piece["virkning"], "from": "2026-06-01 00:00:00+02"}}
    gone = {**piece, "virkning": {**piece["virkning"], "to": "2020-01-01 00:00:00+01"}}
    patch = ending(
        "indsats/indsats", answered({**body, "attributter": {"indsatsegenskaber": [gone, later]}}), DAY, ACTOR
    )
    assert patch is not None
    (laid,) = patch["attributter"]["indsatsegenskaber"]
    assert laid["virkning"] == later["virkning"]


def test_what_has_ended_is_left_alone() -> None:
    body = BODIES.installation([1, "600", "qp", "K", "2015-01-01", "2020-01-01"], 4711, None)
    assert ending("klassifikation/klasse", answered(body), DAY, ACTOR) is None


def rows(*each: tuple[str, str, str | None, bool]) -> pl.DataFrame:
    """A cross reference: (uuid, entity, object id, superseded), all of customer number 1001."""
    return pl.DataFrame(
        [
            {
                "registry_id": uuid, "entity": entity, "lora_class": "organisation/bruger", "object_id": object_id,
                "business_key": "1001", "supply_area": "8000", "superseded": over, "adopted_on": date(2026, 3, 1),
            }
            for uuid, entity, object_id, over in each
        ],
        schema={**ADOPTED, "adopted_on": pl.Date},
    )  # fmt: skip


ADOPTED_ROWS = rows(
    ("relation", "customer_relations", "R", False),
    ("copy", "customer_relations", "R", True),
    ("role", "customer_roles", "A", False),
    ("stray", "customer_roles", "B", False),
    ("stray copy", "customer_roles", "B", True),
    ("of nobody", "customer_roles", None, True),
)


def ended(desired: str, unresolved: tuple[str, ...] = (), *, delivered: str | None = None) -> list[str]:
    stands = pl.Series(list(desired if delivered is None else delivered), dtype=pl.String)
    frame = superseded(ADOPTED_ROWS, pl.Series(list(desired), dtype=pl.String), stands, unresolved)
    assert set(frame["ended_on"]) <= {date(2026, 3, 1)}
    return sorted(frame["object_id"])


def test_copies_end_once_who_stands_for_them_is_there_and_roles_once_their_number_was_read() -> None:
    assert ended("") == []
    assert ended("RA") == ["copy", "of nobody", "stray", "stray copy"]
    assert ended("RAB") == ["copy", "of nobody", "stray copy"]


def test_nothing_ends_before_who_stands_for_it_was_delivered_and_a_role_that_waits_is_no_stray() -> None:
    assert ended("RAB", delivered="") == ["of nobody"]
    assert ended("RA", delivered="A") == ["of nobody", "stray", "stray copy"]


def test_where_a_co_customer_could_not_be_identified_roles_go_on() -> None:
    assert ended("RA", ("1001",)) == ["copy"]
