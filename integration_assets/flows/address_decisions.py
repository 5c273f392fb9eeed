"""What operators decide about texts that no rule resolves."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

from integration_assets.cache.washings import Washings
from integration_assets.domain.addresses.washing import WashingIndex, wash
from integration_assets.domain.addresses.washing.known import lines
from integration_assets.domain.addresses.washing.text import normalized
from integration_assets.domain.addresses.washing.washed import ACCESS, UNIT

_OTHER: Final = {UNIT: ACCESS, ACCESS: UNIT}
_CALLED: Final = {UNIT: "a unit address", ACCESS: "an access address"}


class DecisionRefused(Exception):
    """A decision was not remembered; the message says why."""


@dataclass(frozen=True)
class Decision:
    """A decision that was remembered: the text in the form that counts, the address and its line (None: there is none).

    `replaces` is who had decided otherwise before, `rules_say` the line of the address that the rules find by
    themselves, which counts more than the decision; each None for nobody and none.
    """

    normalized: str
    address_id: str | None
    line: str | None
    replaces: str | None
    rules_say: str | None


def decide(
    washings: Washings,
    index: WashingIndex,
    kind: str,
    text: str,
    address_id: str | None,
    *,
    by: str,
    note: str | None,
    now: datetime,
) -> Decision:
    """Remembers which address of this kind a text means, or with `address_id` None that there is none.

    Texts that differ in letter case, blanks or commas only are one text. Raises DecisionRefused when the text is empty,
    when nobody is named, or when the address is not in use.
    """
    own = pl.select(normalized(pl.lit(text))).item()
    if not own:
        raise DecisionRefused("An empty text means no address; nothing was remembered.")
    if not by.strip():
        raise DecisionRefused("A decision needs the name of the one who took it; nothing was remembered.")
    line = None
    if address_id is not None:
        address_id = address_id.strip().lower()
        line = _line(address_id, index, kind)
    before = washings.decisions(kind, pl.Series([own]))
    replaced = None
    if not before.is_empty() and before["address_id"].item() != address_id:
        replaced = before["decided_by"].item()
    washings.decide(kind, own, address_id, by=by.strip(), note=note, now=now)
    washed = wash(pl.Series([text]), index, kind).row(0, named=True)
    rules_say = None if washed["category"] == "C" else washed["current_text"]
    return Decision(own, address_id, line, replaced, rules_say)


def _line(address_id: str, index: WashingIndex, kind: str) -> str:
    """What the address is called. Raises DecisionRefused when it is not in use."""
    asked = pl.Series([address_id])
    if (line := lines(asked, index, kind).item()) is not None:
        return line
    other = lines(asked, index, _OTHER[kind]).item()
    hint = "" if other is None else f" It is {_CALLED[_OTHER[kind]]}: {other}."
    raise DecisionRefused(
        f"{address_id} is not {_CALLED[kind]} in use in generation {index.generation} of the register.{hint} "
        "Nothing was remembered."
    )
