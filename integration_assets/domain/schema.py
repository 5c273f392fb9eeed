"""What a table of the product is: its columns, where they come from and how they are kept.

The registries (`domain.tables`, `domain.crm.fields`) are written with these classes; the cache builds its SQL tables
from them, the assets their column schema and lineage, the documentation its lists. Nothing here knows a database.
"""

from dataclasses import dataclass

import polars as pl

DataType = pl.DataType | type[pl.DataType]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    `sources` name the columns it is computed from, as ``"group/asset.column"`` (or ``"KMD EE.Kunde.Kundenr"`` for the
    outside world). `sealed` columns hold personal numbers and are encrypted at rest.
    """

    name: str
    dtype: DataType
    description: str
    sources: tuple[str, ...] = ()
    sealed: bool = False


@dataclass(frozen=True)
class EntityTable:
    """A table of the cache that one asset fills.

    A row is identified by its partition (`partition`, normally the supply area) together with its `key`: the same
    object may stand in several partitions, e.g. a person with homes in two supply areas.
    """

    asset: tuple[str, str]
    key: str
    description: str
    columns: tuple[Column, ...]
    partition: str = "supply_area"

    @property
    def name(self) -> str:
        """The SQL name: group and asset joined by an underscore."""
        return "_".join(self.asset)

    @property
    def schema(self) -> pl.Schema:
        """The polars schema of a frame of this table, columns in order."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    @property
    def sealed(self) -> frozenset[str]:
        """Names of the columns that are encrypted at rest."""
        return frozenset(column.name for column in self.columns if column.sealed)

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names):
            raise ValueError(f"Table {self.name} names a column twice.")
        for needed in (self.key, self.partition):
            if needed not in names:
                raise ValueError(f"Table {self.name} lacks its column {needed!r}.")
