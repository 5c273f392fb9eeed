"""One column of the mapping to Dynamics CRM 365: what it is filled from, in which form, and whose value counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

from integration_assets.domain.schema import DataType

Kind = Literal["text", "integer", "option", "boolean", "date", "lookup"]

Owner = Literal["ours", "first_writer", "crm", "status"]
"""Whose value counts.

"ours" is sent whenever it changes, "first_writer" only where the CRM has none (people there may keep their own), "crm"
never. "status" carries the end of the thing.
"""

Rule = Literal["as_is", "degrees", "metres", "open_end", "state", "status"]
"""How a value is written.

"degrees" with 8 decimals, "metres" with 2, both as text; "open_end": no date is 9999-12-31; "state" and "status": the
pair of numbers of an active or an ended row.
"""

Misfit = Literal["cut", "blank", "reject"]
"""What becomes of a value that the CRM would refuse.

"cut" keeps its beginning, "blank" sends none, "reject" keeps the whole row back. Either way it is reported.
"""

_DTYPES: Final[dict[Kind, DataType]] = {
    "text": pl.String,
    "integer": pl.Int64,
    "option": pl.Int64,
    "boolean": pl.Boolean,
    "date": pl.Date,
    "lookup": pl.String,
}


@dataclass(frozen=True)
class Field:
    """One CRM column.

    `name` is the column, for a lookup the navigation property; `sources` the columns it is computed from; `value` the
    one of the mapping's values that is written (default: the first source's column). `target` is the entity set that a
    lookup points to. `max_length` is the CRM's limit in characters where it is known (150, 80 and 100 for names by the
    original integration's experience; 160 and 100 are Dataverse's own for account names and e-mail addresses);
    `options` the option set by the value's text. `column` is how this CRM calls the column, where not `name`.
    """

    name: str
    kind: Kind
    sources: tuple[str, ...]
    description: str
    max_length: int | None = None
    owner: Owner = "ours"
    target: str | None = None
    sealed: bool = False
    value: str = ""
    rule: Rule = "as_is"
    options: Mapping[str, int] | None = None
    misfit: Misfit = "cut"
    column: str = ""

    def __post_init__(self) -> None:
        if (self.kind == "lookup") != (self.target is not None):
            raise ValueError(f"Field {self.name}: exactly the lookups name a target set.")
        if self.misfit == "cut" and self.kind != "text" and self.options is not None:
            raise ValueError(f"Field {self.name}: only a text can be cut.")
        if not self.value:
            object.__setattr__(self, "value", self.sources[0].rpartition(".")[2])
        if not self.column:
            object.__setattr__(self, "column", self.name)

    @property
    def dtype(self) -> DataType:
        """The polars type of the column in the `cache/*` table."""
        return _DTYPES[self.kind]
