"""What was true on a business day, by the truths that a town told on each day played.

What a source dates (moves, meters, registers) is told by the last truth, corrections of the past included. What no
source dates was true, on a day, as the truth of that day told it, or as the first one did that knew the object.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

Json = dict[str, Any]

NAMELESS = "Varme, Fjernvarmeaftale"
CONTACT_FIELDS = ("user_key", "kmd_name", "master_id", "phone", "mobile", "email")


@dataclass(frozen=True)
class Truths:
    """The truth of day 0 and of each day after it, in order."""

    told: Sequence[Json]

    @property
    def last(self) -> Json:
        """The truth of the last day."""
        return self.told[-1]

    def contact(self, number: str, day: str) -> Json:
        """A party, named by its number of the last day."""
        contact = self.last["contacts"][number]
        dated = {field: _on(line, day) for field, line in contact["history"].items()}
        names = [number, *(value for _since, value in contact["history"].get("number", []))]
        then = self._then("contacts", names, day)
        undated = {field: then[field] for field in CONTACT_FIELDS}
        name = {} if contact["kind"] == "company" else {"name": then["name"]}
        return {**contact, "number": number, **dated, **undated, **name, "active": not _over(contact["ended_on"], day)}

    def account(self, number: str, day: str) -> Json | None:
        """A customer relation; None before it begins."""
        account = self.last["accounts"][number]
        if day < account["valid_from"]:
            return None
        then = self._then("accounts", [number], day)
        active = not _over(account["valid_to"], day)
        return {"name": then["name"], "active": active, "address_id": then["address_id"] if active else "any"}

    def agreement(self, number: str, day: str) -> Json | None:
        """An agreement; None before it begins."""
        agreement = self.last["agreements"][number]
        if day < agreement["valid_from"]:
            return None
        active = not _over(agreement["valid_to"], day)
        had = self._had(agreement, day)
        billed = self._then("agreements", [number], day)["billing_address_id"]
        return {
            "name": f"Varme, {_title(had[0][1])}" if had else NAMELESS,
            "product_count": str(len(had)),
            "billing_address_id": billed if active else "any",
            "active": active,
            "installations": sorted(name for name, meter in had if active and not _over(meter[4], day)),
        }

    def installation(self, number: str, day: str) -> Json | None:
        """An installation; None before it begins."""
        installation = self.last["installations"][number]
        if day < installation["valid_from"]:
            return None
        meter = [each for each in installation["meters"] if each[3] <= day][-1]
        active = not _over(installation["valid_to"], day)
        place = self._then("installations", [number], day)["own_address_id"]
        return {"title": _title(meter), "active": active, "place": place if active else None}

    def roles(self, day: str) -> set[tuple[str, str, str]]:
        """Customer number, role code and party (by its number of the last day) of the roles in force."""
        return {
            (role["customer_number"], role["role_code"], role["party"])
            for role in self.last["roles"]
            if role["valid_from"] <= day and not _over(role["valid_to"], day)
        }

    def _had(self, agreement: Json, day: str) -> list[tuple[str, Any]]:
        """The installations that the agreement had by a day, by number, each with its last meter within it by then."""
        had: list[tuple[str, Any]] = []
        for number in sorted(agreement["installations"], key=int):
            meters = [
                meter
                for meter in self.last["installations"][number]["meters"]
                if max(meter[3], agreement["valid_from"]) <= day
                and meter[3] < (agreement["valid_to"] or "9999")
                and agreement["valid_from"] < (meter[4] or "9999")
            ]
            had += [(number, meters[-1])] if meters else []
        return had

    def _then(self, group: str, names: Sequence[str], day: str) -> Json:
        """An object, by any of its numbers, as the truth of the day told it, or the first after it that knows it."""
        days = (date.fromisoformat(day) - date.fromisoformat(self.told[0]["base_day"])).days
        for truth in self.told[max(0, min(days, len(self.told) - 1)) :]:
            known = [name for name in names if name in truth[group]]
            if known:
                return truth[group][known[0]]
        raise AssertionError(f"no truth knows {group} {names}")


def _on(line: Sequence[Any], day: str) -> Any:
    return [value for since, value in line if since is None or since <= day][-1]


def _over(end: str | None, day: str) -> bool:
    return end is not None and end <= day


def _title(meter: Any) -> str:
    return f"{meter[0]}, {meter[2]} {meter[1]}"
