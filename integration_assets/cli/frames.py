"""Frames as an operator sees them: as tables of the terminal, business keys masked."""

import polars as pl
from rich.table import Table

from integration_assets.domain.differences import masked_personal_numbers


def masked_keys(frame: pl.DataFrame) -> pl.DataFrame:
    """Business keys are numbers of customers and installations; what looks like another one is masked all the same."""
    return frame.with_columns(masked_personal_numbers("business_key"))


def frame_table(title: str, rows: pl.DataFrame) -> Table:
    """All columns of a frame, whole numbers to the right, nulls blank."""
    table = Table(title=title, title_justify="left")
    for name, dtype in rows.schema.items():
        table.add_column(name, justify="right" if dtype.is_integer() else "left", overflow="fold")
    for row in rows.iter_rows():
        table.add_row(*("" if value is None else str(value) for value in row))
    return table
