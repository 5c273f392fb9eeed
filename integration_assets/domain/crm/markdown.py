"""The mapping to Dynamics CRM 365 as rows of text, and as a document."""

from collections.abc import Iterator
from typing import Final

from integration_assets.domain.crm.field import Field
from integration_assets.domain.crm.fields import DESCRIPTIONS, INSTALLATION_ACCOUNTS
from integration_assets.domain.crm.tables import CrmMapping

COLUMNS: Final = ("column", "from", "type", "form", "length", "does not fit", "whose", "meaning")

_OWNERS: Final = {"ours": "ours", "first_writer": "first writer", "crm": "the CRM's", "status": "ours (end)"}
_FORMS: Final = {
    "as_is": "",
    "degrees": "8 decimals",
    "metres": "2 decimals",
    "open_end": "open end: 9999-12-31",
    "state": "0, ended 1",
    "status": "1, ended 2",
}
_MISFITS: Final = {"cut": "cut", "blank": "left out", "reject": "row kept back"}

_HEAD: Final = """# Mapping to Dynamics CRM 365

Written by `integration-assets crm-mapping --markdown`; a test compares it with the tables in the code
(`integration_assets/domain/crm/standard.py`). What a utility has otherwise stands in the JSON file that
`INTEGRATION_CRM_MAPPING_FILE` names, by entity and field:

```json
{"contacts": {"firstname": {"max_length": 50}, "ava_virksomhedsform": {"owner": "crm"}},
 "addresses": {"ava_laengdegrad": {"value": "easting"}, "ava_breddegrad": {"value": "northing"}}}
```

A field may be given another `column` (name in the CRM), `value` (what is written), `rule` (in which form),
`max_length`, `options`, `owner` (`ours`, `first_writer`, `crm`: never written) and `misfit` (`cut`, `blank`,
`reject`). Lookups keep what they point at. A file that does not do is told, all its faults at once, by
`integration-assets crm-mapping` and before a run sends anything. Rows that were delivered before are not sent again
because a column is called otherwise.
"""


def rows(entity: str, by: CrmMapping) -> Iterator[tuple[str, ...]]:
    """The mapped columns of an entity as texts, one tuple of `COLUMNS` each."""
    for field in by.fields[entity]:
        yield (
            field.column,
            ", ".join(field.sources) or field.value,
            f"lookup → {field.target}" if field.target else field.kind,
            _form(field),
            "" if field.max_length is None else str(field.max_length),
            _MISFITS[field.misfit] if field.max_length is not None or field.options is not None else "",
            _OWNERS[field.owner],
            field.description,
        )


def document(by: CrmMapping) -> str:
    """The whole mapping as Markdown."""
    lines = [_HEAD]
    for entity in dict.fromkeys([*by.tables, INSTALLATION_ACCOUNTS]):
        facts = by.tables.get(entity)
        target = facts.set_name if facts else "the table that INTEGRATION_CRM_ACCOUNTS_TABLE names, if any"
        lines += [f"## {entity} → {target}", "", DESCRIPTIONS[entity], ""]
        lines += ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
        lines += ["| " + " | ".join(text.replace("|", "\\|") for text in row) + " |" for row in rows(entity, by)]
        lines.append("")
    return "\n".join(lines)


def _form(field: Field) -> str:
    if field.options is None:
        return _FORMS[field.rule]
    return ", ".join(f"{text} {number}" if text != str(number) else text for text, number in field.options.items())
