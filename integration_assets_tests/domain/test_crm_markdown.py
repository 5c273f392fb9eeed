"""The document of the mapping is the mapping."""

from pathlib import Path

from integration_assets.domain.crm.fields import FIELDS, INSTALLATION_ACCOUNTS, TABLE_FACTS
from integration_assets.domain.crm.markdown import COLUMNS, document, rows
from integration_assets.domain.crm.tables import STANDARD, changed

DOCUMENT = Path(__file__).parents[2] / "docs" / "crm_mapping.md"


def test_the_document_is_up_to_date() -> None:
    """Else: `integration-assets crm-mapping --markdown > docs/crm_mapping.md`, without a mapping file."""
    assert DOCUMENT.read_text(encoding="utf-8").rstrip("\n") == document(STANDARD).rstrip("\n")


def test_it_has_every_column_once() -> None:
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    names = [line.split(" | ")[0].removeprefix("| ") for line in lines if line.count(" | ") == len(COLUMNS) - 1]
    assert [name for name in names if name != "column"] == [
        field.name for entity in (*TABLE_FACTS, INSTALLATION_ACCOUNTS) for field in FIELDS[entity]
    ]


def test_a_changed_field_is_shown_as_it_is_in_force() -> None:
    by = changed({"contacts": {"firstname": {"column": "new_fornavn", "max_length": 40, "misfit": "reject"}}})
    shown = next(row for row in rows("contacts", by) if row[0] == "new_fornavn")
    assert dict(zip(COLUMNS, shown, strict=True)) | {"meaning": ""} == {
        "column": "new_fornavn",
        "from": "lora/customers.first_name, lora/customers.name",
        "type": "text",
        "form": "",
        "length": "40",
        "does not fit": "row kept back",
        "whose": "ours",
        "meaning": "",
    }
