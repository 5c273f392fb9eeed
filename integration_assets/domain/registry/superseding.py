"""How an object that another stands for ends in the registry (LoRa): nothing is taken away, its end is laid over it.

Duplicates, and roles that nobody has, are made inactive from a day on by a PATCH. All that they say, also what other
systems added, stays readable; who refers to them finds them, inactive.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

import polars as pl

from integration_assets.domain.registry.content import moment
from integration_assets.domain.registry.time import ALWAYS_TO, Period, midnight, period_of, validity

Json = dict[str, Any]

SUPERSEDED: Final = "superseded"
"""The entity under which deliveries keep such objects, by their uuid in the registry."""

SUPERSEDED_ROWS: Final = pl.Schema({"entity": pl.String, "lora_class": pl.String, "ended_on": pl.Date})
"""What is delivered of an object that ends because another one stands for it: its class, and the day it ends on."""

_STATES: Final = {
    "organisation/bruger": ("brugergyldighed", "gyldighed", "Aktiv", "Inaktiv"),
    "organisation/organisation": ("organisationgyldighed", "gyldighed", "Aktiv", "Inaktiv"),
    "organisation/interessefaellesskab": ("interessefaellesskabgyldighed", "gyldighed", "Aktiv", "Inaktiv"),
    "organisation/organisationfunktion": ("organisationfunktiongyldighed", "gyldighed", "Aktiv", "Inaktiv"),
    "klassifikation/klasse": ("klassepubliceret", "publiceret", "Publiceret", "IkkePubliceret"),
    "indsats/indsats": ("indsatsfremdrift", "fremdrift", "Disponeret", "Leveret"),
}
"""Group of the state, its name, and what it is while an object runs and afterwards."""


def superseded(
    adopted: pl.DataFrame,
    desired_ids: pl.Series,
    delivered_ids: pl.Series,
    unresolved_co_customers: Collection[str],
) -> pl.DataFrame:
    """The adopted objects that end: object_id (the registry's uuid), business_key, supply_area, SUPERSEDED_ROWS.

    `adopted` is the cross reference with `adopted_on`, on which they end; `desired_ids` are computed ids of all objects
    that a run ever desired, `delivered_ids` of those that stand in the registry. An object ends when who stands for it
    was delivered, not before; a role that nobody has, and an object that stands for nothing, when their customer number
    has been read. Where a co-customer of the number could not be identified, what may be hers goes on.
    """
    wanted = pl.col("object_id").is_in(desired_ids.implode()).fill_null(False)
    taken_over = pl.col("object_id").is_in(delivered_ids.implode()).fill_null(False)
    relations = adopted.filter((pl.col("entity") == "customer_relations") & wanted & ~pl.col("superseded"))
    read = pl.col("business_key").is_in(relations.get_column("business_key").implode()) & ~pl.col("business_key").is_in(
        list(unresolved_co_customers)
    )
    stray = (pl.col("entity") == "customer_roles") & ~pl.col("superseded") & ~wanted & read
    duplicate = pl.col("superseded") & pl.when(pl.col("object_id").is_null()).then(read).otherwise(taken_over)
    stray_twice = pl.col("superseded") & (pl.col("entity") == "customer_roles") & ~wanted & read
    return (
        adopted.filter(stray | duplicate | stray_twice)
        .select(
            pl.col("registry_id").alias("object_id"),
            "business_key",
            "supply_area",
            "entity",
            "lora_class",
            pl.col("adopted_on").alias("ended_on"),
        )
        .sort("business_key", "object_id")
    )


def ending(lora_class: str, found: Mapping[str, Any], day: str, actor: str) -> Json | None:
    """The PATCH that makes the object inactive from the business day on; None where it is so already.

    `found` is the object with all its periods. An agreement (indsats) also gets its end (sluttidspunkt) from that day.
    """
    registration: Mapping[str, Any] = found["registreringer"][0]
    group, state, running, ended = _STATES[lora_class]
    begin = moment(midnight(day)) or ""
    states: Mapping[str, list[Mapping[str, Any]]] = registration.get("tilstande") or {}
    runs_on = [piece for piece in states.get(group) or [] if piece.get(state) == running and _reaches(piece, begin)]
    if not runs_on:
        return None
    from_then_on = validity(Period(day, None), actor)
    body: Json = {"tilstande": {group: [{state: ended, "virkning": from_then_on}]}}
    if lora_class == "indsats/indsats" and (pieces := _ended_pieces(registration, day, begin)):
        body["attributter"] = {"indsatsegenskaber": pieces}
    return body


def runs_on(lora_class: str, registration: Mapping[str, Any]) -> bool:
    """Whether a registration, with all its periods, says that the object is active for ever."""
    group, state, running, _ended = _STATES[lora_class]
    states: Mapping[str, list[Mapping[str, Any]]] = registration.get("tilstande") or {}
    return any(piece.get(state) == running and period_of(piece).end is None for piece in states.get(group) or [])


def _ended_pieces(registration: Mapping[str, Any], day: str, begin: str) -> list[Json]:
    """The end of an agreement, laid over what is said after it; nothing is said where nothing was."""
    groups: Mapping[str, list[Mapping[str, Any]]] = registration.get("attributter") or {}
    pieces: list[Json] = []
    for piece in groups.get("indsatsegenskaber") or []:
        if not _reaches(piece, begin):
            continue
        virkning = dict(piece["virkning"])
        if (moment(virkning["from"]) or "") < begin:
            virkning["from"] = midnight(day)
        pieces.append({"sluttidspunkt": midnight(day), "virkning": virkning})
    return pieces


def _reaches(piece: Mapping[str, Any], begin: str) -> bool:
    end: str = piece["virkning"]["to"]
    return end == ALWAYS_TO or (moment(end) or "") > begin
