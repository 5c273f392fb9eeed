"""Switches of the debt authority: how fast it works, where statuses go, and what goes wrong.

Belongs here: what can be switched, where it is kept, reading and setting it, and the dice. The connection itself fails
by the fault plans of all systems. Switches live in the store, hold from the next delivery on, end with a reset.
"""

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Final

from integration_assets.sandbox.store import Store

COLLECTION = "dmi:behaviour"
_KEY = "now"

Json = dict[str, Any]

TEXTS: Final = {
    902: "Generel forretningsfejl ved opdatering af fordring",
    911: "Generel forretningsfejl i kaldende system",
    912: "Generel forretningsfejl, stamdata",
    913: "Generel forretningsfejl, administrationsdata",
    914: "Søgeresultat gav for stort udvalg",
    915: "Valideringsfejl af fremsendt input",
    921: "Kompleks fejl. Fejlhåndtering drives af DMI",
    922: "Forretningsfejl i DMI. Tilretning pågår",
    930: "Midlertidig teknisk fejl",
    950: "Varig teknisk fejl",
    990: "Transaktion ID er allerede registreret",
    991: "Service processering er ikke tilladt",
    992: "Transaktion ID er allerede processeret",
    993: "Feltlængde på TransaktionsID > 255 karakterer",
    994: "Autorisation tillader ikke handling",
    999: "Validering ikke mappet",
    -1: "Ukendt systemfejl",
    -3: "Service ikke tilgængelig",
    -4: "Kompensering ikke mulig",
}
"""Texts of error answers, as far as the service description has a wording for the number."""

UNCERTAIN: Final = frozenset({-1, -3, -4})
"""Errors on the way, after which nobody knows whether the delivery was taken."""


@dataclass(frozen=True)
class Behaviour:
    """How the authority behaves. The defaults are those of a friendly day.

    Pace: `automatic` works on deliveries by itself, `process_after_s` after they came; else only when it is told to.
    `now` is an ISO moment that stands for the present; empty: the day of the town, by the clock. Statuses are posted to
    `creditor_url`, again every `repeat_after_s` until they are answered with 200; without it they are files.

    Answers: `answers` are shares of deliveries that get an error number, by number; `next_answers` the numbers of the
    next ones, 0 for none. A number refuses the delivery and uses its transaction id up, except those of `UNCERTAIN`:
    of these deliveries `taken_share` is taken all the same, and the others leave no trace. `garbled_share` are taken
    and answered with something that is no XML. `closed` refuses everything with 991; `duplicate_number` is what a
    transaction id gets that came before: 990 or 992.

    Decisions: `rejections` are shares of actions that are rejected whatever the rules say, by number. `casework_share`
    of actions go through a caseworker (SAGSBEHANDL) before they are decided.

    Statuses: `received_share` of actions are told of as MODTAGET once more, by a status. Of statuses,
    `duplicate_share` come twice, `reorder_share` of those that are not final come after the final one, and
    `delay_share` come `delay_s` later. `orphan_share` of final ones bring along one about an action nobody sent.
    """

    automatic: bool = True
    process_after_s: float = 1.0
    now: str = ""
    creditor_url: str = ""
    repeat_after_s: float = 1.0
    answers: Mapping[str, float] = field(default_factory=dict)
    next_answers: tuple[int, ...] = ()
    taken_share: float = 0.5
    garbled_share: float = 0.0
    closed: bool = False
    duplicate_number: int = 990
    rejections: Mapping[str, float] = field(default_factory=dict)
    casework_share: float = 0.0
    received_share: float = 0.0
    duplicate_share: float = 0.0
    reorder_share: float = 0.0
    delay_share: float = 0.0
    delay_s: float = 0.0
    orphan_share: float = 0.0
    seed: int = 0

    def chance(self, share: float, *about: object) -> bool:
        """Whether something happens that happens in so many cases; the same for the same case."""
        return share > 0 and self.dice(*about) < share

    def dice(self, *about: object) -> float:
        """A number from 0 to 1 that is the same for the same case."""
        return random.Random(" ".join(map(str, (self.seed, *about)))).random()

    def error(self, *about: object) -> int:
        """The error number that a delivery gets by chance; 0 for none."""
        return _drawn(self.answers, self.dice("answer", *about))

    def rejection(self, action: int) -> int:
        """The number with which an action is rejected by chance; 0 for none."""
        return _drawn(self.rejections, self.dice("rejection", action))


def behaviour(store: Store) -> Behaviour:
    """The behaviour in force."""
    kept = store.load(COLLECTION).get(_KEY)
    return Behaviour() if kept is None else Behaviour(**{**kept, "next_answers": tuple(kept["next_answers"])})


def switch(store: Store, changes: Mapping[str, Any]) -> Json:
    """Set some switches, null meaning the default; the others stay. Returns all of them.

    Raises ValueError for an unknown name or a value that a switch cannot have.
    """
    defaults = asdict(Behaviour())
    unknown = sorted(set(changes) - set(defaults))
    if unknown:
        raise ValueError(f"unknown switches of the debt authority: {', '.join(unknown)}")
    new = {**asdict(behaviour(store)), **changes}
    new = {name: defaults[name] if value is None else value for name, value in new.items()}
    for entry in fields(Behaviour):
        if not _fits(entry.name, defaults[entry.name], new[entry.name]):
            raise ValueError(f"the switch {entry.name} of the debt authority cannot have this value")
    new["next_answers"] = list(new["next_answers"])
    store.put(COLLECTION, _KEY, new)
    return new


def next_answer(store: Store) -> int | None:
    """Take the next number of `next_answers` off; None when there is none."""
    now = behaviour(store)
    if not now.next_answers:
        return None
    switch(store, {"next_answers": list(now.next_answers[1:])})
    return now.next_answers[0]


def _drawn(shares: Mapping[str, float], dice: float) -> int:
    for number, share in shares.items():
        if dice < share:
            return int(number)
        dice -= share
    return 0


def _fits(name: str, default: Any, value: Any) -> bool:
    if name == "now":
        return isinstance(value, str) and (value == "" or _is_moment(value))
    if name == "next_answers":
        return isinstance(value, list | tuple) and all(isinstance(number, int) for number in value)
    if name == "duplicate_number":
        return value in (990, 992)
    if isinstance(default, dict):
        return isinstance(value, dict) and all(
            number.removeprefix("-").isdigit() and isinstance(share, int | float) and 0 <= share <= 1
            for number, share in value.items()
        )
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, float):
        return isinstance(value, int | float) and value >= 0 and (value <= 1 or not name.endswith("_share"))
    return isinstance(value, type(default))


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is None
    except ValueError:
        return False
