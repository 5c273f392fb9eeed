"""What installation accounts must show at the town's current day, by plain loops: one per party and installation."""

from typing import Any

from integration_assets.sandbox.town_model import Customer, Installation

Json = dict[str, Any]


def accounts_today(rows: list[Customer], held: dict[int, list[tuple[Installation, list[Any]]]], day: str) -> list[Json]:
    """The accounts that show a contract: customer_number, installation, status, contract_start, contract_end,
    meter_number and meter_type. A contract in force counts, by the latest move-in; else the one that ended last."""
    contracts: dict[tuple[str | None, int], list[Customer]] = {}
    installations: dict[int, Installation] = {}
    for row in rows:
        for installation, _meter in held[row.number]:
            installations[installation.number] = installation
            contracts.setdefault((row.party, installation.number), []).append(row)
    return [
        _account(max(several, key=lambda row: _claim(row, day)), installations[number], day)
        for (_party, number), several in contracts.items()
    ]


def _claim(row: Customer, day: str) -> tuple[bool, str]:
    in_force = row.moved_in <= day and (row.moved_out is None or day < row.moved_out)
    return in_force, row.moved_in if in_force else row.moved_out or ""


def _account(row: Customer, installation: Installation, day: str) -> Json:
    meters = [meter for meter in installation.meters if meter[4] <= day and (meter[5] is None or day < meter[5])]
    in_force, _ = _claim(row, day)
    return {
        "customer_number": str(row.number),
        "installation": str(installation.number),
        "status": "ACTIVE" if in_force else "ENDED",
        "contract_start": row.moved_in,
        "contract_end": row.moved_out,
        "meter_number": meters[-1][1] if meters else None,
        "meter_type": meters[-1][2] if meters else None,
    }
