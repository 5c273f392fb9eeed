"""Objects of a registry that others filled, as frames: what they say by themselves and what they refer to.

Everything here is in the registry's own uuids; which object of ours each one is, is told by `domain.registry.adoption`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from integration_assets.domain.registry.content import ENDED, moment
from integration_assets.domain.registry.keeping import foreign
from integration_assets.domain.registry.reading import from_object
from integration_assets.domain.registry.references import pieces, targets
from integration_assets.domain.registry.superseding import runs_on
from integration_assets.domain.registry.time import period_of
from integration_assets.domain.tables import REGISTRY_ROWS

_COMMON: Final = {
    "registry_id": pl.String,
    "lora_class": pl.String,
    "since": pl.String,  # first moment that anything of it is valid from; the older of two duplicates has the lower
    "runs_on": pl.Boolean,  # active without end
    "life_cycle": pl.String,  # livscykluskode
    "others": pl.List(pl.String),  # what is not ours in it: `keeping.Foreign.names`
    "lost": pl.List(pl.String),  # what of that a PUT would lose
}
_MORE: Final[dict[str, dict[str, Any]]] = {
    "customers": {},
    "customer_relations": {},
    "customer_roles": {"parties": pl.List(pl.String), "relations": pl.List(pl.String)},
    "installations": {"titles": pl.List(pl.String)},
    "agreements": {
        "said_from": pl.Date,  # first day that it is valid from, whatever it says of its beginning
        "product_count": pl.String,
        "documents": pl.Int64,
        "relations": pl.List(pl.String),
    },
}

FOUND: Final[dict[str, pl.Schema]] = {
    entity: pl.Schema({**_COMMON, **rows, **_MORE[entity]}) for entity, rows in REGISTRY_ROWS.items()
}
"""Columns by entity: the common ones, those of REGISTRY_ROWS (with the registry's uuids), and what only a registry that
others filled has: several targets of one relation, titles of meters, a number of products written down."""


@dataclass(frozen=True)
class Found:
    """Objects of ours that the registry has, a frame of FOUND per entity."""

    customers: pl.DataFrame
    customer_relations: pl.DataFrame
    customer_roles: pl.DataFrame
    installations: pl.DataFrame
    agreements: pl.DataFrame

    def of(self, entity: str) -> pl.DataFrame:
        """The frame of an entity."""
        frame: pl.DataFrame = getattr(self, entity)
        return frame


def found_frame(entity: str, objects: Iterable[tuple[str, Mapping[str, Any]]]) -> pl.DataFrame:
    """The frame of FOUND for objects of an entity, each with its class, read with all their periods of validity."""
    rows = [json.dumps(_row(entity, lora_class, each)) for lora_class, each in objects]
    decoded = pl.Series("row", rows, dtype=pl.String).str.json_decode(pl.Struct(FOUND[entity]))
    return decoded.to_frame().unnest("row")


def is_live(frame: pl.DataFrame) -> pl.DataFrame:
    """The objects that are neither deleted nor passive."""
    return frame.filter(~pl.col("life_cycle").is_in(list(ENDED)))


def _row(entity: str, lora_class: str, found: Mapping[str, Any]) -> dict[str, Any]:
    registration: Mapping[str, Any] = found["registreringer"][0]
    others = foreign(lora_class, registration)
    everything = [piece for part in ("attributter", "tilstande", "relationer") for piece in pieces(registration, part)]
    starts = [moment(piece["virkning"]["from"]) or "" for piece in everything]
    common = {
        "registry_id": found["id"],
        "lora_class": lora_class,
        "since": min(starts, default=None),
        "runs_on": runs_on(lora_class, registration),
        "life_cycle": registration.get("livscykluskode", ""),
        "others": others.names(),
        "lost": list(others.lost),
    }
    return {**common, **from_object(entity, found), **_more(entity, registration)}


def _more(entity: str, registration: Mapping[str, Any]) -> dict[str, Any]:
    attributes = sorted(pieces(registration, "attributter"), key=lambda piece: period_of(piece).start or "")
    match entity:
        case "customer_roles":
            return {
                "parties": targets(registration, "tilknyttedebrugere"),
                "relations": targets(registration, "tilknyttedeinteressefaellesskaber"),
            }
        case "installations":
            return {"titles": [piece["titel"] for piece in attributes if piece.get("titel")]}
        case "agreements":
            counts = [str(piece["beskrivelse"]) for piece in attributes if piece.get("beskrivelse")]
            return {
                "said_from": min((period_of(piece).start or "" for piece in attributes), default="") or None,
                "product_count": counts[-1] if counts else None,
                "documents": len(targets(registration, "indsatsdokument")),
                "relations": targets(registration, "indsatsmodtager"),
            }
        case _:
            return {}
