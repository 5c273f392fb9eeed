"""`integration-assets crm-mapping`: the mapping to Dynamics CRM 365 that the settings put in force."""

from rich.console import Console
from rich.table import Table

from integration_assets.domain.crm.markdown import COLUMNS, document, rows
from integration_assets.domain.crm.tables import MappingFault
from integration_assets.flows.crm_mapping import mapping_in_force
from integration_assets.settings import Settings


def show_mapping(*, markdown: bool) -> int:
    """Runs the command; returns its exit code: 1 where the mapping file does not do."""
    try:
        by = mapping_in_force(Settings())
    except MappingFault as fault:
        Console(stderr=True, highlight=False).print(str(fault), markup=False)
        return 1
    if markdown:
        print(document(by))
        return 0
    console = Console(width=None if Console().is_terminal else 200, highlight=False)
    for entity, facts in by.tables.items():
        table = Table(*COLUMNS, title=f"{entity} → {facts.set_name}", title_justify="left")
        for row in rows(entity, by):
            table.add_row(*row)
        console.print(table)
    return 0
