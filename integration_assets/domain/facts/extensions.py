"""The four points at which others may take part in the processes, as in IS-U's BAdI ECRM_CRM_UPLOAD.

Two fill the container before it is used, two tell what is to follow a changed date. An extension is a function; several
at one point are called in order, each filler with the container of the one before.
"""

from collections.abc import Callable, Iterable
from datetime import date
from typing import NamedTuple

from integration_assets.domain.facts.calls import Call, Container
from integration_assets.domain.facts.store import Contract


class Occasion(NamedTuple):
    """What is going on when an extension is asked: installation, the contract as it will be, the call and its day."""

    installation: str
    contract: Contract
    call: Call
    day: date


Filler = Callable[[Occasion, Container], Container]
FollowUp = Callable[[Occasion, date, date], Iterable[Call]]
"""Told the old and the new day; gives further calls, which the journal keeps for whoever runs them."""


class Extensions(NamedTuple):
    """The registered extensions by point."""

    fill_container: tuple[Filler, ...] = ()
    """ECRM_UPLOAD_FILL_CONTAINER: before it is determined whether to generate."""
    fill_container_rgen: tuple[Filler, ...] = ()
    """ECRM_FILL_CONTAINER_RGEN: the values of the database, before they are generated from."""
    move_out_date_changed: tuple[FollowUp, ...] = ()
    """MOVEOUTDATE_CHANGED: after the move-out date was changed."""
    move_in_date_changed: tuple[FollowUp, ...] = ()
    """MOVEINDATE_CHANGED: after the move-in date was changed."""
