"""What the tables of events and facts show, column by column, and where it comes from: for people and for lineage.

Neither is filled by the IO manager: both keep their own books, and their SQL is in `cache.tables`.
"""

from typing import Final

import polars as pl

from integration_assets.domain.schema import Column, EntityTable

_NUMBER: Final = ("resolved/customers.customer_number",)
_CALL: Final = ("billing/agreement_events.call",)
_PRODUCT: Final = ("kmd_ee/installations.meter_type", "kmd_ee/installations.meter_from")

AGREEMENT_EVENTS: Final = EntityTable(
    asset=("billing", "agreement_events"),
    key="event_id",
    description="What happened to agreements (aftaler) on each of their installations: moved in, moved out, dates "
    "changed or cleared, annulled, another product or price. Rows are only added.",
    columns=(
        Column("event_id", pl.Int64, "Number of the event: the order in which events happened"),
        Column("process_id", pl.String, "Id of the process that follows it: the same whenever the change is seen"),
        Column("installation", pl.String, "Installation", ("kmd_ee/installations.installation_number",)),
        Column("agreement_id", pl.String, "Uuid of the agreement in the registry", _NUMBER),
        Column("customer_number", pl.String, "Customer number (Kundenr)", _NUMBER),
        Column("contract", pl.String, "Contract on the installation; -2, -3 … where the agreement began anew", _NUMBER),
        Column("supply_area", pl.String, "Supply area (forsyningsområde)", ("resolved/customers.supply_area",)),
        Column("revision", pl.Int64, "How often the agreement had changed by then; one change has one"),
        Column(
            "kind",
            pl.String,
            "new_contract, move_out, change_move_out_date, cancel_contract_end, change_move_in_date, "
            "cancel_contract_start (annulled), product_change, product_change_cancel or contract_change",
        ),
        Column("day", pl.Date, "First day that the event changes"),
        Column("moved_in_before", pl.Date, "Move-in of the agreement before; null: it is new"),
        Column("moved_out_before", pl.Date, "Move-out (first day after) before; null: open"),
        Column("moved_in", pl.Date, "Move-in (tilflytning) after", ("resolved/customers.moved_in",)),
        Column("moved_out", pl.Date, "Move-out (fraflytning) after; null: open", ("resolved/customers.moved_out",)),
        Column("product_before", pl.String, "Product on that day before"),
        Column("product", pl.String, "Product on that day after", _PRODUCT),
        Column("call", pl.String, "The process asked for, as JSON", ("resolved/customers.party_id", *_PRODUCT)),
        Column("seen_on", pl.Date, "Business day on which the change was seen"),
        Column("outcome", pl.String, "waiting, carried_out, refused or superseded"),
        Column("why", pl.String, "Why it was refused"),
        Column("settled_on", pl.Date, "Business day on which it was carried out or superseded"),
    ),
)

INSTALLATION_FACTS: Final = EntityTable(
    asset=("billing", "installation_facts"),
    key="operand",
    partition="installation",
    description="Facts of installations (anlægsfakta): which value of each operand holds when, who wrote it and why. "
    "View fact_slice; each process is in fact_journal.",
    columns=(
        Column("installation", pl.String, "Installation", ("billing/agreement_events.installation",)),
        Column("operand", pl.String, "Operand"),
        Column("season", pl.String, "Season; blank: the whole year"),
        Column("valid_from", pl.Date, "First day (AB)", _CALL),
        Column("valid_to", pl.Date, "Last day (BIS); 9999-12-31: none", _CALL),
        Column("value", pl.String, "Value as JSON", _CALL),
        Column("inactive", pl.Boolean, "Remembered after a move-out, not in force (INAKTIV)"),
        Column("binding", pl.String, "CONSTANT, PARAMETER, VIRTUAL or MANUAL: where the value comes from"),
        Column("contract", pl.String, "Contract that it was written for", ("billing/agreement_events.contract",)),
        Column("product", pl.String, "Product whose template wrote it", ("billing/agreement_events.product",)),
        Column("process", pl.String, "Process that wrote it", ("billing/agreement_events.process_id",)),
        Column("previous_valid_to", pl.Date, "Last day before it was shortened (ALTBIS)"),
        Column("cut_by_move_out", pl.Boolean, "Shortened by a move-out (MAUSZUG)"),
        Column("billed_until", pl.Date, "Last day that has been billed"),
    ),
)
