"""What the first integration left in the registry, for those who check what becomes of it."""

from dataclasses import asdict, dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass
class Planted:
    """All by uuid in the registry.

    `created`: every object by class. `faults`: [kind, class, uuid], those that are certain; there are more. `copies`:
    sets of objects that are the same one, of which one must stay: [class, [uuid, …]]. `ending`: objects that stand for
    nothing and must end. `unknown`: objects of customers whom the billing system has deleted; they stay. `waiting`:
    objects that stand for a co-customer whom nobody can tell; they stay until somebody can. `strangers`: objects of
    other owners or another utility, which nobody may touch: [class, uuid]. `added`: what another system put into
    objects of ours and that must stay: [class, uuid, relation or attribute, value].
    """

    created: dict[str, list[str]] = field(default_factory=dict)
    faults: list[list[str]] = field(default_factory=list)
    copies: list[list[Any]] = field(default_factory=list)
    ending: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    strangers: list[list[str]] = field(default_factory=list)
    added: list[list[str]] = field(default_factory=list)

    def fault(self, kind: str, lora_class: str, object_id: str) -> None:
        """Note a fault of an object."""
        self.faults.append([kind, lora_class, object_id])

    def as_json(self) -> Json:
        """Everything as plain values."""
        return asdict(self)
