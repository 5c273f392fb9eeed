"""The end of relations that the billing system tells nothing of any more."""

from datetime import date

import polars as pl

from integration_assets.domain.registry.ending import ended
from integration_assets.domain.tables import REGISTRY_ROWS

BEGAN, ENDS, EARLIER, LATER = date(2020, 3, 1), date(2026, 9, 1), date(2024, 1, 1), date(2027, 1, 1)


def test_what_is_open_ends_and_what_has_ended_or_not_begun_has_no_day_more() -> None:
    roles = pl.DataFrame(
        {
            "object_id": ["open", "ended", "to begin", "of old", "to end later"],
            "valid_from": [BEGAN, BEGAN, LATER, None, BEGAN],
            "valid_to": [None, EARLIER, None, None, LATER],
        },
        schema={"object_id": pl.String, "valid_from": pl.Date, "valid_to": pl.Date},
    )
    rows = ended(roles, ENDS)
    assert dict(rows.select("object_id", "valid_to").iter_rows()) == {
        "open": ENDS,
        "ended": EARLIER,
        "to begin": LATER,
        "of old": ENDS,
        "to end later": ENDS,
    }
    assert rows.drop("valid_to").equals(roles.drop("valid_to"))
    assert ended(rows, ENDS).equals(rows)


def test_the_installations_of_an_agreement_end_with_it() -> None:
    def installation(name: str, start: date | None, end: date | None) -> dict[str, object]:
        return {"installation_id": name, "from": start, "to": end}

    schema = pl.Schema({"object_id": pl.String, **REGISTRY_ROWS["agreements"]})
    given = [
        installation("a", BEGAN, None),
        installation("b", BEGAN, EARLIER),
        installation("c", LATER, None),
        installation("d", None, LATER),
    ]
    agreements = pl.DataFrame(
        [
            {"object_id": "1", "valid_from": BEGAN, "installations": given},
            {"object_id": "2", "valid_from": BEGAN, "installations": []},
            {"object_id": "3", "valid_from": BEGAN, "installations": [installation("e", LATER, None)]},
        ],
        schema=schema,
    )
    rows = ended(agreements, ENDS)
    assert rows.schema == schema
    assert rows["installations"].to_list() == [
        [installation("a", BEGAN, ENDS), installation("b", BEGAN, EARLIER), installation("d", None, ENDS)],
        [],
        [],
    ]
