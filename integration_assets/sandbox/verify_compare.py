"""Comparing what is there with what should be: object by object, field by field, in sentences.

No sentence shows a personal number.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]
Key = tuple[str, ...]

_PERSONAL: Final = frozenset({"number", "ava_cpr_nummer"})


@dataclass(frozen=True)
class Difference:
    """Something that is not as it should be; `known_by` is the customer, installation or address that people know."""

    system: str
    entity: str
    known_by: str
    text: str

    def __str__(self) -> str:
        return f"{self.system} {self.entity} {self.known_by}: {self.text}"


class Comparison:
    """Collects the differences of one system."""

    def __init__(self, system: str) -> None:
        self.system = system
        self.differences: list[Difference] = []

    def add(self, entity: str, known_by: str, text: str) -> None:
        """Note a difference."""
        self.differences.append(Difference(self.system, entity, known_by, text))

    def objects(
        self,
        entity: str,
        expected: Mapping[Key, Json],
        found: Iterable[tuple[Key, Json]],
        known_by: Mapping[Key, str] | None = None,
    ) -> None:
        """Compare objects by business key: missing, surplus, duplicate, and every field that is expected.

        `known_by` names keys in words where the key itself (a personal number) must not be shown.
        """
        grouped: dict[Key, list[Json]] = defaultdict(list)
        for key, fields in found:
            grouped[key].append(fields)
        for key in sorted(set(expected) | set(grouped)):
            name = (known_by or {}).get(key) or " ".join(masked(part) for part in key)
            copies = grouped.get(key, [])
            if key not in expected:
                self.add(entity, name, "stands there and should not")
                continue
            if not copies:
                self.add(entity, name, "is missing")
                continue
            if len(copies) > 1:
                self.add(entity, name, f"stands there {len(copies)} times")
            for field, wanted in expected[key].items():
                has = copies[0].get(field)
                if has != wanted:
                    shown = "differs" if field in _PERSONAL else f"is {has!r} and should be {wanted!r}"
                    self.add(entity, name, f"{field} {shown}")


def masked(text: str) -> str:
    """The text, or its first six digits when it looks like a personal number."""
    return f"{text[:6]}-xxxx" if len(text) == 10 and text.isdigit() else text
