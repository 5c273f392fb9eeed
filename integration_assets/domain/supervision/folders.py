"""What is supervised: folders (dossiers), each with its thresholds, its window and who is told."""

import re
import string
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields
from datetime import time

from integration_assets.domain.supervision.mails import BODY, FIELDS, SUBJECT
from integration_assets.domain.supervision.windows import Window

RUN_COMPLETED = "run_completed"
"""Step of the journal that every run writes when it has gone through: the treatment that marks a synchronisation."""

RUN_FAILED = "run_failed"
"""Step of the journal that is written for a run that failed."""

_NAME = re.compile(r"[A-Za-z0-9_]+")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")
"""Plain addresses only: nothing that could end a line, quote or group anything."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Folder:
    """One folder. Raises ValueError, in a sentence that names it, where its numbers do not fit each other."""

    name: str = "standard"
    crm_project: str = ""
    """Name of the CRM environment; empty: that of the CRM's address."""
    alert_delay_min: int = 26 * 60
    """Minutes without a synchronisation before it alerts; 0: never."""
    mail_interval_min: int = 4 * 60
    """Minutes between two mails about the same anomaly; 0: a mail with each run."""
    frequency_min: int = 24 * 60
    """Minutes between two synchronisations, as they are planned."""
    period_min: int = 20
    """Minutes between two runs of the supervision."""
    first_sync: time | None = None
    """When the day's first synchronisation starts, where there is none at night; used for a warning only."""
    window: Window = field(default_factory=Window)
    recipients: tuple[str, ...] = ()
    """Who gets the mails; nobody named: the recipients of all folders."""
    areas: tuple[str, ...] = ()
    """Supply areas of the folder; none named: all."""
    marker: str = RUN_COMPLETED
    """Step of the journal that counts as a synchronisation."""
    max_rejection_share: float = 0.2
    """Share of rejected records of a run (0..1) that is tolerated; 1: any."""
    max_volume_deviation: float = 0.3
    """Deviation (0.3: 30 %) of a run's records from the usual number that is tolerated; 0: any."""
    tolerated_records: int = 20
    """So many records are neither too many rejections nor a deviation, whatever their share."""
    max_consecutive_failures: int = 3
    """Failed runs in a row that alert; 0: never."""
    mail_subject: str = SUBJECT
    mail_body: str = BODY
    """Templates with the fields of `mails.FIELDS`, written ${etatsynchro}."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - what a misspelt setting meets

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"A folder's name is made of letters, digits and underscores, which {self.name!r} is not.")
        for fault in self._faults():
            raise ValueError(f"Folder {self.name}: {fault}")

    def __repr__(self) -> str:
        """Its name, and what is not the standard."""
        standard = {each.name: each.default for each in fields(self) if each.default is not MISSING}
        shown = {"name": self.name, "window": self.window}
        shown |= {name: getattr(self, name) for name, value in standard.items() if getattr(self, name) != value}
        told = [f"{name}={value!r}" for name, value in shown.items() if name != "window" or not self.window.is_always]
        return f"Folder({', '.join(told)})"

    def _faults(self) -> list[str]:
        least = {"alert_delay_min": 0, "mail_interval_min": 0, "frequency_min": 1, "period_min": 1}
        found = [
            f"{name} is {getattr(self, name)}; it must be {smallest} or more."
            for name, smallest in least.items()
            if getattr(self, name) < smallest
        ]
        if 0 < self.alert_delay_min < self.frequency_min:
            found.append(
                f"the alert delay of {self.alert_delay_min} minutes is shorter than the {self.frequency_min} minutes "
                "between two synchronisations, so it would alert when all is well. Give a delay at least as long, or "
                "0 for none."
            )
        found += [f"{address!r} is no plain mail address." for address in self.recipients if not is_address(address)]
        for name in ("mail_subject", "mail_body"):
            template = string.Template(getattr(self, name))
            strange = sorted(set(template.get_identifiers()) - FIELDS)
            if strange or not template.is_valid():
                what = f"fields that there are not ({', '.join(strange)})" if strange else "a $ that starts no field"
                found.append(f"{name} has {what}. Fields are {', '.join(sorted(FIELDS))}; a $ is written $$.")
        return found

    def warnings(self) -> list[str]:
        """What is allowed and yet will surprise: a window in which the first run alarms about the night."""
        if self.first_sync is None or not self.alert_delay_min:
            return []
        earliest = _minutes(self.first_sync) + self.frequency_min
        if _minutes(self.window.start) >= earliest:
            return []
        return [
            f"Folder {self.name}: supervision starts at {self.window.start:%H:%M}, before the day's first "
            f"synchronisation at {self.first_sync:%H:%M} has had its {self.frequency_min} minutes. Its first run would "
            f"alarm about the night; start it at {earliest // 60:02}:{earliest % 60:02} or later."
        ]


def _minutes(clock: time) -> int:
    return clock.hour * 60 + clock.minute


def is_address(text: str) -> bool:
    """Whether it is a plain mail address, without a name, comments or anything that ends a header."""
    return _ADDRESS.fullmatch(text) is not None and len(text) <= 254


def require_distinct(folders: Sequence[Folder]) -> None:
    """Raises ValueError where two folders have one name, or there is none."""
    names = [folder.name for folder in folders]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"Folders need names of their own; these stand more than once: {', '.join(twice)}.")
    if not names:
        raise ValueError("There must be a folder; leave the setting out for the standard one.")
