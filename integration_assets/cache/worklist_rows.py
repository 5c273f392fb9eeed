"""What an item of the worklist is, and how rows of the tables rejection and delivery become one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, Literal

import sqlalchemy as sa

Kind = Literal["rejection", "delivery"]

REJECTIONS: Final = (
    "SELECT r.rejection_id, r.asset, r.supply_area, r.record_key, r.reason, r.text, r.customer_number, r.attempts, "
    "r.next_attempt_on, r.first_on, r.closed_on FROM rejection AS r"
)
DELIVERIES: Final = (
    "SELECT d.system, d.entity, d.object_id, d.business_key, d.areas, d.state, d.attempts, d.next_attempt_at, "
    "d.error_code, d.error_text, d.desired_at FROM delivery AS d"
)
TROUBLE: Final = "d.state IN ('failed', 'refused')"
IS_OBJECT: Final = "d.system = :system AND d.entity = :entity AND d.object_id = :object_id"

_STANDS: Final = "a.withdrawn_at IS NULL AND (a.until IS NULL OR a.until > :now)"
IS_ACKNOWLEDGED_REJECTION: Final = (
    "EXISTS (SELECT FROM acknowledgement AS a WHERE a.subject_kind = 'rejection' "
    f"AND a.subject_key = CAST(r.rejection_id AS text) AND {_STANDS})"
)
IS_ACKNOWLEDGED_DELIVERY: Final = (
    "EXISTS (SELECT FROM acknowledgement AS a WHERE a.subject_kind = 'delivery' "
    f"AND a.subject_key = d.system || '/' || d.entity || '/' || d.object_id AND {_STANDS})"
)

_INSTALLATIONS: Final = frozenset({"installations", "installation_addresses"})
_METER_SEPARATOR: Final = "|"


@dataclass(frozen=True)
class Item:
    """One thing that waits. `asset` is group/name of the asset that met it, `since` when it began to wait.

    `key` names it within its kind: the rejection's id, or system, entity and object id joined by slashes. `state` is
    open or closed of a rejection, that of its row of a delivery.
    """

    kind: Kind
    key: str
    asset: str
    reason: str
    text: str
    record_key: str
    customer_number: str | None
    installation_number: str | None
    areas: Sequence[str]
    attempts: int
    since: datetime
    next_attempt: date | datetime | None
    state: str

    @property
    def is_open(self) -> bool:
        """Whether it still waits."""
        return self.state in ("open", "failed", "refused")


def object_parts(key: str) -> dict[str, str]:
    """System, entity and object id of a delivery's key; what is no key names an object that nobody has."""
    system, _, rest = key.partition("/")
    entity, _, object_id = rest.partition("/")
    return {"system": system, "entity": entity, "object_id": object_id}


def of_rejection(row: sa.RowMapping) -> Item:
    """The item of a row of REJECTIONS."""
    is_installation = row["asset"].rpartition("/")[2] in _INSTALLATIONS
    return Item(
        kind="rejection",
        key=str(row["rejection_id"]),
        asset=row["asset"],
        reason=row["reason"],
        text=row["text"],
        record_key=row["record_key"],
        customer_number=row["customer_number"],
        installation_number=row["record_key"].partition(_METER_SEPARATOR)[0] if is_installation else None,
        areas=(row["supply_area"],),
        attempts=row["attempts"],
        since=datetime.combine(row["first_on"], datetime.min.time(), UTC),
        next_attempt=row["next_attempt_on"],
        state="open" if row["closed_on"] is None else "closed",
    )


def of_delivery(row: sa.RowMapping) -> Item:
    """The item of a row of DELIVERIES."""
    entity, key = row["entity"], row["business_key"]
    return Item(
        kind="delivery",
        key=f"{row['system']}/{entity}/{row['object_id']}",
        asset=f"{row['system']}/{entity}",
        reason=row["error_code"] or row["state"],
        text=row["error_text"] or "",
        record_key=key,
        customer_number=None if entity in ("installations", "addresses") else key,
        installation_number=key if entity == "installations" else None,
        areas=tuple(row["areas"]),
        attempts=row["attempts"],
        since=row["desired_at"],
        next_attempt=row["next_attempt_at"],
        state=row["state"],
    )
