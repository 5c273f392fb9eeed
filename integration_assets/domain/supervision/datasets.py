"""Datasets: the records that a synchronisation brings across, by class, and which of them are not OK.

A dataset is an object of the delivery table, or a record that was rejected before it became one. Its state follows from
what became of it:

| state | delivery | rejection |
|---|---|---|
| CREATED | waiting | |
| IN_PROGRESS | waiting, and being sent at this moment | |
| ERROR | failed, refused | open |
| DONE_OK (périmé OK) | delivered | closed |
| DISCARDED | acknowledged for good | acknowledged for good |

DONE_OK and DISCARDED are OK, the rest is not. A snoozed one is not OK: nothing was decided about it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

import polars as pl

ClassName = Literal["installation", "notification", "claim", "aftale"]

NOT_OK = pl.Schema({"kind": pl.String, "name": pl.String, "total": pl.Int64, "today": pl.Int64})
"""Datasets not OK: kind (delivery, rejection), name (system/entity, asset), of all days, created today."""


@dataclass(frozen=True, kw_only=True)
class DatasetClass:
    """Which deliveries (system/entity) and rejections (asset) make up a class, as patterns with `*`.

    Rows that an outside system refused are deliveries; that they also stand on the worklist under crm/… does not count.
    """

    deliveries: tuple[str, ...] = ()
    rejections: tuple[str, ...] = ()
    label: str = ""
    """What the class is called where the words of the seed document are used."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - what a misspelt setting meets

    def holds(self, kind: str, name: str) -> bool:
        """Whether these deliveries or rejections belong to the class."""
        patterns = self.deliveries if kind == "delivery" else self.rejections
        return any(fnmatchcase(name, pattern) for pattern in patterns)


STANDARD_CLASSES: Mapping[ClassName, DatasetClass] = {
    "installation": DatasetClass(
        label="Interventions",
        deliveries=("lora/installations", "crm/installations"),
        rejections=("kmd_ee/installations", "resolved/installation_addresses", "cache/installations"),
    ),
    "notification": DatasetClass(
        label="Temps des collaborateurs", deliveries=("notifications/*",), rejections=("notifications/*",)
    ),
    "claim": DatasetClass(label="Pièces", deliveries=("dmi/*", "claims/*"), rejections=("claims/*",)),
    "aftale": DatasetClass(
        label="Pièces",
        deliveries=("lora/agreements", "crm/agreements", "crm/agreement_*"),
        rejections=("cache/agreements",),
    ),
}
"""The classes of the indicators; the setting supervision_classes replaces single ones."""


def not_ok(
    classes: Mapping[ClassName, DatasetClass], found: pl.DataFrame, names: Collection[ClassName], column: str
) -> int:
    """How many datasets of these classes are not OK: `total` or `today` of `found` (NOT_OK). Each counts once."""
    return sum(
        row[column]
        for row in found.iter_rows(named=True)
        if any(classes[name].holds(row["kind"], row["name"]) for name in names)
    )
